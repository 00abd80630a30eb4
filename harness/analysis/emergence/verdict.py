"""The verdict on one curve: which of seven things it is, and why, from its tests.

`emergent` asks for all of: the small scales are not above chance, the largest is, the curve grows, a plateau with a
break explains the counts better than any logistic curve does, and the rise does not lie between two neighboring scales
alone, where no data tell a break from a steep smooth rise.

Exact match of an answer of K tokens is about the K-th power of what each token does, and such a power starts suddenly
although nothing in it breaks. Counts don't tell the two apart: `mirage` asks the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.statistics.breakthroughness import Breakthroughness
    from harness.statistics.chance_gate import ChanceGate
    from harness.statistics.curve_test import Forward

    Floats = NDArray[np.float64]

LEAST_SCALES = 5
"""Two that lie flat and three that rise: with fewer no break can be told from a smooth rise to a ceiling."""
IN_ONE_GAP = 0.8
"""A rise of which this share lies between two neighboring scales can't be told from a steep smooth one."""
BEYOND = 3
"""Scales beyond a break that tell it from a smooth rise to a ceiling."""
SCATTER = 0.01
"""A misfit below this is more than the noise of items; then no break is believed."""
MORE_ITEMS = 4
"""A break that this many times the items would show, and these don't, is not decided."""


class Verdict(StrEnum):
    """What a curve is."""

    EMERGENT = "emergent"
    SMOOTH = "grows smoothly"
    BREAKS = "grows with a break"
    """Like emergent, but the small scales are above chance already."""
    FLAT_AT_CHANCE = "flat at chance"
    FLAT_ABOVE_CHANCE = "flat above chance"
    FALLS = "falls"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True)
class Emergence:
    """One curve with its verdict. Arrays are (scales,), from the weakest model to the strongest."""

    task: str
    verdict: Verdict
    why: str
    """The verdict's reason as a clause, and what would help where nothing is decided."""
    scale: Floats
    correct: Floats
    n: Floats
    n_effective: Floats
    """What n is worth: less where items come in clusters."""
    chance: float
    gate: ChanceGate
    p_trend: float
    """Constant against smooth."""
    p_break: float | None
    """Smooth against hinge; None with fewer than `LEAST_SCALES` scales."""
    p_trend_adjusted: float
    p_break_adjusted: float | None
    break_scale: float | None
    """Where the hinge breaks; None where it rises nowhere."""
    break_low: float | None
    break_high: float | None
    """The scales between which the break lies: ends of the gaps whose profile likelihood is within 1.92 of the best."""
    flat: int
    """How many scales lie on the hinge's plateau."""
    in_one_gap: float
    """The share of the hinge's rise that lies between the last flat scale and the next."""
    rise: float
    """Share at the strongest minus share at the weakest."""
    rise_low: float
    rise_high: float
    misfit: float
    """p-value of the deviance from the better of both fits (chi-square): small where points scatter more than items."""
    items_for_break: float | None
    """About how many items per scale would show a break of the fitted shape; None where nothing hints at one."""
    breakthroughness: Breakthroughness
    forward: Forward | None
    """None with fewer than `LEAST_SCALES` scales."""
    ceiling: float
    """Where the smooth fit ends, as a share."""
    curve_scale: Floats
    """(k,) where the fits are drawn."""
    curve_smooth: Floats
    curve_hinge: Floats


def decide(curve: Emergence, alpha: float, rise: float) -> tuple[Verdict, str]:
    """The verdict, and its reason as a clause. rise: what a curve that is called flat had to be able to show."""
    if curve.p_trend_adjusted > alpha:
        return _flat(curve, alpha, rise)
    if curve.rise < 0:
        return Verdict.FALLS, f"the strongest scale is {-curve.rise:.2f} below the weakest"
    if curve.p_break is None or curve.p_break_adjusted is None:
        scales = len(curve.scale)
        return (
            Verdict.NOT_DECIDED,
            f"it grows, but {scales} scales can't tell a break from a smooth rise; {LEAST_SCALES} are needed at least",
        )
    above = curve.gate.above
    broken = curve.p_break_adjusted <= alpha
    starts_at_chance = not above[: curve.flat if broken else 2].any()
    if broken and curve.misfit < SCATTER:
        return (
            Verdict.NOT_DECIDED,
            f"a break fits best, but the points scatter more than their items explain (p = {curve.misfit:.2g}); "
            "more seeds per scale are needed",
        )
    if not starts_at_chance or not above[-1]:
        where = "above chance from the small scales on" if above[0] else "above chance before any break"
        where = where if above[-1] else "the strongest scale is not above chance"
        return (Verdict.BREAKS if broken else Verdict.SMOOTH), where
    if curve.in_one_gap >= IN_ONE_GAP:
        low, high = curve.scale[curve.flat - 1], curve.scale[curve.flat]
        what = f"{curve.in_one_gap:.0%} of the rise lies between {low:.3g} and {high:.3g}"
        return Verdict.NOT_DECIDED, f"{what}, where a break and a steep smooth rise look alike; add scales between"
    if broken:
        sudden = f"at chance for {curve.flat} scales, then more sudden than any logistic curve"
        return Verdict.EMERGENT, f"{sudden} (where answers have several tokens, see what `mirage` says)"
    beyond = len(curve.scale) - curve.flat
    if beyond < BEYOND and curve.ceiling < 0.99:
        return (
            Verdict.NOT_DECIDED,
            f"only {beyond} scales lie beyond the break that fits best, and a smooth rise to a ceiling at "
            f"{curve.ceiling:.2f} would look the same; add larger scales",
        )
    if curve.items_for_break is not None and curve.items_for_break <= MORE_ITEMS * float(curve.n_effective.min()):
        needed = f"about {_rounded(curve.items_for_break):,} items per scale would tell"
        return Verdict.NOT_DECIDED, f"it starts at chance and the break that fits best is not significant; {needed}"
    return Verdict.SMOOTH, "it starts at chance and a smooth curve explains it as well as a break"


def _flat(curve: Emergence, alpha: float, rise: float) -> tuple[Verdict, str]:
    """A curve without a trend: at chance, above it, or with too few items to say."""
    from scipy.stats import binom

    from harness.statistics.chance_gate import items_needed

    total, right = float(curve.n_effective.sum()), float((curve.correct * curve.n_effective / curve.n).sum())
    share, scales = right / total, len(curve.scale)
    level = min(max(curve.chance, share), 1 - rise)  # nearer to 1 no such rise has room
    few, enough = float(curve.n_effective.min()), items_needed(level, rise, scales, alpha)
    if few < enough:
        needed = f"about {_rounded(enough):,} items per scale are needed"
        return Verdict.NOT_DECIDED, f"no trend, but {few:.0f} items hardly show a rise of {rise:.2f}; {needed}"
    if binom.sf(int(right + 1e-9) - 1, round(total), curve.chance) <= alpha:
        return Verdict.FLAT_ABOVE_CHANCE, f"no trend; {share:.3f} over all scales, chance {curve.chance:.3g}"
    return Verdict.FLAT_AT_CHANCE, f"no trend; {share:.3f} over all scales, chance {curve.chance:.3g}"


def _rounded(items: float) -> int:
    """To two digits, upwards: the number is an estimate."""
    from math import ceil, floor, log10

    unit = int(10 ** max(0, floor(log10(max(1.0, items))) - 1))
    return ceil(items / unit) * unit
