"""From compute to accuracy in two steps: one law gives the loss of a model, another the error that goes with it.

An error itself is no power law of compute, and most tasks are at chance for small models; their loss is not. What is
not known of either law is known together: the runs are drawn once, both laws are fitted to them, and each replicate
predicts with its own pair, so that the interval of a predicted error holds the uncertainty of the loss as well.

Source: Gadre et al. 2024, arXiv 2403.08540, section 2; Bhagia et al. 2024, arXiv 2412.04403 (ladders).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.fit import Fit, fit
from harness.analysis.scaling.fitting.objective import HUBER, SQUARES, Objective
from harness.analysis.scaling.fitting.uncertainty import REPLICATES, Draws, Unit, draws_of, redrawn, refit
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs


@dataclass(frozen=True)
class TwoStep:
    """Both fitted laws."""

    runs: Runs
    to_loss: Fit
    to_error: Fit
    loss_rows: np.ndarray
    """(n,) which of the runs the first law is fitted to."""
    error_rows: np.ndarray
    """(n,) which of the runs the second law is fitted to."""

    @property
    def natural(self) -> Floats:
        """(p,) the parameters of the first law, then of the second."""
        return np.concatenate([self.to_loss.natural, self.to_error.natural])

    def loss(self, natural: Floats, *inputs: Floats) -> Floats:
        """The predicted loss. natural: (..., p) of both laws; inputs: those of the first law, (n,) each. (..., n)."""
        return self.to_loss.law.predict(natural[..., : len(self.to_loss.natural)], *inputs)

    def error(self, natural: Floats, *inputs: Floats) -> Floats:
        """The predicted error, at the loss that the same parameters predict. (..., n)."""
        loss, law = self.loss(natural, *inputs), self.to_error.law
        second = natural[..., len(self.to_loss.natural) :].reshape(-1, len(law.parameters))
        value = law.evaluate(law.plain(second), np.log(loss.reshape(1, len(second), -1)))[0]
        return (np.exp(value) if law.response == "log" else value).reshape(loss.shape)


def two_step(
    runs: Runs,
    loss_law: Law,
    error_law: Law,
    *,
    loss_objective: Objective = HUBER,
    error_objective: Objective = SQUARES,
    loss_rows: np.ndarray | None = None,
    error_rows: np.ndarray | None = None,
) -> TwoStep:
    """Fit both laws.

    loss_rows, error_rows: (n,) masks of the runs that each is fitted to; left out, all. (A run too small to be above
    chance tells nothing of the second; one that was trained otherwise may still tell of it.) Raises UserError as `fit`.
    """
    every = np.ones(len(runs), dtype=bool)
    first = every if loss_rows is None else np.asarray(loss_rows, dtype=bool)
    second = every if error_rows is None else np.asarray(error_rows, dtype=bool)
    to_loss = fit(loss_law, runs.only(first), loss_objective)
    return TwoStep(runs, to_loss, fit(error_law, runs.only(second), error_objective), first, second)


def two_step_draws(fitted: TwoStep, replicates: int = REPLICATES, seed: int = 0, *, by: Unit | None = None) -> Draws:
    """Joint draws of both laws' parameters, (replicates, p) in the order of `TwoStep.natural`: for `interval`.

    Raises UserError where there are too few units to draw from.
    """

    def both(weights: Floats) -> tuple[Floats, np.ndarray]:
        first, first_ended = refit(fitted.to_loss, weights[:, fitted.loss_rows])
        second, second_ended = refit(fitted.to_error, weights[:, fitted.error_rows])
        return np.concatenate([first, second], axis=1), first_ended & second_ended

    return draws_of(redrawn(fitted.runs, replicates, seed, by), fitted.natural, both)
