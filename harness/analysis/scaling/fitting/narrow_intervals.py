"""Intervals that are published often and are too narrow: by drawing residuals, and Wald's from the curvature.

Both take the noise to be the same at every run. Where few runs carry most of it, as on Hoffmann et al.'s points, they
are half as wide as what drawing whole runs gives. They are here to be compared with, and every interval made from them
says what it is worth.

Sources: Efron & Tibshirani 1993, section 9.5 (residuals); Huber 1981, section 7.6 (covariance of an M-estimate).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit
from harness.analysis.scaling.fitting.least_squares import solve
from harness.analysis.scaling.fitting.uncertainty import BOOTSTRAP_TOLERANCE, REPLICATES, Draws
from harness.analysis.scaling.laws.law import Floats
from harness.errors import UserError

WARNING = (
    "TOO NARROW unless every run has the same noise (half the width of drawing runs on published points); use it for "
    "comparison only"
)


@dataclass(frozen=True)
class NarrowDraws(Draws):
    """Draws that a report must not show without the warning, which is in their `how`."""

    made: str

    @property
    def how(self) -> str:
        """The warning first."""
        return f"{WARNING}: {self.made}, {len(self.natural)} replicates, seed {self.seed}"


def residual_bootstrap(fit: Fit, replicates: int = REPLICATES, seed: int = 0) -> NarrowDraws:
    """Keep the points, draw residuals of all runs onto the fitted values, fit again."""
    posed, n, p = fit.problem, len(fit.runs), len(fit.internal)
    fitted = posed.evaluate(fit.internal[None])[0][0]
    centered = fit.residuals - fit.residuals.mean()
    responses = fitted + np.random.default_rng(seed).choice(centered, size=(replicates, n))

    def evaluate(at: Floats) -> tuple[Floats, Floats]:
        """Each replicate has losses of its own: a last, frozen parameter says which, and its misfit is moved over."""
        value, derivative = posed.evaluate(at[:, :p])
        value = value - responses[at[:, p].astype(int)] + posed.response
        return value, np.concatenate([derivative, np.zeros((len(at), 1, n))], axis=1)

    found = solve(
        evaluate,
        np.column_stack([np.tile(fit.internal, (replicates, 1)), np.arange(replicates)]),
        posed.response,
        np.ones(n),
        fit.objective,
        np.append(fit.law.longest_steps, 1.0),
        free=np.append(np.ones(p, dtype=bool), False),
        tolerance=BOOTSTRAP_TOLERANCE,
    )
    natural = fit.law.natural(found.internal[:, :p], posed.center)
    failed = int((~found.converged).sum())
    made = f"residuals of {n} runs drawn onto the fitted values"
    return NarrowDraws(natural, fit.natural[None], fit.natural, n, "runs", seed, failed, made)


def wald(fit: Fit, replicates: int = REPLICATES, seed: int = 0) -> NarrowDraws:
    """Normal draws around the optimum with the covariance of an M-estimate, (J'J)⁻¹ Σψ² / (inliers / n)² / (n - p),
    in the coordinates of the solver, where a normal is least wrong.

    Raises UserError where hardly a residual is within the objective's threshold, as with least absolute deviations: the
    curvature there is that of the threshold and not of the data."""
    posed, n, p = fit.problem, len(fit.runs), len(fit.internal)
    _, derivative = posed.evaluate(fit.internal[None])
    residuals = fit.residuals
    pull = residuals * fit.objective.weights(residuals)
    within = int(np.sum(np.abs(residuals) <= fit.objective.threshold))
    if within <= 2 * p:
        raise UserError(
            f"{within} of {n} residuals are within the threshold of '{fit.objective.name}': Wald's interval has no "
            "curvature to be made from; draw runs instead"
        )
    inliers = within / n
    bread = np.linalg.pinv(derivative[0] @ derivative[0].T)
    covariance = bread * (pull @ pull) / inliers**2 / (n - p)
    drawn = np.random.default_rng(seed).multivariate_normal(fit.internal, covariance, size=replicates)
    natural = fit.law.natural(drawn, posed.center)
    made = f"Wald, from the curvature at the optimum and {inliers:.0%} of {n} residuals within the threshold"
    return NarrowDraws(natural, fit.natural[None], fit.natural, n, "runs", seed, 0, made)
