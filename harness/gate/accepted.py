"""Losses that were agreed to: the committed file `harness-accept.yaml`, read and written.

An entry names a metric, the cells, how much worse it may be, why, who agreed, until when, and the commit that it was
for. It turns a FAIL of no more than that into ACCEPTED; what broke can't be accepted.
"""

from __future__ import annotations

import getpass
import math
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from harness.comparison.definition import default_settings
from harness.comparison.gate_entry import has_values
from harness.errors import UserError, WrongArgument, shown
from harness.evidence.selection import describe, selects_row
from harness.gate.judgment import Judged
from harness.gate.verdict import Verdict
from harness.results.record import Scalar
from harness.strict_entry import Strict
from harness.whole_file import write_whole
from harness.yaml_files.document import Document, parse_document, read_document

ACCEPT_FILE = Path("harness-accept.yaml")
WHAT = "a file of accepted losses"
HEADER = (
    "# Losses that were agreed to: `harness gate` shows them as ACCEPTED. `allowed` is how much worse a metric may be\n"
    "# (0.03 is 3 % more time, bytes or nats, or three points of accuracy less).\n"
)


class Acceptance(Strict):
    """One agreement: `{metric: bits_per_byte, where: {precision: int4}, allowed: 0.03, reason: ..., ...}`."""

    metric: str
    """Name of the metric."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: model, axes and settings. Left out: every cell."""
    allowed: float = Field(gt=0)
    """How much worse it may be, in the unit of the gate's margin."""
    reason: str = Field(min_length=1)
    """Why it was agreed to."""
    who: str = Field(min_length=1)
    """Who agreed."""
    expires: date
    """The last day on which it holds: `2027-01-31`."""
    commit: str = ""
    """The commit that it was for."""

    @field_validator("where")
    @classmethod
    def _values(cls, where: dict[str, Any]) -> dict[str, Any]:
        return has_values(where)

    @property
    def sentence(self) -> str:
        """What it is of, and by whom."""
        cells = f" ({describe(self.where)})" if self.where else ""
        return f"{self.metric}{cells}, accepted by {self.who}: {self.reason}"


@dataclass(frozen=True)
class Accepted:
    """The agreements of a file, with the line of each."""

    entries: tuple[tuple[str, Acceptance], ...] = ()
    """(`file:line`, agreement)."""
    used: set[int] = field(default_factory=set)

    def applied(self, rows: Iterable[Judged], today: date) -> list[Judged]:
        """The rows, those that fail by no more than was agreed to as ACCEPTED."""
        return [self._applied(row, today) for row in rows]

    def notes(self, today: date) -> list[str]:
        """Of each agreement that has expired or was not used, a sentence."""
        told = []
        for number, (place, entry) in enumerate(self.entries):
            if entry.expires < today:
                told.append(f"{place}: this acceptance expired on {entry.expires} ({entry.sentence}); remove it")
            elif number not in self.used:
                told.append(f"{place}: this acceptance was not used ({entry.sentence}); remove it if it is done with")
        return told

    def _applied(self, row: Judged, today: date) -> Judged:
        if row.verdict is not Verdict.FAIL or row.metric is None or row.change is None:
            return row
        found = [
            (number, entry)
            for number, (_, entry) in enumerate(self.entries)
            if row.metric in (entry.metric, entry.metric.partition("@")[0]) and selects_row(entry.where, row.at)
        ]
        able = [(number, entry) for number, entry in found if entry.expires >= today]
        for number, entry in able:
            if row.change.value <= entry.allowed:
                self.used.add(number)
                told = f"accepted up to {entry.allowed:g} by {entry.who} until {entry.expires} ({entry.reason})"
                return replace(row, verdict=Verdict.ACCEPTED, reason=f"{told}; {row.reason}")
        if able:
            self.used.update(number for number, _ in able)
            most = max(entry.allowed for _, entry in able)
            return replace(row, reason=f"{row.reason}; {row.change.value:.3g} is worse than the {most:g} accepted")
        if found:
            return replace(row, reason=f"{row.reason}; it was accepted until {found[-1][1].expires}")
        return row


def read_accepted(path: Path = ACCEPT_FILE) -> Accepted:
    """The agreements of a file; none where there is no such file. Raises UserError with the line of every mistake."""
    if not path.exists():
        return Accepted()
    return _parsed(read_document(path, WHAT))


def add_acceptances(
    rows: Sequence[Judged], reason: str, expires: date, path: Path = ACCEPT_FILE, *, commit: str = "", who: str = ""
) -> list[Acceptance]:
    """Append an agreement for every row that fails by a known change, and say which. What the file has stays as it is.

    The change that is allowed is the upper end of the row's interval, as the next run will not come out the same.
    Raises UserError where nothing can be accepted, or where the file is no list that can be added to.
    """
    able = [row for row in rows if row.verdict is Verdict.FAIL and row.metric and row.change]
    if not able:
        broken = [row for row in rows if row.verdict is Verdict.FAIL]
        why = f"what fails is broken ({broken[0].reason})" if broken else "nothing fails"
        raise WrongArgument(f"there is nothing to accept: {why}", place="accept")
    made = [
        Acceptance(
            metric=str(row.metric),
            where=dict(_where(row.at)),
            allowed=_rounded_up(_upper(row)),
            reason=reason,
            who=who or whoever(),
            expires=expires,
            commit=commit,
        )
        for row in able
    ]
    before = path.read_text(encoding="utf-8") if path.exists() else HEADER
    parsed = parse_document(before, str(path))
    if parsed.data is not None and not isinstance(parsed.data, list):
        _parsed(parsed)
    if before and not before.endswith("\n"):
        before += "\n"
    plain = [entry.model_dump(mode="python", exclude_defaults=True) for entry in made]
    text = before + "\n" * bool(parsed.data) + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    try:
        whole = _parsed(parse_document(text, str(path)))
    except UserError as error:
        raise UserError(
            f"an entry can't be appended to this file: write its entries one below the other, each with `- ` at the "
            f"beginning of a line ({error.message})",
            place=str(path),
        ) from None
    if len(whole.entries) != len(parsed.data or []) + len(made):
        raise UserError("an entry can't be appended to this file: write it as a list of entries", place=str(path))
    write_whole(path, text)
    return made


def whoever() -> str:
    """The user's name, as git knows it, or as the system does."""
    if name := git_setting("user.name"):
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def git_setting(name: str) -> str:
    """What git's configuration says here; empty where it says nothing."""
    try:
        done = subprocess.run(["git", "config", name], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return shown(done.stdout.strip(), 100) if done.returncode == 0 else ""


def _parsed(document: Document) -> Accepted:
    """The agreements of a document. Raises UserError with the line of every mistake."""
    place = document.places.get((), "")
    if document.data is None:
        return Accepted()
    if not isinstance(document.data, list):
        raise UserError(f"{WHAT} is a list of entries, each with `- metric: ...`", place=place)
    for twice in document.repeated:
        raise UserError(f"the key '{twice.path[-1]}' is written twice; keep one", place=twice.place)
    found, wrong = [], []
    for number, item in enumerate(document.data):
        here = document.place((number,))
        try:
            found.append((here, _ONE.validate_python(item)))
        except ValidationError as error:
            wrong += [_sentence(document, number, dict(detail)) for detail in error.errors()]
    if wrong:
        raise UserError("\n".join(dict.fromkeys(wrong)))
    return Accepted(tuple(found))


_ONE = TypeAdapter(Acceptance)


def _sentence(document: Document, number: int, detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx") or {}
    path = (number, *detail["loc"], *([context["key"]] if "key" in context else []))
    what = "this key is required and missing" if detail["type"] == "missing" else str(detail["msg"])
    key = ".".join(map(str, path[1:]))
    return f"{document.place(path)}: {key + ': ' if key else ''}{what[:1].lower() + what[1:]}"


def _where(at: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """What names a cell in the file: all that it was asked that is no default."""
    defaults = default_settings(str(at["measure"]))
    asked = {name: value for name, value in at.items() if value is not None}
    return {name: value for name, value in asked.items() if name not in defaults or value != defaults[name]}


def _upper(row: Judged) -> float:
    assert row.change is not None
    return row.change.value if row.change.high is None else max(row.change.value, row.change.high)


def _rounded_up(value: float) -> float:
    """To two significant digits: 0.03417 becomes 0.035."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.12g}")
