"""N* and D* as powers of compute: straight lines through the optima that were found at several budgets.

Approaches 1 and 2 of Hoffmann et al. end here, whatever they took for the optima. The lines of re-drawn runs are kept
jointly, so that D*/N* at a budget has an interval of its own and not that of two numbers that move together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.uncertainty import DrawnInterval, Draws, Method, interval
from harness.analysis.scaling.laws.law import Floats


@dataclass(frozen=True)
class Frontier:
    """Optima at several budgets, and N* ∝ C^a, D* ∝ C^b through them."""

    compute: Floats
    """(points,) FLOPs."""
    parameters: Floats
    """(points,) N* there."""
    tokens: Floats
    """(points,) D* there."""
    center: float
    """Log of the compute at which the lines' heights are taken."""
    draws: Draws
    """Lines under other draws of the runs, four columns: log N* at the center, a, log D* at the center, b."""
    warnings: tuple[str, ...]

    def exponent_of_parameters(self, confidence: float = 0.95, method: Method = "percentile") -> DrawnInterval:
        """a of N* ∝ C^a."""
        return interval(self.draws, lambda lines: lines[:, 1], method, confidence)

    def exponent_of_tokens(self, confidence: float = 0.95, method: Method = "percentile") -> DrawnInterval:
        """b of D* ∝ C^b."""
        return interval(self.draws, lambda lines: lines[:, 3], method, confidence)

    def parameters_at(self, compute: Floats, confidence: float = 0.95, method: Method = "percentile") -> DrawnInterval:
        """N* at budgets in FLOPs: (n,)."""
        return interval(self.draws, lambda lines: self._line(lines[:, 0:2], compute), method, confidence)

    def tokens_at(self, compute: Floats, confidence: float = 0.95, method: Method = "percentile") -> DrawnInterval:
        """D* at budgets in FLOPs: (n,)."""
        return interval(self.draws, lambda lines: self._line(lines[:, 2:4], compute), method, confidence)

    def tokens_per_parameter_at(
        self, compute: Floats, confidence: float = 0.95, method: Method = "percentile"
    ) -> DrawnInterval:
        """D*/N* at budgets in FLOPs: (n,)."""

        def ratio(lines: Floats) -> Floats:
            return self._line(lines[:, 2:4], compute) / self._line(lines[:, 0:2], compute)

        return interval(self.draws, ratio, method, confidence)

    def _line(self, line: Floats, compute: Floats) -> Floats:
        along = np.log(np.atleast_1d(np.asarray(compute, dtype=np.float64))) - self.center
        values: Floats = np.exp(line[:, :1] + line[:, 1:] * along)
        return values


def lines(log_compute: Floats, log_size: Floats, log_tokens: Floats, weights: Floats, center: float) -> Floats:
    """Weighted least squares of both logs on log C, batch by batch.

    log_compute: (n,) or (batch, n); the others (batch, n), not a number where a budget has no optimum: it is left out.
    Returns (batch, 4), the columns of `Frontier.draws`; not a number where fewer than two budgets are left.
    """
    along = np.broadcast_to(log_compute - center, log_size.shape)
    both = []
    for values in (log_size, log_tokens):
        weight = np.where(np.isfinite(values), weights, 0.0)
        values = np.where(np.isfinite(values), values, 0.0)
        with np.errstate(all="ignore"):
            total = weight.sum(axis=1)
            middle = (weight * along).sum(axis=1) / total
            level = (weight * values).sum(axis=1) / total
            away = along - middle[:, None]
            spread = (weight * away**2).sum(axis=1)
            slope = (weight * away * values).sum(axis=1) / np.where(spread > 1e-9 * total, spread, np.nan)
            both += [level - slope * middle, slope]
    return np.stack(both, axis=1)
