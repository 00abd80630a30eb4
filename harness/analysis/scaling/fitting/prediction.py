"""What a fitted law predicts for runs that it has not seen, with an interval, and whether they fell inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit
from harness.analysis.scaling.fitting.uncertainty import BLOCK, Draws
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs

HOW = "draws of the law with a residual of the fitted runs on each"


@dataclass(frozen=True)
class Prediction:
    """Predicted values of runs, with the interval that a single new run should fall into."""

    value: Floats
    """(n,)."""
    low: Floats
    high: Floats
    confidence: float
    how: str
    chance: float
    """Share of the draws of which no more runs would fall inside than of the runs themselves: small where the law does
    not go on, or the scatter is another one."""

    def holds(self, truth: Floats) -> np.ndarray:
        """(n,) whether each value is inside."""
        return np.asarray((truth >= self.low) & (truth <= self.high))


def predicted(fit: Fit, draws: Draws, runs: Runs, confidence: float = 0.95, seed: int = 0) -> Prediction:
    """The law at other runs.

    The interval holds the uncertainty of the law (its draws) and what a run scatters around it (its residuals, drawn
    again; those of a fit are too small by about the square root of (n - p) / n, and are made larger by that). It takes
    the law to go on, and the scatter to stay as it is.
    """
    points, truth = runs.inputs(fit.law.inputs), runs.column(fit.law.target)
    size, p = len(fit.runs), len(fit.natural)
    residuals = fit.residuals * np.sqrt(size / max(size - p, 1))
    generator, tail = np.random.default_rng(seed), (1 - confidence) / 2
    ends, inside, seen = [], np.zeros(len(draws.natural), dtype=int), 0
    at_once = max(1, BLOCK // len(draws.natural))
    for first in range(0, len(runs), at_once):
        here = slice(first, first + at_once)
        drawn = fit.law.predict(draws.natural, *points[:, here])
        scatter = generator.choice(residuals, size=drawn.shape)
        drawn = drawn * np.exp(scatter) if fit.law.response == "log" else drawn + scatter
        low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
        inside += ((drawn >= low) & (drawn <= high)).sum(axis=1)
        seen += int(((truth[here] >= low) & (truth[here] <= high)).sum())
        ends.append((low, high))
    low, high = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    value = fit.law.predict(fit.natural, *points)
    return Prediction(value, low, high, confidence, f"{HOW}; {draws.how}", float(np.mean(inside <= seen)))
