"""Which rows are one line of a trend, and where it breaks.

Rows whose numbers mean the same are a variant: one cell, metric version, unit, definition, model, texts and pinned
commit. A variant that begins where a similar one of the same metric ended goes on with its line, behind a break that
says what changed. Two that overlap are two lines: two suites of one name, or a cell at two settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rows = list[dict[str, Any]]

FAMILY = ("suite", "model", "measure", "metric", "part", "kind")
"""Rows that differ in one of these are never one line; nor are those of two machines, where the machine counts."""
SUBJECT = ("call", "command", "text", "task")
"""Settings that say what is measured: where they differ, it is another line and no break."""
MOST_CHANGED = 3
"""Settings in which a cell may differ from the one whose line it goes on with."""
TOLD = {
    "metric_version": "version of the metric",
    "unit": "unit",
    "pinned": "pinned commit",
    "definition": "definition of the metric",
    "model_entry": "what the suite says of the model",
    "reads": "texts or tasks that are read, or how",
}
"""What makes a variant beside its cell, in words."""
_HASHES = ("model_entry", "reads")
_LENIENT = ("definition", *_HASHES)
"""Of these null means that nobody knew: the same as any."""


@dataclass(frozen=True)
class Break:
    """A place in a line from which on its numbers mean something else."""

    key: str
    """Of the first point behind it."""
    why: str
    """What changed, in a sentence's words."""


@dataclass(frozen=True)
class Line:
    """The rows of one line, those behind the last break last, and its breaks."""

    variants: tuple[Rows, ...]
    breaks: tuple[Break, ...]

    @property
    def last(self) -> dict[str, Any]:
        """A row of what it is now."""
        return self.variants[-1][-1]


def lines_of(rows: Sequence[dict[str, Any]], places: Mapping[str, int]) -> list[Line]:
    """The lines of rows of one metric. Each row has `key`; places: by key where it stands in the order. Rows that stand
    apart are in the line of their variant; where nothing of it is in the order, in one of their own."""
    families: dict[tuple[Any, ...], Rows] = {}
    for row in sorted(rows, key=lambda row: (places.get(row["key"], len(places)), row["sequence"])):
        machine = row["machine_class"] if row["depends_on"] is not None else None
        families.setdefault((*(row[name] for name in FAMILY), machine), []).append(row)
    return [line for family in families.values() for line in _chained(_variants(family), places)]


def _variants(rows: Rows) -> list[Rows]:
    """Rows that mean the same together. What was not known of some is taken for what it was of others."""
    exact: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        exact.setdefault((row["cell"], *(row[name] for name in TOLD)), []).append(row)
    found: list[Rows] = []
    for some in exact.values():
        one = some[0]
        same = (rows for rows in found if rows[-1]["cell"] == one["cell"] and not _changes(rows[-1], one))
        if (known := next(same, None)) is None:
            found.append(some)
        else:
            known += some
    return found


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what is another thing in two rows, but for the cell."""
    lenient = {name for name in _LENIENT if before[name] is None or after[name] is None}
    return [name for name in TOLD if name not in lenient and before[name] != after[name]]


def _chained(variants: list[Rows], places: Mapping[str, int]) -> list[Line]:
    lines: list[tuple[list[Rows], list[Break], int]] = []
    spans = [(*_span(variant, places), number) for number, variant in enumerate(variants)]
    for begin, end, number in sorted(spans):
        variant = variants[number]
        near = [
            (len(changed), -last, place, changed)
            for place, (line, _, last) in enumerate(lines)
            if last < begin < len(places) and (changed := _what_changed(line[-1][-1], variant[0])) is not None
        ]
        if near:
            _, _, place, changed = min(near)
            line, breaks, _ = lines[place]
            first = min(variant, key=lambda row: places.get(row["key"], len(places)))
            lines[place] = [*line, variant], [*breaks, Break(first["key"], "; ".join(changed))], end
        else:
            lines.append(([variant], [], end))
    return [Line(tuple(line), tuple(breaks)) for line, breaks, _ in lines]


def _span(variant: Rows, places: Mapping[str, int]) -> tuple[int, int]:
    """Where a variant's first and last point stand; behind all others where none is in the order."""
    there = [places[row["key"]] for row in variant if row["key"] in places]
    return (min(there), max(there)) if there else (len(places), len(places))


def _what_changed(before: dict[str, Any], after: dict[str, Any]) -> list[str] | None:
    """What changed from one variant to the next, in words; None where they are about different things."""
    told = [_told(name, before[name], after[name]) for name in _changes(before, after)]
    if before["cell"] == after["cell"]:
        return told
    was, now = settings_of(before), settings_of(after)
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    if len(names) > MOST_CHANGED or any(name in SUBJECT for name in names):
        return None
    words = ", ".join(f"{name} {_word(now.get(name))}, before {_word(was.get(name))}" for name in names)
    return [f"definition of the cell ({words or 'a setting that is not kept'})", *told]


def settings_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Axes and settings of a row; none where they are damaged."""
    try:
        found = json.loads(row["where"])
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _told(name: str, before: Any, after: Any) -> str:
    if name in _HASHES or name == "definition":
        return TOLD[name]
    return f"{TOLD[name]} ({_word(after)}, before {_word(before)})"


def _word(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text[:10] if len(text) == 40 else text
