"""Shakespeare's plays as documents: one scene each, with whole plays held out by name.

The asset holds plain text files of a modern edition (Project Gutenberg, without its headers). A document is
a scene with its heading, or a prologue or chorus that stands before an act's first scene; the title and
the list of persons are left out. Holding out whole plays means that no character or plot of the test text was seen
in training; a scene is small enough that a play gives many documents to resample.

The test plays cover the three genres, and none of them is in the "tinyshakespeare" excerpt that
character-level models are commonly trained on. The edition of Cymbeline lacks its third and fourth act.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from harness import assets
from harness.corpora.source import OnProgress

ASSET = "shakespeare"

TEST = ("antony_and_cleopatra", "henry_v", "macbeth", "twelfth_night")
VALIDATION = ("as_you_like_it", "julius_caesar")
TRAIN = (
    "alls_well_that_ends_well",
    "comedy_of_errors",
    "coriolanus",
    "cymbeline",
    "hamlet",
    "henry_iv_part_1",
    "henry_iv_part_2",
    "henry_vi_part_1",
    "henry_vi_part_2",
    "henry_vi_part_3",
    "henry_viii",
    "john",
    "lear",
    "loves_labours_lost",
    "measure_for_measure",
    "merchant_of_venice",
    "merry_wives_of_windsor",
    "midsummer_nights_dream",
    "much_ado_about_nothing",
    "othello",
    "pericles",
    "richard_ii",
    "richard_iii",
    "romeo_and_juliet",
    "taming_of_the_shrew",
    "tempest",
    "timon_of_athens",
    "tragedy_of_titus_andronicus",
    "troilus_and_cressida",
    "two_gentlemen_of_verona",
    "winters_tale",
)
PLAYS: dict[str, tuple[str, ...]] = {"train": TRAIN, "validation": VALIDATION, "test": TEST}

VERSION = 1
"""Enters the digest: raise it when the same files give other documents."""

_NUMBER = r"(?:[IVXL]+|\d+|FIRST|SECOND|THIRD|FOURTH|FIFTH)\b"
_ACT = re.compile(rf"^ *ACT {_NUMBER}", re.IGNORECASE)
_SCENE = re.compile(rf"^ *SCENE *\.? *{_NUMBER}", re.IGNORECASE)
_BEFORE_THE_FIRST_ACT = re.compile(r"^ *(?:THE )?(?:PROLOGUE|INDUCTION)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Shakespeare:
    """One split of the plays."""

    split: str

    def documents(self) -> list[str]:
        """The scenes of the split's plays, in the order of the plays' names."""
        folder = assets.get(ASSET)
        texts = ((folder / f"{play}_gut.txt").read_text(encoding="ascii") for play in PLAYS[self.split])
        return [scene for text in texts for scene in scenes(text)]

    def digest(self) -> str:
        """Hash of the files' digest, the plays' names and the version of the cut."""
        made_of = f"{assets.digest(ASSET)} {self.split} {PLAYS[self.split]} {VERSION}"
        return hashlib.sha256(made_of.encode()).hexdigest()

    def ensure(self, on_progress: OnProgress) -> None:
        """Fetch the asset if it isn't in the cache."""
        assets.get(ASSET, on_progress)

    def size(self) -> int | None:
        """About 125 kB a play."""
        return 125_000 * len(PLAYS[self.split])


def scenes(play: str) -> list[str]:
    """A play's text cut before every act and scene heading; what stands before the first is dropped.

    A heading that follows another with nothing between them stays with it ("ACT I." with "SCENE I. ...").
    Spaces at the ends of lines are dropped, runs of empty lines become one.
    """
    parts: list[list[str]] = []
    heading_only = False
    for line in play.splitlines():
        is_heading = bool(_ACT.match(line) or _SCENE.match(line))
        if not parts:  # the title and the list of persons
            is_heading = is_heading or bool(_BEFORE_THE_FIRST_ACT.match(line))
            if not is_heading:
                continue
        if is_heading and not heading_only:
            parts.append([])
        parts[-1].append(line.rstrip())
        heading_only = is_heading or (heading_only and not line.strip())
    return [document for part in parts if (document := _tidy("\n".join(part)))]


def _tidy(text: str) -> str:
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    return text.removesuffix("THE END").rstrip()
