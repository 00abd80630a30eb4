"""Whether two arms return the same: digests first, then number by number."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Fetch = Callable[[int, int], str]
"""Some of an arm's numbers: from where, how many; as base64 of doubles."""

AT_ONCE = 200_000


class Sameness(StrEnum):
    """How the outputs of two arms compare."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    """Number by number, by `worst`."""
    OTHER_SHAPE = "of another shape"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class OutputComparison:
    """What was found."""

    sameness: Sameness
    worst: float | None = None
    """The largest |b - a| over max(|a|, root mean square of a): what share of its size a number is off by."""
    reason: str = ""
    """Why it is unchecked."""
    unsteady: bool = False
    """Unchecked since a returns other values each time."""
    length: float | None = None
    """How much b returns, over how much a does: characters of text and numbers; None where a returns nothing."""

    def within(self, tolerance: float | None) -> bool | None:
        """Whether they agree; None where that was not asked or can't be told."""
        if self.sameness is Sameness.IDENTICAL:
            return True
        if self.sameness is Sameness.UNCHECKED or tolerance is None:
            return None
        return self.worst is not None and self.worst <= tolerance

    @property
    def as_much(self) -> bool:
        """Whether b returns as much as a, to a tenth: the limits of MLPerf inference for generated text, without which
        what ends sooner would count as faster."""
        return self.length is None or 0.9 <= self.length <= 1.1

    def sentence(self, tolerance: float | None) -> str:
        """In words."""
        match self.sameness:
            case Sameness.IDENTICAL:
                return "identical"
            case Sameness.UNCHECKED:
                return f"unchecked: {self.reason}"
            case Sameness.OTHER_SHAPE:
                found = "b returns other text, or another number or kind of values, than a"
            case Sameness.DIFFERENT:
                found = f"they differ by up to {self.worst:.2g} of their size"
        if tolerance is None:
            return f"unchecked: {found}, and no --tolerance was stated"
        return f"{found}; {'within' if self.within(tolerance) else 'beyond'} the tolerance of {tolerance:g}"


class OutputComparer:
    """Compares what two arms return, launch after launch; what was compared before is known by its digests."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], OutputComparison] = {}

    def __call__(self, a: Mapping[str, Any], b: Mapping[str, Any], of_a: Fetch, of_b: Fetch) -> OutputComparison:
        """a, b: as their workers describe it."""
        digests = a["sha256"], b["sha256"]
        if digests not in self._known:
            self._known[digests] = compare_outputs(a, b, of_a, of_b)
        return self._known[digests]


def compare_outputs(a: Mapping[str, Any], b: Mapping[str, Any], of_a: Fetch, of_b: Fetch) -> OutputComparison:
    """Compare what two arms returned. a, b: as their workers describe it."""
    for name, described in (("a", a), ("b", b)):
        if described["why_not"]:
            return OutputComparison(Sameness.UNCHECKED, reason=f"arm {name}: {described['why_not']}")
    if a["sha256"] == b["sha256"]:
        return OutputComparison(Sameness.IDENTICAL)
    length = b["length"] / a["length"] if a["length"] else None
    if a["shape"] != b["shape"] or a["count"] != b["count"] or not a["count"]:
        return OutputComparison(Sameness.OTHER_SHAPE, length=length)
    squares = sum(float(np.nansum(part[np.isfinite(part)] ** 2)) for part in _parts(of_a, a["count"]))
    scale = float(np.sqrt(squares / a["count"]))
    pairs = zip(_parts(of_a, a["count"]), _parts(of_b, a["count"]), strict=True)
    worst = max(worst_difference(one, other, scale) for one, other in pairs)
    return OutputComparison(Sameness.DIFFERENT, worst, length=length)


def worst_difference(a: Numbers, b: Numbers, scale: float) -> float:
    """The largest |b - a| over max(|a|, scale); infinite where only one is no number, or an infinite one."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    a, b = a[~same], b[~same]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(b - a) / np.maximum(np.abs(a), scale)
    off[~(np.isfinite(a) & np.isfinite(b))] = np.inf
    return float(off.max())


def _parts(fetch: Fetch, count: int) -> Iterator[Numbers]:
    for start in range(0, count, AT_ONCE):
        yield np.frombuffer(base64.b64decode(fetch(start, min(AT_ONCE, count - start))), dtype=np.float64)
