"""Which models and precisions of a bench are compared: each with the first, by each of its times, at each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.limits import MOST_LAUNCHES
from harness.measures.side_by_side import TIMES
from harness.models.registry import ADAPTERS
from harness.statistics.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Variant:
    """A model at a precision."""

    name: str
    entry: Mapping[str, Any]
    """As in a suite's `models:`."""
    precision: str

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"

    @property
    def is_here(self) -> bool:
        """Whether it is in the memory of this process, so that no other process can open it."""
        return any(adapter.in_process and adapter.name in self.entry for adapter in ADAPTERS.values())


@dataclass(frozen=True)
class Pairing:
    """One comparison: what is timed of a model beside the first one."""

    base: Variant
    head: Variant
    times: str
    """One of `TIMES`."""
    batch: int
    prompt: int
    """Tokens that are read."""
    new: int
    """Tokens that are written."""
    launches: int

    def __str__(self) -> str:
        return f"{self.head} against {self.base}, {self.times}, batch {self.batch}"

    @property
    def is_here(self) -> bool:
        """Whether both take turns in this process."""
        return self.base.is_here or self.head.is_here


@dataclass(frozen=True)
class Compared:
    """What a comparison found."""

    ratio: Interval | None
    """Of the head's time over the base's: below 1 the head is faster. None where they could not be compared."""
    scatter: float | None
    """Standard deviation of the logarithm of the ratio of the base to itself; None where it was not measured."""
    interval: str
    """How the interval was made, or why there is none."""
    n_unit: str
    """What its n counts."""
    evidence: pd.DataFrame | None
    """A row for each launch or round."""
    why_not: str = ""
    """Why there is no ratio."""


def variants(models: Mapping[str, Mapping[str, Any]], precision: Sequence[str]) -> list[Variant]:
    """Models by precisions, in their order; one in memory has its own alone. models: entries of a suite."""
    found = []
    for name, entry in models.items():
        one = Variant(name, entry, "")
        own = _own_precision(entry) if one.is_here else precision or ("fp32",)
        found += [Variant(name, entry, each) for each in own]
    return found


def _own_precision(entry: Mapping[str, Any]) -> list[str]:
    """That of a model in memory, which is measured as it is."""
    own = entry["matrix"]["precision"]
    return [own] if isinstance(own, str) else list(own)


def pairings(
    compared: Sequence[Variant], *, batch: Sequence[int], prompt: int, new: int, launches: int
) -> list[Pairing]:
    """Each against the first."""
    wanted = product(compared[1:], batch, TIMES)
    return [Pairing(compared[0], head, times, rows, prompt, new, launches) for head, rows, times in wanted]


def check_launches(launches: int) -> None:
    """Raises UserError for a number of launches that can't be: before anything is measured."""
    if not 1 <= launches <= MOST_LAUNCHES:
        raise UserError(f"is a number from 1 to {MOST_LAUNCHES:,} (it is {launches})", place="--launches")
