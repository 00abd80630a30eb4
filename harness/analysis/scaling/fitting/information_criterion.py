"""Akaike's criterion of a fitted law: how well it fits its own runs, less what its parameters bought.

It is about the runs that were fitted and takes them as independent; for laws that are to extrapolate, a hold-out over
compute (`holdout.py`) asks the better question. Source: Akaike 1974.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit


@dataclass(frozen=True)
class InformationCriterion:
    """AIC, to be compared with that of another law on the same runs and by the same noise."""

    value: float
    noise: Literal["Laplace", "Gauss"]
    """What the residuals are taken to be: Laplace for robust objectives (their absolute sum is what counts), Gauss for
    least squares."""
    parameters: int
    """Those of the law, and the noise's scale."""


def akaike(fit: Fit) -> InformationCriterion:
    """2k - 2 log likelihood, the noise's scale at its optimum and counted as a parameter."""
    residuals, count = fit.residuals, len(fit.law.parameters) + 1
    n = len(residuals)
    tiny = float(np.finfo(np.float64).tiny)
    if math.isinf(fit.objective.threshold):
        likelihood = -0.5 * n * (math.log(2 * math.pi * max(float(np.mean(residuals**2)), tiny)) + 1)
        return InformationCriterion(2 * count - 2 * likelihood, "Gauss", count)
    likelihood = -n * (math.log(2 * max(float(np.mean(np.abs(residuals))), tiny)) + 1)
    return InformationCriterion(2 * count - 2 * likelihood, "Laplace", count)
