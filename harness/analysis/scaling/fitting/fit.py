"""A law fitted to runs, from many starts at once, with the certificate that says whether to believe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.certificate import Certificate, certify
from harness.analysis.scaling.fitting.least_squares import Evaluate, gradient, solve
from harness.analysis.scaling.fitting.objective import HUBER, Objective, rounding
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

TOLERANCE = 1e-13
ON_ONE_LINE = 0.9999
SAME = 1e-9
"""Starts whose objectives differ by less than this part of it have reached the same optimum."""


@dataclass(frozen=True)
class Problem:
    """Runs as a law's solver sees them."""

    law: Law
    logs: Floats
    """(inputs, n) centred."""
    centre: Floats
    """(inputs,)."""
    response: Floats
    """(n,)."""
    objective: Objective

    @property
    def evaluate(self) -> Evaluate:
        """Parameters -> response and derivative at these runs."""
        return lambda internal: self.law.evaluate(internal, self.logs)


@dataclass(frozen=True)
class Fit:
    """A fitted law."""

    law: Law
    runs: Runs
    objective: Objective
    problem: Problem
    internal: Floats
    """(p,) centred parameters."""
    value: float
    """The objective at the optimum."""
    optima: Floats
    """(optima, p) all distinct places where starts ended, the best first."""
    certificate: Certificate

    @property
    def natural(self) -> Floats:
        """(p,) the published parameters, in the order of `law.names`."""
        return self.law.natural(self.internal, self.problem.centre)

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


def problem(law: Law, runs: Runs, objective: Objective) -> Problem:
    """What is solved. Raises UserError where the runs can't identify the law."""
    logs = np.log(runs.inputs(law.inputs))
    _enough(law, runs, logs)
    centre = law.centre(logs)
    target = runs.column(law.target)
    response = np.log(target) if law.response == "log" else target
    return Problem(law, logs - centre[:, None], centre, response, objective)


def fit(law: Law, runs: Runs, objective: Objective = HUBER, starts: Floats | None = None) -> Fit:
    """Fit a law to runs from many starts.

    starts: (starts, p) plain parameters (logs where the law's are logs) in place of the law's own.
    Raises UserError where there are too few runs, or too few different sizes, for the law's parameters.
    """
    posed = problem(law, runs, objective)
    begun = law.starts(posed.logs, posed.response) if starts is None else law.centred(starts, posed.centre)
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


def _enough(law: Law, runs: Runs, logs: Floats) -> None:
    if "unique_tokens" in law.inputs and runs.unique_tokens is None:
        raise UserError(
            f"{law.name} is about tokens that are read more than once, and the data have no unique tokens: name their "
            "column (--columns unique_tokens=COLUMN)"
        )
    wanted = len(law.parameters)
    if len(runs) <= wanted:
        raise UserError(
            f"{law.name} has {wanted} parameters ({', '.join(law.names)}) and there are {len(runs)} runs: at least "
            f"{wanted + 1} are needed, {3 * wanted} are a start"
        )
    for name, row in zip(law.inputs, logs, strict=True):
        different = len(np.unique(np.round(row, 9)))
        if different < 3 and name != "unique_tokens":
            have = "the same" if different == 1 else "one of two"
            raise UserError(
                f"all runs have {have} {name.replace('_', ' ')}: its exponent can't be told from a constant; add runs "
                "so that there are at least three"
            )
    if law.inputs[:2] == ("parameters", "tokens") and abs(float(np.corrcoef(logs[0], logs[1])[0, 1])) > ON_ONE_LINE:
        raise UserError(
            "parameters and tokens vary together (one budget of compute, or one ratio of tokens to parameters): their "
            "two exponents can't be told apart; add runs of other budgets and ratios"
        )
