"""Approach 2 of Hoffmann et al.: at each budget the size with the lowest loss, then how that size grows with compute.

A parabola through an asymmetric valley finds a minimum that depends on where the sizes were put. A grid whose center
keeps the same distance from the optimum shifts every N* alike; one whose center drifts bends the exponent itself. So
four curves are laid through the same runs, and the result says by name what is wrong with the grid and whether the
curves agree.

Source: Hoffmann et al. 2022, arXiv 2203.15556, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from harness.analysis.scaling.alike import alike
from harness.analysis.scaling.approaches.frontier import Frontier, lines
from harness.analysis.scaling.approaches.isoflop_minimum import INTERPOLANTS, Interpolant, minima
from harness.analysis.scaling.fitting.uncertainty import Draws
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN, Runs
from harness.errors import UserError

Weighting = Literal["equal", "spread"]

TOLERANCE = 0.1
"""Of log C: runs of one budget are a whole number of steps long, and miss it by a few per cent."""
FEWEST_SIZES = 5
"""Below these a parabola is nearly free to go anywhere."""
REPLICATES = 1000
LOPSIDED = 0.5
"""A grid whose shorter side of the minimum is less than this part of the longer one is off-center."""
LEAST_DIFFERENCE = 1e-3
"""Of a or of log N*: a difference that nobody minds, however certain."""
MISMATCH = 0.1
"""Of log D: how far D* may be from C / 6N*."""


@dataclass(frozen=True)
class Budget:
    """Runs of (nearly) the same compute."""

    compute: float
    """Their geometric mean, or the given one."""
    rows: np.ndarray
    """Which of the runs."""


@dataclass(frozen=True)
class Minima:
    """The optima of all budgets by one curve."""

    parameters: Floats
    """(budgets,) N*; not a number where the curve has no minimum."""
    tokens: Floats
    """(budgets,) D*, from the minimum over tokens."""
    loss: Floats
    """(budgets,) at N*."""


@dataclass(frozen=True)
class IsoFlop:
    """What approach 2 finds in some runs."""

    budgets: tuple[Budget, ...]
    minima: Mapping[Interpolant, Minima]
    frontiers: Mapping[Interpolant, Frontier]
    warnings: tuple[str, ...]
    """The gravest first."""


def find_budgets(runs: Runs, tolerance: float = TOLERANCE, given: Sequence[float] | None = None) -> tuple[Budget, ...]:
    """Runs by budget, those with at least three sizes, the smallest first.

    tolerance: of log C. given: the budgets in FLOPs; left out, they are found: a gap wider than the tolerance begins a
    new one. Raises UserError where fewer than two have three sizes, or where compute has no gaps.
    """
    if given is not None:
        near = np.abs(np.log(runs.compute)[:, None] - np.log(np.asarray(given, dtype=np.float64)))
        labels = np.where(near.min(axis=1) <= tolerance, near.argmin(axis=1), -1)
    else:
        labels = alike(runs.compute, tolerance)
    found = []
    for label in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == label)
        if len(rows) and np.ptp(np.log(runs.compute[rows])) > 3 * tolerance:
            raise UserError(
                f"compute from {runs.compute[rows].min():.3g} to {runs.compute[rows].max():.3g} FLOPs has no gaps: "
                "runs are not grouped into budgets; name the budgets, or fit the law itself (approach 3)"
            )
        if len(rows) and len(np.unique(alike(runs.parameters[rows]))) >= 3:
            compute = float(np.exp(np.log(runs.compute[rows]).mean())) if given is None else float(given[label])
            found.append(Budget(compute, rows))
    if len(found) < 2:
        raise UserError(
            f"{len(found)} budgets have runs of three sizes or more: approach 2 needs at least two such budgets "
            f"(runs belong to one where their log compute differs by less than {tolerance:g})"
        )
    return tuple(sorted(found, key=lambda budget: budget.compute))


def isoflop(
    runs: Runs,
    budgets: Sequence[Budget] | None = None,
    *,
    interpolants: Sequence[Interpolant] = INTERPOLANTS,
    weighting: Weighting = "equal",
    replicates: int = REPLICATES,
    seed: int = 0,
) -> IsoFlop:
    """N* and D* of each budget and their lines over compute, by each curve, on the same draws of the runs.

    budgets: left out, `find_budgets(runs)`. weighting: whether budgets count alike in the line, or by the inverse
    variance of their log N* over the draws. Runs are drawn within their budgets. Raises UserError where fewer than two
    budgets have a minimum by any of the curves.
    """
    budgets = tuple(find_budgets(runs) if budgets is None else budgets)
    log_size, log_tokens = (
        [np.log(values[budget.rows]) for budget in budgets] for values in (runs.parameters, runs.tokens)
    )
    losses = [runs.loss[budget.rows] for budget in budgets]
    weights = _weights([len(budget.rows) for budget in budgets], replicates, seed)
    log_compute = np.log([budget.compute for budget in budgets])
    center = float(log_compute.mean())
    found: dict[Interpolant, Minima] = {}
    frontiers: dict[Interpolant, Frontier] = {}
    said: list[tuple[str, Interpolant]] = []
    for name in interpolants:
        size, loss = minima(name, log_size, losses, weights)
        tokens = _tokens(name, size, log_size, log_tokens, losses, weights)
        found[name] = Minima(np.exp(size[0]), np.exp(tokens[0]), loss[0])
        counting = np.ones_like(size)
        if weighting == "spread":
            drawn_sizes = np.ma.masked_invalid(size[1 : replicates + 1])
            counting = counting / np.maximum(drawn_sizes.var(axis=0).filled(np.inf), 1e-12)
        line = lines(log_compute, size, tokens, counting, center)
        if np.isnan(line[0]).any():
            said.append(("fewer than two budgets have a minimum: no line", name))
            continue
        drawn = line[1 : replicates + 1]
        draws = Draws(
            drawn,
            line[replicates + 1 :],
            line[0],
            sum(map(len, losses)),
            f"runs within {len(budgets)} budgets",
            seed,
            int(np.isnan(drawn).any(axis=1).sum()),
        )
        kept = np.isfinite(size[0])
        of_curve = (*_of_minima(name, budgets, log_size, size[0]), *_mismatch(log_compute, size[0], tokens[0]))
        frontiers[name] = Frontier(
            np.exp(log_compute[kept]), np.exp(size[0, kept]), np.exp(tokens[0, kept]), center, draws, of_curve
        )
        said += [(warning, name) for warning in of_curve]
    if not frontiers:
        raise UserError(
            "no two budgets have a loss that falls and rises again over the sizes: add smaller or larger ones"
        )
    warnings = (*_disagreements(frontiers, budgets[-1].compute), *_of_grid(runs, budgets), *_by_curve(said))
    return IsoFlop(budgets, found, frontiers, warnings)


def _weights(sizes: Sequence[int], replicates: int, seed: int) -> list[Floats]:
    """Per budget (1 + replicates + runs, n_b): all runs, the draws, and each of all runs left out once."""
    generator = np.random.default_rng(seed)
    left_out = np.split(1.0 - np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    return [
        np.concatenate(
            [np.ones((1, size)), generator.multinomial(size, np.full(size, 1 / size), size=replicates), rest]
        )
        for size, rest in zip(sizes, left_out, strict=True)
    ]


def _tokens(
    name: Interpolant,
    size: Floats,
    log_size: list[Floats],
    log_tokens: list[Floats],
    losses: list[Floats],
    weights: list[Floats],
) -> Floats:
    """Log D* (batch, budgets), by the same curve over tokens; where N·D is the same in each budget that is the mirror
    image of the curve over sizes."""
    product = [one + two for one, two in zip(log_size, log_tokens, strict=True)]
    if max(float(np.ptp(part)) for part in product) < 1e-9:
        mirrored: Floats = np.array([part.mean() for part in product]) - size
        return mirrored
    return minima(name, log_tokens, losses, weights)[0]


def _of_minima(
    name: Interpolant, budgets: tuple[Budget, ...], log_size: list[Floats], found: Floats
) -> tuple[str, ...]:
    none, outside, lopsided = [], [], []
    for budget, sizes, minimum in zip(budgets, log_size, found, strict=True):
        below, above = minimum - sizes.min(), sizes.max() - minimum
        if not np.isfinite(minimum):
            none.append(budget)
        elif min(below, above) <= 1e-9:
            outside.append(budget)
        elif min(below, above) < LOPSIDED * max(below, above):
            lopsided.append(budget)
    warnings = []
    if none:
        warnings.append(f"not convex, left out of the line: {_named(none)}")
    if outside:
        warnings.append(f"the minimum is at the edge of the sizes or outside, extrapolated, at {_named(outside)}")
    if lopsided and name == "quadratic":
        warnings.append(
            "off-center grid: the sizes reach less than half as far on one side of the minimum as on the other, which "
            f"biases a parabola, at {_named(lopsided)}; see the skewed curve"
        )
    return tuple(warnings)


def _mismatch(log_compute: Floats, size: Floats, tokens: Floats) -> tuple[str, ...]:
    off = np.exp(tokens + size - log_compute) * FLOPS_PER_TOKEN
    if not (np.abs(np.log(off[np.isfinite(off)])) > MISMATCH).any():
        return ()
    return (
        f"D* is {np.nanmin(off):.2f} to {np.nanmax(off):.2f} times C / 6N*: compute is not 6ND with "
        "these N, or the minima are noise; C / 6N*² is not D*/N*",
    )


def _of_grid(runs: Runs, budgets: tuple[Budget, ...]) -> list[str]:
    few, edge = [], []
    for budget in budgets:
        sizes, losses = runs.parameters[budget.rows], runs.loss[budget.rows]
        if int(alike(sizes).max()) + 1 < FEWEST_SIZES:
            few.append(budget)
        if sizes[losses.argmin()] in (sizes.min(), sizes.max()):
            edge.append(budget)
    warnings = []
    if edge:
        warnings.append(f"the run with the lowest loss is the smallest or the largest at {_named(edge)}")
    if few:
        warnings.append(f"fewer than {FEWEST_SIZES} sizes at {_named(few)}")
    return warnings


def _by_curve(said: Sequence[tuple[str, Interpolant]]) -> list[str]:
    """Each warning once, with the curves of which it holds."""
    return [
        f"{', '.join(name for text, name in said if text == warning)}: {warning}"
        for warning in dict.fromkeys(text for text, _ in said)
    ]


def _disagreements(frontiers: Mapping[Interpolant, Frontier], compute: float) -> list[str]:
    """Curves whose difference of a, or of N* at the highest budget, has an interval without 0: on the same draws."""
    warnings = []
    for what, along in (("a", None), (f"log N* at {compute:.2g} FLOPs", np.log(compute))):
        found = []
        for (one, first), (two, second) in combinations(frontiers.items(), 2):
            of = np.array([0.0, 1.0]) if along is None else np.array([1.0, along - first.center])
            value = (first.draws.estimate[:2] - second.draws.estimate[:2]) @ of
            low, high = np.nanquantile((first.draws.natural[:, :2] - second.draws.natural[:, :2]) @ of, [0.025, 0.975])
            if abs(value) > LEAST_DIFFERENCE and (low > 0 or high < 0):
                found.append(f"{one} - {two} {value:+.3g} ({low:+.3g} to {high:+.3g})")
        if found:
            warnings.append(f"the curves disagree on {what} by more than chance: {'; '.join(found)}")
    return warnings


def _named(budgets: Sequence[Budget]) -> str:
    return ", ".join(f"{budget.compute:.2g}" for budget in budgets) + " FLOPs"
