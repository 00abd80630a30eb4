"""What a fit minimizes: the sum over runs of a loss of the residual, and how far a residual counts.

One family does for all: Huber's loss. Its threshold goes to nothing for least absolute deviations and to infinity
for least squares, so that one solver fits them all. Which one is chosen moves exponents by more than their published
errors (on Hoffmann et al.'s points alone a is .513 with LAD, .514 with Huber at 1e-3, .530 at 1e-1), so that a result
always names it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LAD_THRESHOLD = 1e-8
"""In log loss: a hundred-millionth of the loss is as good as nothing, and keeps the objective smooth for the solver."""


@dataclass(frozen=True)
class Objective:
    """Sum of Huber losses: r²/2 for |r| up to the threshold, threshold · (|r| - threshold / 2) beyond
    (Huber 1964, Robust estimation of a location parameter)."""

    name: str
    threshold: float

    def losses(self, residuals: Floats) -> Floats:
        """Loss of each residual, of the same shape."""
        size = np.abs(residuals)
        within = np.minimum(size, self.threshold)
        return within * (size - 0.5 * within)

    def weights(self, residuals: Floats) -> Floats:
        """The weights of iteratively reweighted least squares: the loss's slope over the residual. 1 within."""
        if math.isinf(self.threshold):
            return np.ones_like(residuals)
        return self.threshold / np.maximum(np.abs(residuals), self.threshold)


EXACT = 1e-9
"""Residuals below this are rounding: what is left of data that a law fits exactly."""


def rounding(objective: Objective, runs: int) -> float:
    """The objective below which that many runs are fitted exactly: it tells nothing apart there."""
    return runs * float(objective.losses(np.array(EXACT)))


HUBER = Objective("Huber, threshold 1e-3", 1e-3)
"""Hoffmann et al. 2022, arXiv 2203.15556, appendix D.3."""
LAD = Objective("least absolute deviations", LAD_THRESHOLD)
"""What Besiroglu et al.'s published optimum is (2404.10102, table 1)."""
SQUARES = Objective("least squares", math.inf)

OBJECTIVES = {"huber": HUBER, "lad": LAD, "squares": SQUARES}
