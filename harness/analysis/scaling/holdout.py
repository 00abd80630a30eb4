"""Which law to believe far away: fitted below a budget, scored above it.

A law that fits its own runs best need not be the one that foretells larger ones, and only that is asked of it. So each
law, by each objective, is fitted to the runs below several computes and predicts those above: how far off, to which
side, and whether its intervals hold as many runs as they say. A power law without a floor through the best losses is
the baseline that has to be beaten.

The predictive interval is that of a new run: the law under draws of the fitted runs, and a residual of a fitted run on
each. It takes the law to hold far away and the noise to stay as it is; its coverage is what tests that.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.scaling.allocation import compute_exponent
from harness.analysis.scaling.approaches.isoflop import find_budgets
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.information_criterion import akaike
from harness.analysis.scaling.fitting.objective import HUBER, SQUARES, Objective
from harness.analysis.scaling.fitting.prediction import predicted
from harness.analysis.scaling.fitting.uncertainty import bootstrap
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SHARES = (0.5, 0.7, 0.8, 0.9)
REPLICATES = 400
BASELINE = "power law without floor"
LAST = 5
"""Best losses that the baseline goes through, one of each half-decade of compute."""
FEWEST_HELD_OUT = 3


@dataclass(frozen=True)
class Split:
    """Runs up to a compute are fitted, those above are foretold."""

    name: str
    below: float
    """FLOPs: the largest compute that is fitted."""


@dataclass(frozen=True)
class HoldOut:
    """What the hold-out says."""

    scores: pd.DataFrame
    """A row per law, objective and split: law, objective, split, fitted (runs), held_out (runs), below (FLOPs),
    reach (largest compute over the largest fitted one), mape (% of the loss), bias (mean of predicted over observed
    less 1, in %: above 0 the law is too pessimistic), coverage_50, coverage_90 (share of held-out runs inside), a (of
    N* ∝ C^a at `below`), note (why numbers are missing)."""
    in_sample: pd.DataFrame
    """A row per law and objective, fitted to all runs: law, objective, mape, aic, noise, parameters. AIC is comparable
    between laws of the same noise."""
    sentence: str


def splits_by_share(runs: Runs, shares: Sequence[float] = SHARES) -> list[Split]:
    """Fit the given shares of the runs, those of the lowest compute."""
    order = np.sort(runs.compute)
    return [
        Split(f"lowest {share:.0%} of compute", float(order[max(int(share * len(order)), 1) - 1])) for share in shares
    ]


def splits_by_budgets(runs: Runs, fewest: int = 3) -> list[Split]:
    """Fit the lowest `fewest` budgets, then one more each time, up to all but the highest. Raises UserError where the
    runs are not grouped into budgets."""
    budgets = find_budgets(runs)
    return [
        Split(f"lowest {count} of {len(budgets)} budgets", float(runs.compute[budgets[count - 1].rows].max()))
        for count in range(fewest, len(budgets))
    ]


def hold_out(
    runs: Runs,
    laws: Sequence[Law],
    objectives: Sequence[Objective] = (HUBER, SQUARES),
    splits: Sequence[Split] | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> HoldOut:
    """Score each law by each objective on runs above the compute that it was fitted to.

    splits: left out, `splits_by_share(runs)`. Laws that can't be fitted to a split have a note there and can't be
    preferred. Raises UserError where no split holds out at least three runs.
    """
    import pandas as pd

    splits = [
        split
        for split in (splits_by_share(runs) if splits is None else splits)
        if int((runs.compute > split.below).sum()) >= FEWEST_HELD_OUT
    ]
    if not splits:
        raise UserError(f"no split holds out {FEWEST_HELD_OUT} runs or more above the fitted compute: nothing to score")
    rows, errors = [], {}
    candidates = [(law, objective) for law in laws for objective in objectives]
    for law, objective in candidates:
        missed = np.full((len(splits), len(runs)), np.nan)
        for number, split in enumerate(splits):
            row = _about(runs, split) | {"law": law.name, "objective": objective.name}
            try:
                row |= _scored(runs, law, objective, split, replicates, seed, missed[number])
            except UserError as error:
                row |= {"note": str(error)}
            rows.append(row)
        errors[f"{law.name} by {objective.name}"] = missed
    missed = np.full((len(splits), len(runs)), np.nan)
    for number, split in enumerate(splits):
        naive = _naive(runs.only(runs.compute <= split.below), runs.compute)
        about = _about(runs, split) | {"law": BASELINE, "objective": SQUARES.name}
        rows.append(about | _misses(runs, split, naive, missed[number]))
    errors[BASELINE] = missed
    scores = pd.DataFrame(rows, columns=COLUMNS)
    sentence, best = _preferred(errors, runs, seed)
    of_best = scores[(scores["law"] + " by " + scores["objective"]) == best]
    if of_best["coverage_90"].notna().any():
        sentence += f" Its 90 % intervals held {of_best['coverage_90'].mean():.0%} of the held-out runs."
    return HoldOut(scores, _in_sample(runs, candidates), sentence)


COLUMNS = [
    *("law", "objective", "split", "fitted", "held_out", "below", "reach"),
    *("mape", "bias", "coverage_50", "coverage_90", "a", "note"),
]


def _about(runs: Runs, split: Split) -> dict[str, object]:
    low = runs.compute <= split.below
    return {
        "split": split.name,
        "fitted": int(low.sum()),
        "held_out": int((~low).sum()),
        "below": split.below,
        "reach": float(runs.compute.max() / runs.compute[low].max()) if low.any() else float("nan"),
        "note": "",
    }


def _misses(runs: Runs, split: Split, predicted: Floats, missed: Floats) -> dict[str, object]:
    """Scores of predictions of all runs; fills in the absolute misses of the held-out ones, in %."""
    high = runs.compute > split.below
    off = 100 * (predicted[high] / runs.loss[high] - 1)
    missed[high] = np.abs(off)
    return {"mape": float(np.abs(off).mean()), "bias": float(off.mean())}


def _scored(
    runs: Runs, law: Law, objective: Objective, split: Split, replicates: int, seed: int, missed: Floats
) -> dict[str, object]:
    low = runs.only(runs.compute <= split.below)
    high = runs.only(runs.compute > split.below)
    found = fit(law, low, objective)
    row: dict[str, object] = {}
    row |= _misses(runs, split, law.predict(found.natural, *runs.inputs(law.inputs)), missed)
    if law.inputs[:2] == ("parameters", "tokens"):
        row["a"] = float(compute_exponent(law, found.natural, split.below))
    try:
        draws = bootstrap(found, replicates, seed)
    except UserError as error:
        return row | {"note": f"no intervals: {error}"}
    for share in (50, 90):
        foretold = predicted(found, draws, high, share / 100, seed)
        row[f"coverage_{share}"] = float(np.mean(foretold.holds(high.column(law.target))))
    return row


def _naive(low: Runs, compute: Floats) -> Floats:
    """The loss at each compute by a line through the logs of the best losses of the last half-decades of compute."""
    bins = np.floor(2 * np.log10(low.compute) + 1e-9)
    best = [rows[low.loss[rows].argmin()] for label in np.unique(bins) for rows in [np.flatnonzero(bins == label)]][
        -LAST:
    ]
    x, y = np.log(low.compute[best]), np.log(low.loss[best])
    if len(best) < 2:
        return np.full(len(compute), float(low.loss.min()))
    slope, level = np.polyfit(x - x.mean(), y, 1)
    return np.asarray(np.exp(level + slope * (np.log(compute) - x.mean())))


def _in_sample(runs: Runs, candidates: Sequence[tuple[Law, Objective]]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for law, objective in candidates:
        try:
            found = fit(law, runs, objective)
        except UserError:
            continue
        criterion = akaike(found)
        mape = float(100 * np.abs(found.fitted / runs.loss - 1).mean())
        rows.append((law.name, objective.name, mape, criterion.value, criterion.noise, criterion.parameters))
    return pd.DataFrame(rows, columns=["law", "objective", "mape", "aic", "noise", "parameters"])


def _preferred(errors: dict[str, Floats], runs: Runs, seed: int) -> tuple[str, str]:
    """A sentence on the candidate with the lowest error, averaged over splits, beside the next one and the baseline;
    and its name."""
    held = np.isfinite(errors[BASELINE])
    whole = {name: missed for name, missed in errors.items() if np.isfinite(missed[held]).all()}
    mean = {
        name: float(np.mean([row[there].mean() for row, there in zip(missed, held, strict=True)]))
        for name, missed in whole.items()
    }
    ranked = sorted(mean, key=lambda name: mean[name])
    best = ranked[0]
    if best == BASELINE:
        beside = f"; the best law, {ranked[1]}, misses by {mean[ranked[1]]:.2f} %" if len(ranked) > 1 else ""
        said_of_none = (
            f"No law is preferred: the naive {BASELINE} misses held-out losses by {mean[best]:.2f} % on average over "
            f"{len(held)} splits{beside}."
        )
        return said_of_none, best
    said = [f"{best} is preferred: it misses held-out losses by {mean[best]:.2f} % on average over {len(held)} splits"]
    others = [*[name for name in ranked[1:] if name != BASELINE][:1], BASELINE]
    for name in others:
        low, high = _difference(whole[name] - whole[best], held, runs, seed)
        sure = "" if low > 0 else ", which chance may have done"
        said.append(
            f"{name} by {mean[name]:.2f} % ({mean[name] - mean[best]:+.2f} points, 95 % interval {low:+.2f} to "
            f"{high:+.2f} over held-out runs{sure})"
        )
    return "; ".join(said) + ".", best


def _difference(excess: Floats, held: np.ndarray, runs: Runs, seed: int) -> tuple[float, float]:
    """Interval of the mean over splits of the mean over held-out runs, the runs drawn again."""
    counts = np.random.default_rng(seed).multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=2000)
    with np.errstate(all="ignore"):
        means = (counts @ np.where(held, excess, 0.0).T) / (counts @ held.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw without any run of a split has no mean there
        low, high = np.nanquantile(np.nanmean(means, axis=1), [0.025, 0.975])
    return float(low), float(high)
