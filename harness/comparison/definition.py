"""Which cells of two runs are one cell: the definition of a cell, and the pairs that it makes.

A definition is what a suite asks for: the model's name, the measure, the axes and the settings. A setting that a run
does not have was not there yet, and had the value that is its default today. What the suite says beside its cells
(`about`, `expect`, `gate`, other cells) is no part of it, nor are the model's weights: they are what is compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.evidence.selection import coordinates
from harness.results.record import CellResult, Scalar
from harness.results.run import Run

Read = dict[tuple[str, str], str]
"""What a cell read: digests by kind (`text`, `task`) and name."""


@dataclass(frozen=True)
class CellPair:
    """A cell of the base and the same one of the head; one of them is None where the other run has no such cell."""

    base: CellResult | None
    head: CellResult | None
    why_alone: str = ""
    """Why a cell has no other half: a sentence that names what differs from the nearest cell of the other run."""
    changed: bool = False
    """Whether the other run has such a cell with another definition: same measure, and a setting, an axis or the name
    of the model is another."""

    @property
    def cell(self) -> CellResult:
        """The head's, or the base's where the head has none."""
        cell = self.head or self.base
        assert cell is not None
        return cell


def definition_of(cell: CellResult) -> dict[str, Scalar]:
    """Model, axes, measure and settings of a cell, with today's default for every setting that it does not have."""
    return {**default_settings(cell.measure), **coordinates(cell)}


def definition_hash(cell: CellResult) -> str:
    """16 hex digits: equal for two cells that ask for the same. 8 and 8.0 are one value, 1 and true are two."""
    return hash_of_coordinates(cell.measure, coordinates(cell))


def hash_of_coordinates(measure: str, at: Mapping[str, Scalar]) -> str:
    """The same of a cell's model, axes, measure and settings, planned or measured."""
    told = sorted((name, _plain(value)) for name, value in {**default_settings(measure), **at}.items())
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def cell_pairs(base: Run, head: Run) -> list[CellPair]:
    """Every cell of either run once, in the base's order, then what only the head has."""
    bases = {definition_hash(cell): cell for cell in base.cells}
    heads = {definition_hash(cell): cell for cell in head.cells}
    lone_bases = [cell for name, cell in bases.items() if name not in heads]
    lone_heads = [cell for name, cell in heads.items() if name not in bases]
    found = []
    for name in dict.fromkeys([*bases, *heads]):
        a, b = bases.get(name), heads.get(name)
        if a is not None and b is not None:
            found.append(CellPair(a, b))
        elif a is not None:
            found.append(CellPair(a, None, *_why_alone("base", a, "head", lone_heads)))
        elif b is not None:
            found.append(CellPair(None, b, *_why_alone("head", b, "base", lone_bases)))
    return found


def what_was_read(cell: CellResult) -> Read | None:
    """Digests of the texts and tasks that a cell read; None where its run did not keep them."""
    return {(one.kind, one.name): one.digest for one in cell.read} if cell.read else None


def why_edited(base: CellResult, head: CellResult) -> str | None:
    """Which text or task is another one than it was, as a sentence; None where all are the same, or nobody knows."""
    before, after = what_was_read(base), what_was_read(head)
    if before is None or after is None:
        return None
    edited = [f"the {kind} {name}" for (kind, name), was in before.items() if after.get((kind, name), was) != was]
    if not edited:
        return None
    return f"{' and '.join(edited)} changed between the two, so they were asked different things"


def _why_alone(side: str, cell: CellResult, other: str, among: Sequence[CellResult]) -> tuple[str, bool]:
    """Why a cell is in one run alone, and whether the other run has it with another definition."""
    mine = definition_of(cell)
    near: list[tuple[int, list[str], dict[str, Scalar]]] = []
    for candidate in among:
        theirs = definition_of(candidate)
        names = [name for name in {**mine, **theirs} if _plain(mine.get(name)) != _plain(theirs.get(name))]
        if candidate.measure == cell.measure and (candidate.model == cell.model or len(names) == 1):
            near.append((len(names), names, theirs))
    if not near:
        return f"only the {side} has this cell", False
    _, names, theirs = min(near, key=lambda one: one[0])
    told = ", ".join(
        f"{name} is {mine.get(name)} in the {side} and {theirs.get(name)} in the {other}" for name in names[:4]
    )
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"its definition changed: {told}{more}", True


def _plain(value: Scalar) -> Scalar | tuple[str, bool]:
    """The same for equal values: whole floats are whole numbers, and true is not 1."""
    if isinstance(value, bool):
        return "bool", value
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def default_settings(measure: str) -> dict[str, Scalar]:
    """Today's defaults of a measure's settings; none of a measure that is not installed."""
    from harness.measures.registry import MEASURES

    if measure not in MEASURES:
        return {}
    settings = MEASURES[measure].settings
    optional = {name for name, info in settings.model_fields.items() if not info.is_required()}
    return settings.model_construct().model_dump(mode="json", include=optional)
