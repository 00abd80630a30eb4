"""The verdict of a job that ran other people's code: untrusted data, held to a schema and to sizes before it is used.

What is not known is left out, so that a verdict of a later version can still be read.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import Any, NamedTuple

NAME = "verdict.json"
MOST_BYTES = 4 << 20
MOST_ROWS = 500
VERDICTS = (*("fail", "usage", "baseline missing", "not comparable", "inconclusive", "accepted", "minor", "pass"),)
"""The first of several counts."""


class NoVerdict(Exception):
    """Why the data are no verdict, as a sentence."""


class Change(NamedTuple):
    """For the worse, with its interval where it has one."""

    value: float
    low: float | None
    high: float | None


class Row(NamedTuple):
    """One metric of one cell, judged."""

    verdict: str
    reason: str
    metric: str | None
    cell: str
    kind: str
    unit: str
    base: float | None
    head: float | None
    margin: float | None
    change: Change | None


class Verdict(NamedTuple):
    """What a gate came to."""

    verdict: str
    reason: str
    base: str
    head: str
    alpha: float | None
    rows: tuple[Row, ...]
    watched: tuple[str, ...]
    """Metrics that nobody judges and that stand out."""
    changes: tuple[str, ...]
    notes: tuple[str, ...]


def from_archive(content: bytes) -> Verdict:
    """The verdict in a zip archive, of which nothing is unpacked to the disk. Raises NoVerdict."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(NAME) as file:
            data = file.read(MOST_BYTES + 1)
    except KeyError:
        raise NoVerdict(f"there is no {NAME} in the artifact") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise NoVerdict(f"the artifact is no zip archive that can be read ({type(error).__name__})") from None
    except Exception as error:  # of a decompressor
        raise NoVerdict(f"the artifact can't be unpacked ({type(error).__name__})") from None
    return from_json(data)


def from_json(data: bytes) -> Verdict:
    """The verdict as `harness ci --json` wrote it. Raises NoVerdict."""
    if len(data) > MOST_BYTES:
        raise NoVerdict(f"{NAME} has more than {MOST_BYTES:,} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise NoVerdict(f"{NAME} is no JSON") from None
    top = _mapping(found, NAME)
    rows = _list(top, "judged")
    if len(rows) > MOST_ROWS:
        raise NoVerdict(f"{NAME} has more than {MOST_ROWS} rows")
    watched = [_mapping(one, "watched") for one in _list(top, "watched")]
    return Verdict(
        verdict=_word(top),
        reason=_text(top, "reason", 4_000),
        base=_text(top, "base", 300),
        head=_text(top, "head", 300),
        alpha=_number(top, "alpha"),
        rows=tuple(_row(_mapping(one, "judged")) for one in rows),
        watched=tuple(_text(one, "metric", 200) for one in watched if one.get("stands_out") is True),
        changes=_texts(top, "changes"),
        notes=_texts(top, "notes"),
    )


def _row(one: dict[str, Any]) -> Row:
    change = one.get("worse_by")
    worse = None if change is None else _mapping(change, "worse_by")
    value = None if worse is None else _number(worse, "value")
    return Row(
        verdict=_word(one),
        reason=_text(one, "reason", 2_000),
        metric=_text(one, "metric", 200) or None,
        cell=_cell(_mapping(one.get("at", {}), "at")),
        kind=_text(one, "kind", 40),
        unit=_text(one, "unit", 40),
        base=_number(one, "base"),
        head=_number(one, "head"),
        margin=_number(one, "margin"),
        change=None if worse is None or value is None else Change(value, _number(worse, "low"), _number(worse, "high")),
    )


def _cell(at: dict[str, Any]) -> str:
    """What a person calls a cell: its model and what else tells it from others."""
    told = ("model", "precision", "threads", "text", "task", "batch", "part", "call")
    values = [at[name] for name in told if isinstance(at.get(name), (str, int, float))]
    return ", ".join(str(value) for value in values)[:300]


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NoVerdict(f"`{name}` is no mapping")
    return value


def _list(of: dict[str, Any], name: str) -> list[Any]:
    value = of.get(name, [])
    if not isinstance(value, list):
        raise NoVerdict(f"`{name}` is no list")
    return value


def _texts(of: dict[str, Any], name: str) -> tuple[str, ...]:
    values = _list(of, name)
    if not all(isinstance(value, str) for value in values):
        raise NoVerdict(f"`{name}` has what is no text")
    return tuple(value[:1_000] for value in values[:100])


def _text(of: dict[str, Any], name: str, most: int) -> str:
    value = of.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NoVerdict(f"`{name}` is no text")
    return value[:most]


def _number(of: dict[str, Any], name: str) -> float | None:
    """A number; None for none, and for one that JSON has no word for."""
    value = of.get(name)
    if value is None or isinstance(value, dict):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoVerdict(f"`{name}` is no number")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _word(of: dict[str, Any]) -> str:
    word = of.get("verdict")
    if not isinstance(word, str) or word not in VERDICTS:
        raise NoVerdict(f"its verdict is none of {', '.join(VERDICTS)}")
    return word
