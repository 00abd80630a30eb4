"""How a suite names a text, and what it may name.

| spec | the text |
|---|---|
| `microworld/SPLIT`, `assistant/SPLIT` | the embedded corpora |
| `probe/text` | a few short documents of many kinds, on which two versions of a model are compared |
| `asset:NAME/SPLIT` | a text that the table of assets declares |
| `data:NAME` | a file or folder under the folder that HARNESS_DATA names |
| `hub:NAME[@REVISION][:CONFIG]/SPLIT` | a data set of the Hugging Face hub |
| anything else | the path of a file or folder |

The last three take `#FIELD`: the key or column that holds the text, where it isn't called `text`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.corpora import local, microworld, probe_text, shakespeare
from harness.corpora.hub import HubText
from harness.corpora.source import Source
from harness.errors import UserError, shown
from harness.input_file import why_no_path
from harness.spelling import nearest, quotes_in

DECLARED: dict[str, Source] = {
    **{
        f"{name}/{split}": microworld.Microworld(split, name)
        for name in microworld.NAMES
        for split in microworld.SPLITS
    },
    **{f"asset:{shakespeare.ASSET}/{split}": shakespeare.Shakespeare(split) for split in shakespeare.PLAYS},
    "probe/text": probe_text.ProbeText(),
}
"""The texts that exist everywhere, by the names that suites use."""

ROWS = ("preferences:", "prompts:")
"""What stands before the name of alignment data, which measures name as a text."""
_HUB = re.compile(r"(?P<name>[^@:]+)(?:@(?P<revision>[^:/]+))?(?::(?P<config>[^/]+))?/(?P<split>[^/]+)")
_LOOKS_LIKE_A_PATH = re.compile(
    r"^[./~]|\.(txt|md|text|raw|html|jsonl|ndjson|json|csv|tsv|parquet|arrow)(\.gz|\.bz2|\.xz|\.zst)?(#|$)"
)


@dataclass(frozen=True)
class Corpus:
    """One row of `harness list corpora`."""

    spec: str
    about: str


def source(spec: str) -> Source:
    """The text that `spec` names. Raises UserError with the nearest spelling and what is allowed."""
    if spec in DECLARED:
        return DECLARED[spec]
    if spec.startswith(ROWS):
        from harness.corpora import alignment_rows  # knows the formats of alignment, which no other text needs

        return alignment_rows.named(spec)
    if (why := why_no_path(spec.partition("#")[0])) is not None:
        raise UserError(f"there is no such text: {why}", place=f"text {shown(spec)}")
    kind, _, rest = spec.partition(":")
    if kind == "hub":
        return _hub(rest, spec)
    if kind == "data":
        name, field = _split_field(rest)
        return local.Local(local.data_path(name, spec), field)
    if Path(spec).expanduser().exists():
        return local.Local(Path(spec).expanduser())
    name, field = _split_field(spec)
    if Path(name).expanduser().exists() and not spec.startswith("asset:"):
        return local.Local(Path(name).expanduser(), field)
    if _LOOKS_LIKE_A_PATH.search(spec):
        raise UserError("no such file or folder; check the path", place=f"text {spec}")
    allowed = ", ".join([*DECLARED, "a file or folder", "data:NAME", "hub:NAME[:CONFIG]/SPLIT"])
    if odd := quotes_in(spec):
        raise UserError(f"there is no text {spec}{odd}", place=f"text {spec}")
    raise UserError(f"there is no text '{spec}'{nearest(spec, DECLARED)} (allowed: {allowed})", place=f"text {spec}")


def corpora() -> list[Corpus]:
    """What `text:` and `corpus:` may name in a suite, with a line on each."""
    about = {
        "microworld": "the embedded corpus: a small closed world that our own code tells, {split} split",
        "assistant": "the embedded corpus for alignment: dialogs of a small world, good and bad, {split} split",
        f"asset:{shakespeare.ASSET}": "Shakespeare's plays in a modern edition, a scene a document: {plays}",
        "probe": f"{len(probe_text.DOCUMENTS)} short documents of many kinds, which the measure `probe` reads",
    }
    rows = []
    for spec in DECLARED:
        name, _, split = spec.rpartition("/")
        plays = shakespeare.PLAYS.get(split, ())
        listed = ", ".join(plays).replace("_", " ") if len(plays) < 9 else f"the {len(plays)} other plays"
        rows.append(Corpus(spec, about[name].format(split=split, plays=listed)))
    data = ", ".join(local.data_names()) or f"none now: set {local.DATA_VARIABLE}"
    return [
        *rows,
        Corpus(
            "FILE or FOLDER[#FIELD]",
            "your own text: a file of UTF-8, or jsonl, json, csv, tsv, parquet, arrow whose FIELD holds the text (each "
            "also .gz, .bz2, .xz, .zst)",
        ),
        Corpus("data:NAME[#FIELD]", f"a file or folder under the folder that {local.DATA_VARIABLE} names ({data})"),
        Corpus("hub:NAME[@REVISION][:CONFIG]/SPLIT[#FIELD]", "a data set of the Hugging Face hub, through `datasets`"),
    ]


def _hub(rest: str, spec: str) -> HubText:
    named, field = _split_field(rest)
    match = _HUB.fullmatch(named)
    if match is None:
        raise UserError(
            "a hub text is written hub:NAME[@REVISION][:CONFIG]/SPLIT[#FIELD], "
            "such as hub:Salesforce/wikitext:wikitext-2-raw-v1/test",
            place=f"text {spec}",
        )
    return HubText(**match.groupdict(), field=field)


def _split_field(spec: str) -> tuple[str, str]:
    name, _, field = spec.partition("#")
    return name, field or "text"
