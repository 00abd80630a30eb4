"""A point of a series: one commit, with all values that were measured at it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Value:
    """One run's value."""

    run: str
    value: float | None
    """None where it gave none: `reason` says why."""
    low: float | None
    high: float | None
    time: datetime | None
    source: str
    status: str
    reason: str | None
    launches: int | None
    unit: str | None = None


@dataclass(frozen=True)
class Point:
    """A commit. Changed files beside it make another point of the same commit."""

    key: str
    """The commit; of a run outside of git what stands for it."""
    commit: str | None
    values: tuple[Value, ...]
    """Of all runs, in the order of adding."""
    dirty: bool
    """Whether files were changed beside the commit: shown, and no part of what steps are looked for in."""
    branch: str | None
    beside: bool = False
    """Whether the commit is of a branch that was merged, measured before it was: shown, and no part of it either."""
    why_apart: str | None = None
    """Why it is not in the history of the branch; None where it is."""

    @property
    def value(self) -> float | None:
        """The median of its values; None where there is none."""
        there = self._there
        return median(value for one in there if (value := one.value) is not None) if there else None

    @property
    def low(self) -> float | None:
        """The lower end of one run's interval; of several runs the smallest value."""
        there = self._there
        return there[0].low if len(there) == 1 else min((one.value or 0.0 for one in there), default=None)

    @property
    def high(self) -> float | None:
        """The upper end of one run's interval; of several runs the largest value."""
        there = self._there
        return there[0].high if len(there) == 1 else max((one.value or 0.0 for one in there), default=None)

    @property
    def unit(self) -> str | None:
        """Of its values; across a break it may be another one than the series' own."""
        return self.values[-1].unit

    @property
    def counts(self) -> bool:
        """Whether steps are looked for in it."""
        value = self.value
        return not (self.dirty or self.beside or self.why_apart) and value is not None and math.isfinite(value)

    @property
    def name(self) -> str:
        """Ten digits of the commit; the run where there is none."""
        return self.values[0].run if self.commit is None else self.commit[:10]

    @property
    def marks(self) -> tuple[str, ...]:
        """What is to be said of it, in a few words each."""
        told = [
            "with changes" if self.dirty else "",
            f"merged from {self.branch or 'a branch'}" if self.beside else "",
            self.why_apart or "",
            f"{len(self.values)} runs" if len(self.values) > 1 else "",
            "from the cache" if all(one.source == "cache" for one in self.values) else "",
            *dict.fromkeys(f"{one.status}: {one.reason or 'no reason'}" for one in self.values if one.status != "ok"),
        ]
        return tuple(filter(None, told))

    @property
    def _there(self) -> list[Value]:
        return [one for one in self.values if one.value is not None and not math.isnan(one.value)]


def value_of(row: dict[str, Any]) -> Value:
    """A row's value."""
    return Value(
        run=row["run"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        time=row["time"],
        source=row["source"],
        status=row["status"],
        reason=row["reason"],
        launches=row["launches"],
        unit=row["unit"],
    )


def key_of(row: dict[str, Any]) -> str:
    """What a row's point stands for: its commit, or its run where there is none."""
    commit: str | None = row["commit"]
    return commit or f"run {row['run_id']}"


def points_of(rows: Sequence[dict[str, Any]], beside: frozenset[str], apart: dict[str, str]) -> list[Point]:
    """The points of rows, in the order of their first ones. beside, apart: of `Order`."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((key_of(row), bool(row["dirty"])), []).append(row)
    return [
        Point(
            key=key,
            commit=together[0]["commit"],
            values=tuple(value_of(row) for row in sorted(together, key=lambda row: row["sequence"])),
            dirty=dirty,
            branch=next((row["branch"] for row in together if row["branch"]), None),
            beside=key in beside,
            why_apart=apart.get(key),
        )
        for (key, dirty), together in found.items()
    ]
