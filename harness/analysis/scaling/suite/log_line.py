"""A straight line in the logs, L = A * N ** -exponent, through values measured one by one: its fit, and how far off.

Closed forms on arrays. The law is that of `scaling/laws/power_law.py`; there runs are drawn again, here the values' own
uncertainty goes through the fit: with per-document evidence the documents are drawn again, the same ones for every
size; without it, the values' own intervals are carried through as if the sizes were independent. The scatter around
the line is a second opinion that knows of everything, but from few sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.statistics.bootstrap import percentile_interval
from harness.statistics.ratios import PositiveEstimate, product_of_powers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Range = tuple[float, float] | tuple[None, None]

EXCLUDES = "excludes seed-to-seed variance of training and misfit of the law"


@dataclass(frozen=True)
class LogLine:
    """log L = log_scale - exponent * log N."""

    exponent: float
    log_scale: float

    def at(self, size: float) -> float:
        """The law's value at a size."""
        return math.exp(self.log_scale - self.exponent * math.log(size))


@dataclass(frozen=True)
class Uncertainty:
    """How far a fitted law may be off."""

    exponent: Range
    curve: list[Range]
    """The law's value at each of the sizes asked for."""
    method: str
    misfit_share: float | None = None
    """Share of re-drawn documents that give residuals as large as the observed ones if the sizes do lie on the law."""


def least_squares(sizes: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Exponent and log of the scale by ordinary least squares in the logs.

    sizes: (sizes,), values: (..., sizes), all positive. Returns two arrays of shape (...).
    """
    import numpy as np

    logs = np.log(sizes)
    centered = logs - logs.mean()
    slope = np.log(values) @ centered / (centered @ centered)
    return -slope, np.log(values).mean(axis=-1) - slope * logs.mean()


def residuals(law: LogLine, sizes: Floats, values: Floats) -> Floats:
    """Observed minus fitted, in the logs: relative misfits. (sizes,)."""
    import numpy as np

    misfits: Floats = np.log(values) - (law.log_scale - law.exponent * np.log(sizes))
    return misfits


def by_scatter(sizes: Floats, values: Floats, confidence: float = 0.95) -> Range:
    """Interval of the exponent by ordinary least squares: t with sizes - 2 degrees of freedom on the residuals.

    What moves the points off the line, seed-to-seed variance and misfit included, is in it, as far as so few sizes
    can show. Two sizes have no residual.
    """
    import numpy as np

    from harness.statistics.line_slope import slope_by_scatter

    if len(sizes) < 3:
        return None, None
    low, high = slope_by_scatter(np.log(sizes), np.log(values), confidence)
    return -high, -low


def from_draws(sizes: Floats, values: Floats, draws: Floats, at: Floats) -> Uncertainty:
    """Percentile intervals over re-drawn values: draws is (replicates, sizes), at the sizes asked for."""
    import numpy as np

    exponents, log_scales = least_squares(sizes, draws)
    low, high = percentile_interval(exponents)
    curve_low, curve_high = percentile_interval(np.exp(log_scales[:, None] - exponents[:, None] * np.log(at)))
    observed = residuals(LogLine(*map(float, least_squares(sizes, values))), sizes, values)
    redrawn = np.log(draws) - (log_scales[:, None] - exponents[:, None] * np.log(sizes))
    by_chance = np.sqrt(((redrawn - observed) ** 2).mean(axis=1))
    return Uncertainty(
        (float(low), float(high)),
        list(zip(curve_low.tolist(), curve_high.tolist(), strict=True)),
        f"bootstrap over documents, the same for every size, percentile; {EXCLUDES}",
        float((by_chance >= math.sqrt((observed**2).mean())).mean()),
    )


def from_intervals(sizes: Floats, estimates: Sequence[PositiveEstimate], at: Floats) -> Uncertainty:
    """The values' own intervals through the fit (every fitted log is a weighted sum of the observed logs)."""
    import numpy as np

    logs = np.log(sizes)
    slopes = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    exponent = product_of_powers(estimates, (-slopes).tolist())
    weights = 1 / len(sizes) + slopes * (np.log(at)[:, None] - logs.mean())
    curve = [product_of_powers(estimates, row) for row in weights.tolist()]
    return Uncertainty(
        (math.log(exponent.low), math.log(exponent.high)),
        [(point.low, point.high) for point in curve],
        f"the values' own intervals, as if independent (MOVER); {EXCLUDES}",
    )


def unknown(at: Floats) -> Uncertainty:
    """No interval: a value has none of its own and there is no evidence per document."""
    return Uncertainty((None, None), [(None, None)] * len(at), "none: a value has no interval")
