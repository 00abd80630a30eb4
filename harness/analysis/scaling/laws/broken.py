"""The broken neural scaling law with one break: L = a + b x^-c0 (1 + (x/d1)^(1/f1))^(-c1 f1).

Two straight lines in the logs above a floor, of slope c0 before the break d1 and c0 + c1 behind it, joined over about
f1 e-folds. With six parameters of one curve it follows much: many runs over several decades, on both sides of the
break, are needed, and the certificate says when they aren't there.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.chinchilla import LARGEST_EXPONENT
from harness.analysis.scaling.laws.law import Floats, Law, Parameter
from harness.analysis.scaling.laws.power_law import known_quantity

SHARPEST, WIDEST = 0.02, 100.0
"""Widths of a break in e-folds between which f1 counts."""


class Broken(Law):
    """A power law whose exponent changes once."""

    name = "broken"
    formula = "L = a + b x^-c0 (1 + (x / d1)^(1 / f1))^(-c1 f1)"
    source = "Caballero et al. 2022, arXiv 2210.14891, equation 1 with n = 1"
    parameters = (
        Parameter("a", "value that no x removes", "log"),
        Parameter("b", "scale", "log"),
        Parameter("c0", "exponent before the break"),
        Parameter("c1", "change of the exponent at the break"),
        Parameter("d1", "where the break is", "log"),
        Parameter("f1", "width of the break in e-folds of x", "log", longest_step=0.5),
    )

    def __init__(self, over: str = "compute", target: str = "loss") -> None:
        """over: parameters, tokens or compute. target: the column that falls."""
        self.inputs = (known_quantity(over),)
        self.target = target

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        _, _, _, c1, d, f = (internal[:, column, None] for column in range(6))
        floor, term, soft, behind = self._terms(internal, logs)
        total = floor + term
        share, width = term / total, _width(f)
        derivative = np.empty((*internal.shape, logs.shape[-1]))
        derivative[:, 0] = floor / total
        derivative[:, 1] = share
        derivative[:, 2] = -share * logs[0]
        derivative[:, 3] = -share * width * soft
        derivative[:, 4] = share * c1 * behind
        counts = (f > np.log(SHARPEST)) & (f < np.log(WIDEST))
        derivative[:, 5] = -share * c1 * (width * soft - (logs[0] - d) * behind) * counts
        return np.log(total), derivative

    def _terms(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Floor (batch, 1); what is above it; log(1 + (x/d1)^(1/f1)) and how far x is behind the break: (batch, n)."""
        a, b, c0, c1, d, f = (internal[:, column, None] for column in range(6))
        width = _width(f)
        along = (logs[0] - d) / width
        soft = np.logaddexp(0.0, along)
        term = np.exp(np.minimum(b - c0 * logs[0] - c1 * width * soft, LARGEST_EXPONENT))
        return np.exp(np.minimum(a, LARGEST_EXPONENT)), term, soft, np.exp(along - soft)

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        floor, term, _, behind = self._terms(internal, logs)
        exponent = internal[:, 2, None] + internal[:, 3, None] * behind
        return np.asarray(-exponent * term / (floor + term))[:, None, :]

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`: 120 of them, breaks at the quantiles of x, steeper, flatter and rising behind."""
        values = np.exp(response)
        made = []
        for share in (0.1, 0.6, 0.95):
            floor = share * values.min()
            for at in np.quantile(logs[0], (0.1, 0.3, 0.5, 0.7, 0.9)):
                for width in (0.2, 1.0):
                    for c0, c1 in ((0.05, 0.2), (0.2, 0.4), (0.3, -0.2), (0.1, -0.1)):
                        made.append([np.log(floor), np.log(values.mean() - floor), c0, c1, at, np.log(width)])
        return np.array(made)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        a, b, c0, c1, d, f = (internal[..., column] for column in range(6))
        return np.stack([a, b + c0 * center[0], c0, c1, d + center[0], f], axis=-1)


def _width(log: Floats) -> Floats:
    """f1 of its log. Where it doesn't count it stays, so that a solver does not go on for ever to where no break is."""
    return np.asarray(np.exp(np.clip(log, np.log(SHARPEST), np.log(WIDEST))))
