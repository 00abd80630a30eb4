"""Parameters that someone else published, examined on runs: are they an optimum, is there a better one, did they move.

Published parameters are rounded, and an optimum is sharp: they count as one when a fit that begins at them ends within
what rounding costs. Otherwise the gradient where they are says how far they are from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.analysis.scaling.fitting.certificate import BETTER, Certificate, certify
from harness.analysis.scaling.fitting.fit import TOLERANCE, fit, polished
from harness.analysis.scaling.fitting.least_squares import solve
from harness.analysis.scaling.fitting.objective import HUBER, Objective
from harness.analysis.scaling.fitting.problem import problem
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

ROUNDED = 1e-3
"""Parameters that differ by no more than this, in logs where they are positive, are the same ones in print."""


def examine(
    law: Law,
    runs: Runs,
    natural: Floats,
    objective: Objective = HUBER,
    started_from: Floats | None = None,
) -> Certificate:
    """What is to be said of published parameters: a certificate with their `excess` over the best fit found here.

    natural: (p,) in the order of `law.names`. started_from: (p,) or (starts, p) where their optimizer began, if that is
    known: parameters that are still there were not fitted. `starts`, `reached`, `rivals` and `converged` are of the fit
    made here. Raises UserError where the parameters are none of this law, and as `fit`.
    """
    published = np.asarray(natural, dtype=np.float64)
    if published.shape != (len(law.parameters),) or not np.isfinite(published).all():
        raise UserError(f"{law.name} has the parameters {', '.join(law.names)}: {len(law.names)} numbers are needed")
    posed, best = problem(law, runs, objective), fit(law, runs, objective)
    there = law.centered(law.plain(published), posed.center)
    nearby = solve(
        posed.evaluate,
        there[None],
        posed.response,
        np.ones(len(runs)),
        objective,
        law.longest_steps,
        tolerance=TOLERANCE,
    )
    value = float(objective.losses(posed.evaluate(there[None])[0] - posed.response).sum())
    is_optimum = value <= float(nearby.objective[0]) * (1 + BETTER)
    at = polished(posed, nearby.internal[0]) if is_optimum else there
    found = certify(posed, at, at[None], np.array([True]), np.array([value]), nearby.converged)
    lowest = min(best.value, float(nearby.objective[0]))
    return replace(
        found,
        starts=best.certificate.starts,
        reached=best.certificate.reached,
        rivals=best.certificate.rivals,
        converged=best.certificate.converged,
        moved=_moved(law, published, started_from),
        excess=value / max(lowest, np.finfo(np.float64).tiny) - 1,
    )


def _moved(law: Law, published: Floats, started_from: Floats | None) -> float:
    """How far the parameters are from the nearest start: 0 where print can't tell, endless where no start is known."""
    if started_from is None:
        return np.inf
    starts = np.atleast_2d(np.asarray(started_from, dtype=np.float64))
    moved = float(np.abs(law.plain(starts) - law.plain(published)).max(axis=1).min())
    return 0.0 if moved <= ROUNDED else moved
