"""Rows of alignment data that a measure reads: prompts to answer, and pairs of responses of which one is preferred.

`microworld/SPLIT` and `assistant/SPLIT` need no file; anything else is a file, a folder or `hub:OWNER/NAME`, in a
format that `reference_impl.alignment.data` knows, and `#SPLIT` names one of several splits. A measure names them to the
rest of the harness as texts: `preferences:SPEC` and `prompts:SPEC`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from harness import strict_json
from harness.corpora.local import data_path
from harness.corpora.source import OnProgress
from harness.errors import UserError
from harness.file_digest import file_sha256
from harness.spelling import nearest
from reference_impl.alignment.data import assistant, microworld
from reference_impl.alignment.data.excluded import Excluded
from reference_impl.alignment.data.hub import is_on_hub
from reference_impl.alignment.data.reading import read
from reference_impl.alignment.data.rows import Demonstration, PromptText, Row, prompts_of
from reference_impl.alignment.data.rows import Preference as Preference
from reference_impl.alignment.data.rows import Prompt as Prompt
from reference_impl.alignment.stages.data_settings import ASSISTANT, MICROWORLD
from reference_impl.files import TextError
from reference_impl.text.assistant import MOST_PROMPTS
from reference_impl.text.microworld.draw import SPLITS

MADE = 1000
"""Rows of what needs no file, at most."""
NO_FILE = (f"{MICROWORLD}/", f"{ASSISTANT}/")


@dataclass(frozen=True)
class AlignmentRows:
    """See `harness.corpora.source.Source`."""

    kind: type[Preference] | type[Prompt]
    spec: str

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, in their order. Raises UserError with the place of what can't be read."""
        return self._read[0]

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """Rows from which nothing can be learned, such as empty responses, counted by reason."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Sequence[Row], tuple[Excluded, ...]]:
        name, _, split = self.spec.partition("#")
        if name.startswith(NO_FILE):
            return self._made(name), ()
        path = name if is_on_hub(name) else self._path(name)
        try:
            return _read(path, self.kind, split or None)
        except TextError as error:
            raise UserError(str(error)) from None
        except (OSError, ValueError) as error:
            raise UserError(str(error), place=f"data {self.spec}") from None

    def documents(self) -> list[str]:
        """The prompts with what is preferred, as plain text."""
        return [
            "\n".join([as_text(row.prompt), *([row.chosen] if isinstance(row, Preference) else [])])
            for row in self.rows
        ]

    def digest(self) -> str:
        """Of files the hash of their names and bytes; of what is made, of the rows; of the hub's, of the name."""
        name, _, split = self.spec.partition("#")
        said: object = self.spec
        if name.startswith(NO_FILE):
            said = [asdict(row) for row in self.rows]
        elif not is_on_hub(name):
            path = self._path(name)
            try:
                files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
                said = [[file.name, file_sha256(file)] for file in files]
            except OSError as error:
                raise UserError(f"can't be read ({error.strerror})", place=f"data {name}") from None
        return hashlib.sha256(strict_json.dumps([self.kind.__name__, said, split]).encode()).hexdigest()

    def ensure(self, on_progress: OnProgress) -> None:
        """Read it once, so that what is wrong with it is told before a model is opened."""
        self.rows  # noqa: B018 - read here for the first time

    def size(self) -> int | None:
        """Not known."""
        return None

    def _path(self, name: str) -> Path:
        path = data_path(name.removeprefix("data:"), name) if name.startswith("data:") else Path(name).expanduser()
        if not path.exists():
            raise UserError(
                f"there are no such data; give a file, a folder, `hub:OWNER/NAME`, or `microworld/{SPLITS[-1]}`",
                place=f"data {name}",
            )
        return path

    def _made(self, name: str) -> Sequence[Row]:
        world, _, split = name.partition("/")
        if split not in SPLITS:
            there = ", ".join(f"{world}/{one}" for one in SPLITS)
            raise UserError(
                f"{world} has no split '{split}'{nearest(split, SPLITS)}; there are: {there}",
                place=f"data {self.spec}",
            )
        if world == ASSISTANT:
            most = MOST_PROMPTS[split]
            made: Sequence[Row] = (assistant.preferences if self.kind is Preference else assistant.prompts)(
                split, count=min(MADE, most)
            )
            return made
        pairs = microworld.preferences(split, count=MADE)
        return pairs if self.kind is Preference else [Prompt(row.prompt, place=row.place) for row in pairs]


def _read(
    path: str | Path, kind: type[Preference] | type[Prompt], split: str | None
) -> tuple[Sequence[Row], tuple[Excluded, ...]]:
    """Rows of a kind; prompts also of files that hold responses, each prompt once."""
    if kind is Preference:
        pairs = read(path, Preference, split=split)
        return pairs.rows, pairs.excluded
    try:
        alone = read(path, Prompt, split=split)
    except TextError:
        with contextlib.suppress(TextError):
            pairs = read(path, Preference, split=split)
            return list(prompts_of(pairs.rows)), pairs.excluded
        with contextlib.suppress(TextError):
            shown = read(path, Demonstration, split=split)
            return list(prompts_of(shown.rows)), shown.excluded
        raise
    return alone.rows, alone.excluded


def as_text(prompt: PromptText) -> str:
    """A prompt for a person to read, and for a bag of words."""
    return prompt if isinstance(prompt, str) else "\n".join(f"{one.role}: {one.content}" for one in prompt)


def opening(prompt: PromptText) -> str:
    """What a prompt begins with: its first message. Rows of one opening are no independent evidence."""
    return prompt if isinstance(prompt, str) else next((one.content for one in prompt if one.role == "user"), "")


def preferences(spec: str) -> tuple[list[Preference], tuple[Excluded, ...]]:
    """Pairs of responses, and what was left out. Raises UserError."""
    found = AlignmentRows(Preference, spec)
    return [row for row in found.rows if isinstance(row, Preference)], found.excluded


def prompts(spec: str) -> tuple[list[Prompt], tuple[Excluded, ...]]:
    """Prompts to answer, and what was left out. Raises UserError."""
    found = AlignmentRows(Prompt, spec)
    return [row for row in found.rows if isinstance(row, Prompt)], found.excluded


def named(text: str) -> AlignmentRows:
    """What the name of a text stands for that names rows."""
    kind, _, spec = text.partition(":")
    return AlignmentRows(Preference if kind == "preferences" else Prompt, spec)
