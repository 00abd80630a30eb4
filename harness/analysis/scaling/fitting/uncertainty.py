"""How far a fitted law may be off: the runs are drawn again, and everything that follows from the law with them.

The unit is the run, or the group of runs that share what could have gone otherwise (checkpoints of one training, runs
of one size). Replicates are joint draws of all parameters, and whatever is asked later (N* at a budget, the loss at C)
is computed draw by draw, so that ratios and sums stay coherent. Nothing is assumed about the noise: drawing residuals,
or a Wald interval, is half as wide as the truth on published points, because few runs carry most of the noise.

Sources: Efron & Tibshirani 1993, chapters 9 (pairs) and 14 (BCa); Cameron, Gelbach & Miller 2008 (clusters).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from harness.analysis.scaling.alike import alike
from harness.analysis.scaling.fitting.fit import Fit
from harness.analysis.scaling.fitting.least_squares import solve
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

Method = Literal["percentile", "bca"]
Unit = Literal["run", "group", "parameters"]
Quantity = Callable[[Floats], Floats]
"""Natural parameters (draws, p) -> what is asked (draws, ...)."""

REPLICATES = 4000
BOOTSTRAP_TOLERANCE = 1e-9
"""Standard errors are the same to four digits as at 1e-12, in a third less time."""
BLOCK = 8_000_000
"""Numbers of weights that are in memory at once: 64 MB."""
REPEATED = 0.5
"""Sizes repeat where there are at least twice as many runs as sizes."""
FEWEST_GROUPS = 8
"""Fewer groups than this have no bootstrap distribution to speak of."""


@dataclass(frozen=True)
class Draws:
    """The law's parameters under other draws of the runs."""

    natural: Floats
    """(replicates, p) joint draws."""
    left_out: Floats | Callable[[], Floats]
    """See `without`; or what makes it where it is asked for, since it takes a fit for each unit."""
    estimate: Floats
    """(p,) of all runs."""
    units: int
    """How many units were drawn from."""
    unit: str
    """What a unit is."""
    seed: int
    failed: int
    """Replicates whose solver did not come to rest; they are in `natural` as they are."""

    @cached_property
    def without(self) -> Floats:
        """(units, p) with one unit left out: for BCa and for influence."""
        return self.left_out() if callable(self.left_out) else self.left_out

    @property
    def how(self) -> str:
        """How the draws were made, as the words of an interval."""
        return f"bootstrap over {self.units} {self.unit}, {len(self.natural)} replicates, seed {self.seed}"


def bootstrap(fit: Fit, replicates: int = REPLICATES, seed: int = 0, *, by: Unit | None = None) -> Draws:
    """Draw the runs again and fit again, all replicates at once.

    by: what is drawn: each run; each group of the data; or each size, all of its runs together. Left out, groups where
    the data have groups with several runs, else runs. Raises UserError where there are too few units.
    """
    drawn = redrawn(fit.runs, replicates, seed, by)
    return draws_of(drawn, fit.natural, lambda weights: refit(fit, weights))


@dataclass(frozen=True)
class Redrawn:
    """How often each run is drawn, some replicates at a time: all of them are replicates times runs numbers, and with
    each unit left out once units times runs."""

    unit_of: np.ndarray
    """(n,) the unit that each run belongs to."""
    units: int
    unit: str
    """What a unit is."""
    replicates: int
    seed: int

    def drawn(self) -> Iterator[Floats]:
        """(some, n) each: the same draws whatever the blocks are."""
        generator, shares = np.random.default_rng(self.seed), np.full(self.units, 1 / self.units)
        for size in self._blocks(self.replicates):
            yield generator.multinomial(self.units, shares, size=size)[:, self.unit_of].astype(np.float64)

    def left_out(self) -> Iterator[Floats]:
        """(some, n) each: one unit left out."""
        first = 0
        for size in self._blocks(self.units):
            yield (self.unit_of != np.arange(first, first + size)[:, None]).astype(np.float64)
            first += size

    def _blocks(self, rows: int) -> Iterator[int]:
        most = max(1, BLOCK // max(len(self.unit_of), self.units))
        for first in range(0, rows, most):
            yield min(most, rows - first)


def redrawn(runs: Runs, replicates: int, seed: int, by: Unit | None = None) -> Redrawn:
    """The runs drawn again. Raises UserError where there are too few units."""
    labels, unit = drawn_together(runs, by)
    names, unit_of = np.unique(labels, return_inverse=True)
    units = len(names)
    if units < FEWEST_GROUPS:
        raise UserError(
            f"{units} {unit} are too few to draw from again ({FEWEST_GROUPS} at least): there is no interval; "
            + ("draw runs instead" if unit != "runs" else "more runs are needed")
        )
    return Redrawn(unit_of, units, unit, replicates, seed)


def draws_of(drawn: Redrawn, estimate: Floats, refit: Callable[[Floats], tuple[Floats, np.ndarray]]) -> Draws:
    """Draws of what `refit` makes of weights (batch, n): parameters (batch, p), and which came to rest (batch,)."""

    def without() -> Floats:
        return np.concatenate([refit(weights)[0] for weights in drawn.left_out()])

    found = [refit(weights) for weights in drawn.drawn()]
    natural, ended = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Draws(natural, without, estimate, drawn.units, drawn.unit, drawn.seed, int((~ended).sum()))


def refit(fit: Fit, weights: Floats) -> tuple[Floats, np.ndarray]:
    """The law's natural parameters under other weights of the runs: (batch, n) -> (batch, p), and (batch,) which came
    to rest. Each starts from every distinct optimum of the fit that is near the best, so that a second valley is found
    by the draws that prefer it."""
    posed = fit.problem
    near = fit.optima[: 1 + sum(rival < 1.5 for rival in fit.certificate.rivals)][:3]
    best: Floats | None = None
    for start in near:
        found = solve(
            posed.evaluate,
            np.tile(start, (len(weights), 1)),
            posed.response,
            weights,
            fit.objective,
            fit.law.longest_steps,
            tolerance=BOOTSTRAP_TOLERANCE,
        )
        if best is None:
            best, value, ended = found.internal, found.objective, found.converged
        else:
            better = found.objective < value
            best = np.where(better[:, None], found.internal, best)
            value = np.where(better, found.objective, value)
            ended = np.where(better, found.converged, ended)
    assert best is not None
    return fit.law.natural(best, posed.center), ended


@dataclass(frozen=True)
class DrawnInterval:
    """A quantity of fits that were drawn, with its interval, elementwise where it has several values."""

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    """Standard deviation of the draws."""
    how: str


def interval(
    draws: Draws, quantity: Quantity, method: Method = "percentile", confidence: float = 0.95
) -> DrawnInterval:
    """A quantity of the parameters with its interval.

    percentile: the central quantiles of the draws. bca: corrected for bias and skewness (Efron 1987), with the
    acceleration from leaving out one unit at a time. Draws in which the quantity is infinite count as beyond the upper
    end, which may be infinite then; those in which it is no number are left out, and `how` says how many they are.
    """
    from scipy.special import ndtr, ndtri

    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of quantities that are no number in any draw
        value = np.atleast_1d(quantity(draws.estimate[None]))[0]
        drawn = np.asarray(quantity(draws.natural), dtype=np.float64)
        error = np.nanstd(np.where(np.isfinite(drawn), drawn, np.nan), axis=0, ddof=1)
        how = draws.how + _left_out(drawn)
        if method == "percentile":
            low, high = (_quantile_each(drawn, np.full(np.shape(value), tail)) for tail in tails)
            return DrawnInterval(value, low, high, error, f"percentile {how}")
        there = np.maximum(np.sum(~np.isnan(drawn), axis=0), 1)
        share = (np.sum(drawn < value, axis=0) + 0.5 * np.sum(drawn == value, axis=0)) / there
        bias = ndtri(np.clip(share, 0.5 / there, 1 - 0.5 / there))
        without = np.asarray(quantity(draws.without), dtype=np.float64)
        without = np.where(np.isfinite(without), without, np.nan)
        pull = np.nanmean(without, axis=0) - without
        scale = np.nansum(pull**2, axis=0) ** 1.5
        acceleration = np.where(scale > 0, np.nansum(pull**3, axis=0) / (6 * np.where(scale > 0, scale, 1)), 0.0)
        ends = []
        for z in ndtri(tails):
            at = ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
            ends.append(_quantile_each(drawn, np.clip(at, 0.0, 1.0)))
    return DrawnInterval(value, ends[0], ends[1], error, f"BCa {how}")


def _left_out(drawn: Floats) -> str:
    """How many draws have no number, where some have none, as words behind how an interval was made."""
    missing = int(np.isnan(drawn.reshape(len(drawn), -1)).any(axis=1).sum())
    return f", {missing} of which have no value and are left out" if missing else ""


def _quantile_each(drawn: Floats, at: Floats) -> Floats:
    """A quantile of its own for each element of the quantity."""
    flat, levels = drawn.reshape(len(drawn), -1), np.ravel(at)
    each = [_quantile(column, float(level)) for column, level in zip(flat.T, levels, strict=True)]
    return np.array(each).reshape(drawn.shape[1:])


def _quantile(drawn: Floats, level: float) -> float:
    """Of the draws that are numbers, endless ones among them: between two of those there is nothing to interpolate."""
    found = float(np.nanquantile(drawn, level))
    return float(np.nanquantile(drawn, level, method="higher")) if np.isnan(found) else found


def _default_unit(runs: Runs) -> Unit:
    """Groups where the data name some; else sizes, where they repeat: what is particular to a size is shared by its
    runs (intervals by runs held 84 % of the time there, by sizes 90 %; results/scaling_coverage.md)."""
    if runs.groups is not None and 1 < len(set(runs.groups)) < len(runs):
        return "group"
    sizes = len(np.unique(alike(runs.parameters)))
    return "parameters" if FEWEST_GROUPS <= sizes <= REPEATED * len(runs) else "run"


def drawn_together(runs: Runs, by: Unit | None = None) -> tuple[np.ndarray, str]:
    """A label per run (n,), shared by those that are drawn together, and what a unit is. by: as in `bootstrap`."""
    if by is None:
        by = _default_unit(runs)
    if by == "group":
        if runs.groups is None:
            raise UserError("the data name no groups to draw: say which column does, or draw runs or sizes")
        return np.array(runs.groups), "groups of runs"
    if by == "parameters":
        return alike(runs.parameters), "sizes"
    return np.arange(len(runs)), "runs"
