"""Approach 1 of Hoffmann et al.: which run has the lowest loss at each compute, and how its size grows.

It asks nothing of the loss's form, but takes the best of few for the best there is. So it says where it was cut off: a
size that is best at the edge of the sizes, or a run that ended while it was still the best.

The bootstrap draws whole training runs, with all of their checkpoints. A lower envelope lives on few runs, and a draw
leaves out a third of them, so that its intervals are wide rather than exact.

Source: Hoffmann et al. 2022, arXiv 2203.15556, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.alike import alike
from harness.analysis.scaling.approaches.frontier import Frontier, lines
from harness.analysis.scaling.fitting.uncertainty import Draws
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

POINTS = 200
"""Values of compute at which the runs are compared (Hoffmann et al.: 1500); the staircase has fewer steps."""
REPLICATES = 2000
FEWEST_CURVES = 4
_ROWS = 200
"""Replicates compared at once."""


@dataclass(frozen=True)
class Curve:
    """One training: its loss over compute."""

    log_compute: Floats
    """(checkpoints,) rising."""
    loss: Floats
    log_tokens: Floats
    log_size: float


def envelope(runs: Runs, *, replicates: int = REPLICATES, seed: int = 0) -> Frontier:
    """Per compute the size of the run with the lowest loss, interpolated in log C; then log N* and log D* on log C.

    A training is what `runs.groups` names; without groups, all runs of one size are its curve. Where the best size is
    the smallest or largest there, the true optimum may lie beyond: such computes are left out, unless nothing is left.
    Raises UserError where fewer than four curves have two points or more.
    """
    found, unit = _curves(runs)
    log_compute = _where_compared(found)
    loss, log_tokens = _on(found, log_compute)
    log_size = np.array([curve.log_size for curve in found])
    everything = np.ones((1, len(found)), dtype=bool)
    all_winners = _optima(loss, log_tokens, log_size, everything, True)[2][0]
    inner = _optima(loss, log_tokens, log_size, everything, False)[2][0]
    keep_edges = len(set(inner[inner >= 0])) < 2
    center = float(log_compute.mean())

    def line(present: np.ndarray) -> Floats:
        size, tokens, _ = _optima(loss, log_tokens, log_size, present, keep_edges)
        return lines(log_compute, size, tokens, np.ones_like(size), center)

    size, tokens, winner = (item[0] for item in _optima(loss, log_tokens, log_size, everything, keep_edges))
    kept = winner >= 0
    if len(set(winner[kept])) < 2:
        raise UserError(
            "one size is the best at every compute: approach 1 has no slope to fit; runs of other sizes, "
            "or longer ones, are needed"
        )
    warnings = []
    if keep_edges:
        warnings.append(
            "the best size is the smallest or the largest at nearly every compute: a is biased; sizes beyond are needed"
        )
    elif not kept.all():
        warnings.append(
            f"at {np.mean(~kept):.0%} of the computes the best size is the smallest or the largest there: left out, "
            "the optimum may lie beyond"
        )
    cut = _cut_off(loss, all_winners)
    if cut:
        warnings.append(
            f"{cut} runs ended while they were the best: where the next size takes over there is decided by the length "
            "of the training, not by its loss"
        )
    return Frontier(
        np.exp(log_compute[kept]),
        np.exp(size[kept]),
        np.exp(tokens[kept]),
        center,
        _draws(line, len(found), unit, replicates, seed),
        tuple(warnings),
    )


def convex_hull(runs: Runs, *, replicates: int = REPLICATES, seed: int = 0) -> Frontier:
    """The same through the corners of the lower convex hull of log loss over log compute: fewer points, none of which
    a neighbor could better by a mixture. Raises UserError as `envelope` does, or where the hull has no two sizes."""
    found, unit = _curves(runs)
    corners = [curve_corners(curve) for curve in found]
    points = np.concatenate(corners)  # log C, log loss, log N, log D
    owner = np.repeat(np.arange(len(corners)), [len(part) for part in corners])
    order = np.lexsort((points[:, 1], points[:, 0]))
    points, owner = points[order], owner[order]
    center = float(points[:, 0].mean())

    def line(present: np.ndarray) -> Floats:
        made = []
        for row in present:
            hull = _falling(points[row[owner]])
            if len(hull) < 2:
                made.append(np.full(4, np.nan))
                continue
            made.append(lines(hull[None, :, 0], hull[None, :, 2], hull[None, :, 3], np.ones((1, len(hull))), center)[0])
        return np.array(made)

    hull = _falling(points)
    if len(np.unique(np.round(hull[:, 2], 9))) < 2:
        raise UserError("one size makes up the whole hull: runs of other sizes, or longer ones, are needed")
    edge = np.isin(hull[:, 2], [points[:, 2].min(), points[:, 2].max()])
    warnings = (
        (f"{edge.sum()} of {len(hull)} corners belong to the smallest or the largest size: the optimum may lie beyond",)
        if edge.any()
        else ()
    )
    size, tokens = np.exp(hull[:, 2]), np.exp(hull[:, 3])
    draws = _draws(line, len(found), unit, replicates, seed)
    return Frontier(np.exp(hull[:, 0]), size, tokens, center, draws, warnings)


def curve_corners(curve: Curve) -> Floats:
    """Corners of one curve's own hull, of which the hull of all is made: (corners, 4) log C, log loss, log N, log D."""
    size = np.full(len(curve.loss), curve.log_size)
    points = np.stack([curve.log_compute, np.log(curve.loss), size, curve.log_tokens], axis=1)
    return _lower_hull(points)


def _curves(runs: Runs) -> tuple[list[Curve], str]:
    if runs.groups is not None and len(set(runs.groups)) < len(runs):
        labels, unit = np.array(runs.groups), "training runs"
    else:
        labels, unit = alike(runs.parameters), "sizes"
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(runs.compute[rows], kind="stable")]
        rows = rows[np.append(np.diff(np.log(runs.compute[rows])) > 1e-9, True)]
        if len(rows) >= 2:
            at = np.log(runs.compute[rows]), runs.loss[rows], np.log(runs.tokens[rows])
            found.append(Curve(*at, float(np.log(runs.parameters[rows]).mean())))
    if len(found) < FEWEST_CURVES:
        raise UserError(
            f"approach 1 compares loss curves: {len(found)} {unit} have two points or more, {FEWEST_CURVES} at least "
            "are needed; give checkpoints, with a column that names their run"
        )
    return found, unit


def _where_compared(found: list[Curve]) -> Floats:
    """Computes that at least two curves reach."""
    first = np.sort([curve.log_compute[0] for curve in found])[1]
    last = np.sort([curve.log_compute[-1] for curve in found])[-2]
    if not last > first:
        raise UserError("no two curves share a range of compute: there is nothing to compare")
    return np.linspace(first, last, POINTS)


def _on(found: list[Curve], log_compute: Floats) -> tuple[Floats, Floats]:
    """Loss, infinite where a curve does not reach, and log tokens of each curve: (curves, points)."""
    loss = [np.interp(log_compute, c.log_compute, c.loss, left=np.inf, right=np.inf) for c in found]
    tokens = [np.interp(log_compute, c.log_compute, c.log_tokens) for c in found]
    return np.stack(loss), np.stack(tokens)


def _optima(
    loss: Floats, log_tokens: Floats, log_size: Floats, present: np.ndarray, keep_edges: bool
) -> tuple[Floats, Floats, np.ndarray]:
    """Log N*, log D* and the winner of each draw: (draws, points). Not a number, and -1, where none counts."""
    sizes, tokens, winners = [], [], []
    for first in range(0, len(present), _ROWS):
        here = present[first : first + _ROWS]
        among = np.where(here[:, :, None], loss, np.inf)
        winner = among.argmin(axis=1)
        counts = np.isfinite(among.min(axis=1))
        if not keep_edges:
            least = np.where(here, log_size, np.inf).min(axis=1, keepdims=True)
            most = np.where(here, log_size, -np.inf).max(axis=1, keepdims=True)
            counts &= (log_size[winner] > least) & (log_size[winner] < most)
        sizes.append(np.where(counts, log_size[winner], np.nan))
        tokens.append(np.where(counts, log_tokens[winner, np.arange(loss.shape[1])], np.nan))
        winners.append(np.where(counts, winner, -1))
    return np.concatenate(sizes), np.concatenate(tokens), np.concatenate(winners)


def _cut_off(loss: Floats, winner: np.ndarray) -> int:
    """How many curves stop at the point at which another takes over."""
    changes = np.flatnonzero(winner[1:] != winner[:-1])
    return int(sum(winner[at] >= 0 and not np.isfinite(loss[winner[at], at + 1]) for at in changes))


def _draws(line: Callable[[np.ndarray], Floats], units: int, unit: str, replicates: int, seed: int) -> Draws:
    generator = np.random.default_rng(seed)
    present = generator.multinomial(units, np.full(units, 1 / units), size=replicates) > 0
    drawn = line(present)
    failed = int(np.isnan(drawn).any(axis=1).sum())

    def without() -> Floats:
        return line(~np.eye(units, dtype=bool))

    return Draws(drawn, without, line(np.ones((1, units), dtype=bool))[0], units, unit, seed, failed)


def _falling(points: Floats) -> Floats:
    """The part of the lower hull on which loss still falls."""
    hull = _lower_hull(points)
    return hull[: int(hull[:, 1].argmin()) + 1]


def _lower_hull(points: Floats) -> Floats:
    """Andrew's monotone chain over points in order of their first column: (corners, columns)."""
    kept: list[int] = []
    x, y = points[:, 0].tolist(), points[:, 1].tolist()
    for new in range(len(points)):
        while len(kept) >= 2:
            one, two = kept[-2], kept[-1]
            if (x[two] - x[one]) * (y[new] - y[one]) > (y[two] - y[one]) * (x[new] - x[one]):
                break
            kept.pop()
        if kept and x[new] == x[kept[-1]]:
            continue
        kept.append(new)
    return points[kept]
