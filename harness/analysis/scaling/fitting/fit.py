"""A law fitted to runs, from many starts at once, with the certificate that says whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.certificate import Certificate, certify
from harness.analysis.scaling.fitting.least_squares import gradient, solve
from harness.analysis.scaling.fitting.objective import HUBER, Objective, rounding
from harness.analysis.scaling.fitting.problem import Problem, problem
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs

TOLERANCE = 1e-13
SAME = 1e-9
"""Starts whose objectives differ by less than this part of it have reached the same optimum."""


@dataclass(frozen=True)
class Fit:
    """A fitted law."""

    law: Law
    runs: Runs
    objective: Objective
    problem: Problem
    internal: Floats
    """(p,) centered parameters."""
    value: float
    """The objective at the optimum."""
    optima: Floats
    """(optima, p) all distinct places where starts ended, the best first."""
    certificate: Certificate

    @property
    def natural(self) -> Floats:
        """(p,) the published parameters, in the order of `law.names`."""
        return self.law.natural(self.internal, self.problem.center)

    @property
    def named(self) -> dict[str, float]:
        """The published parameters by name."""
        return dict(zip(self.law.names, self.natural.tolist(), strict=True))

    @property
    def fitted(self) -> Floats:
        """(n,) the law's value at each run."""
        return self.law.predict(self.natural, *self.runs.inputs(self.law.inputs))

    @property
    def residuals(self) -> Floats:
        """(n,) observed minus fitted, of the log where the law's response is a log: relative misfits."""
        fitted, _ = self.problem.evaluate(self.internal[None])
        missed: Floats = self.problem.response - fitted[0]
        return missed


def fit(law: Law, runs: Runs, objective: Objective = HUBER, starts: Floats | None = None) -> Fit:
    """Fit a law to runs from many starts.

    starts: (starts, p) plain parameters (logs where the law's are logs) in place of the law's own.
    Raises UserError where there are too few runs, or too few different sizes, for the law's parameters.
    """
    posed = problem(law, runs, objective)
    begun = law.starts(posed.logs, posed.response) if starts is None else law.centered(starts, posed.center)
    weights = np.ones(len(runs))
    found = solve(posed.evaluate, begun, posed.response, weights, objective, law.longest_steps, tolerance=TOLERANCE)
    exact = rounding(objective, len(runs))
    values = np.maximum(found.objective, exact)
    order = np.argsort(np.where(np.isfinite(found.objective), found.objective, np.inf))
    best = polished(posed, found.internal[order[0]])
    value = float(objective.losses(posed.evaluate(best[None])[0] - posed.response).sum())
    distinct = [0]
    for rank in range(1, len(order)):
        if values[order[rank]] > values[order[distinct[-1]]] * (1 + 1e-4):
            distinct.append(rank)
    optima = np.concatenate([best[None], found.internal[order[distinct[1:]]]])
    reached = values <= max(min(value, float(values[order[0]])), exact) * (1 + SAME)
    certificate = certify(posed, best, begun, reached, values[order[distinct]], found.converged)
    return Fit(law, runs, objective, posed, best, value, optima, certificate)


def polished(posed: Problem, internal: Floats) -> Floats:
    """A few Newton steps with the gradient's own differences: from the solver's 1e-8 down to rounding. (p,)."""
    size, weights = len(internal), np.ones(len(posed.response))

    def slope(at: Floats) -> Floats:
        return gradient(posed.evaluate, at, posed.response, weights, posed.objective)[0]

    best, norm = internal, float(np.abs(slope(internal[None])).max())
    for _ in range(8):
        step = 1e-6 * np.maximum(1.0, np.abs(best))
        around = slope(np.concatenate([best + np.diag(step), best - np.diag(step)]))
        hessian = (around[:size] - around[size:]) / (2 * step[:, None])
        try:
            trial = best - np.linalg.solve((hessian + hessian.T) / 2, slope(best[None])[0])
        except np.linalg.LinAlgError:
            break
        reached = float(np.abs(slope(trial[None])).max()) if np.isfinite(trial).all() else np.inf
        if not reached < norm or np.abs(trial - best).max() > 0.1:
            break
        best, norm = trial, reached
    return best
