"""Levenberg-Marquardt for many small robust fits at once: all starts of a fit, or all replicates of a bootstrap.

The problems share the data and differ in where they start and in how much each run weighs (a bootstrap replicate is a
vector of counts). Robust losses come in as weights that are renewed at each step (iteratively reweighted least
squares). 4000 fits of 5 parameters to 240 runs are a few seconds of plain numpy; scipy, one by one, takes minutes.

Sources: Marquardt 1963 (damping by the diagonal); Holland & Welsch 1977 (reweighting).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.objective import Floats, Objective
from harness.threads import default_threads

Evaluate = Callable[[Floats], tuple[Floats, Floats]]
"""(batch, p) -> response (batch, n) and its derivative (batch, p, n)."""

CHUNK = 200_000
"""Numbers of a derivative that are worked on at a time: what a core's cache holds."""
LARGEST_DAMPING = 1e12
PATIENCE = 20
"""Steps without gain after which a problem ends that would still take the longest step."""


@dataclass(frozen=True)
class Solutions:
    """Where each problem ended."""

    internal: Floats
    """(batch, p)."""
    objective: Floats
    """(batch,) sums of losses."""
    iterations: int
    converged: np.ndarray
    """(batch,) whether the last steps brought less than the tolerance."""


def solve(
    evaluate: Evaluate,
    starts: Floats,
    response: Floats,
    weights: Floats,
    objective: Objective,
    longest: Floats,
    *,
    free: np.ndarray | None = None,
    tolerance: float = 1e-12,
    iterations: int = 1000,
) -> Solutions:
    """Minimize Σ_i weights_i · loss(response_i - fitted_i) from each start.

    starts: (batch, p). response: (n,). weights: (n,) or (batch, n), not negative. longest: (p,) the
    longest step of each parameter. free: (p,) or (batch, p), False for
    parameters that stay where they start. A problem ends when two steps in a row lower its objective by less than
    `tolerance` of it. Problems are worked on in chunks that fit a core's cache, a thread for each core.
    """
    batch, size = starts.shape
    weights = np.broadcast_to(weights, (batch, len(response)))
    freed = np.broadcast_to(np.ones(size, dtype=bool) if free is None else free, starts.shape)
    rows = max(1, CHUNK // (size * len(response)))
    pieces = [slice(first, min(first + rows, batch)) for first in range(0, batch, rows)]

    def piece(rows: slice) -> Solutions:
        return _solve(
            evaluate, starts[rows], response, weights[rows], objective, longest, freed[rows], tolerance, iterations
        )

    threads = default_threads()
    if len(pieces) == 1 or threads == 1:
        done = [piece(item) for item in pieces]
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(piece, pieces))
    return Solutions(
        np.concatenate([item.internal for item in done]),
        np.concatenate([item.objective for item in done]),
        max(item.iterations for item in done),
        np.concatenate([item.converged for item in done]),
    )


def gradient(
    evaluate: Evaluate, internal: Floats, response: Floats, weights: Floats, objective: Objective
) -> tuple[Floats, Floats]:
    """The objective's derivative (batch, p), and the sum of its terms' sizes (batch, p): the scale of its rounding."""
    fitted, derivative = evaluate(internal)
    residuals = fitted - response
    pull = residuals * objective.weights(residuals) * weights
    return np.einsum("bpn,bn->bp", derivative, pull), np.einsum("bpn,bn->bp", np.abs(derivative), np.abs(pull))


def _solve(
    evaluate: Evaluate,
    starts: Floats,
    response: Floats,
    weights: Floats,
    objective: Objective,
    longest: Floats,
    free: np.ndarray,
    tolerance: float,
    iterations: int,
) -> Solutions:
    batch, size = starts.shape
    ended, values = starts.copy(), np.empty(batch)
    converged = np.zeros(batch, dtype=bool)
    # the problems that still move; those that have ended leave these arrays
    here = np.arange(batch)
    at, weight, open_ = starts.copy(), np.ascontiguousarray(weights), free
    damping, calm = np.full(batch, 1e-3), np.zeros(batch, dtype=int)
    residuals, derivative = _residuals(evaluate, at, response, open_)
    value = (weight * objective.losses(residuals)).sum(axis=1)
    values[:] = value
    eye = np.eye(size, dtype=bool)
    done = 0
    while len(here) and done < iterations:
        done += 1
        weighted = derivative * (weight * objective.weights(residuals))[:, None, :]
        normal = weighted @ derivative.transpose(0, 2, 1)
        slope = (weighted @ residuals[:, :, None])[:, :, 0]
        scale = np.sqrt(np.where(open_, normal[:, eye], 1.0))
        scale[~(scale > 0)] = 1.0
        normal /= scale[:, :, None] * scale[:, None, :]
        normal[:, eye] = np.where(open_, 1.0 + damping[:, None], 1.0)
        step = np.linalg.solve(normal, -(slope / scale)[:, :, None])[:, :, 0] / scale
        clipped = (np.abs(step) > longest).any(axis=1)
        trial = at + np.clip(step, -longest, longest)
        new_residuals, new_derivative = _residuals(evaluate, trial, response, open_)
        new_value = (weight * objective.losses(new_residuals)).sum(axis=1)
        better = new_value < value  # False where it is not a number
        gained = np.where(better, (value - new_value) / np.maximum(value, np.finfo(np.float64).tiny), 0.0)
        at = np.where(better[:, None], trial, at)
        residuals = np.where(better[:, None], new_residuals, residuals)
        derivative = np.where(better[:, None, None], new_derivative, derivative)
        value = np.where(better, new_value, value)
        damping = np.where(better, np.maximum(damping / 8, 1e-12), damping * 5)
        calm = np.where(better & (gained >= tolerance), 0, np.where(better, calm + 1, calm))
        ending = ((calm >= 2) & ~clipped) | (calm >= PATIENCE) | (damping > LARGEST_DAMPING)
        if ending.any():
            leave = here[ending]
            ended[leave], values[leave], converged[leave] = at[ending], value[ending], True
            stay = ~ending
            here, at, weight, open_ = here[stay], at[stay], weight[stay], open_[stay]
            damping, calm, value = damping[stay], calm[stay], value[stay]
            residuals, derivative = residuals[stay], derivative[stay]
    ended[here], values[here] = at, value
    return Solutions(ended, values, done, converged)


def _residuals(evaluate: Evaluate, at: Floats, response: Floats, free: np.ndarray) -> tuple[Floats, Floats]:
    with np.errstate(all="ignore"):  # a trial step may go anywhere; what it gives is not accepted unless it is better
        fitted, derivative = evaluate(at)
        residuals = fitted - response
    return residuals, derivative if free.all() else derivative * free[:, :, None]
