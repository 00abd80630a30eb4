"""Numbers of a group: its tasks are strata, weighted by their documents (micro) or equally (macro)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.aggregation.estimate import Estimate, Family
from harness.tasks.config import GroupConfig
from harness.tasks.judging.specification import key_of


def summarize_group(
    aggregate: Sequence[Mapping[str, Any]],
    tasks: Mapping[str, Sequence[Estimate]],
    *,
    mode: Mode = "right",
    confidence: float = 0.95,
) -> list[Estimate]:
    """Means over a group's tasks.

    aggregate: `GroupConfig.aggregate`; where it is empty, lm-eval gives nothing, and mode right every key that all
    tasks share, weighted by documents. tasks: of every leaf task, its estimates. A metric that no task has gives none:
    `not_given` tells of it.
    """
    found = {name: {estimate.key: estimate for estimate in estimates} for name, estimates in tasks.items()}
    if not aggregate:
        shared = [key for key in next(iter(found.values()), {}) if all(key in task for task in found.values())]
        return [] if mode == "lm-eval" else [_mean(key, found, True, mode, confidence) for key in shared]
    return [
        _mean(key, found, bool(entry.get("weight_by_size", True)), mode, confidence)
        for entry in aggregate
        for wanted in _wanted(entry)
        for key in _keys(wanted, sorted({key for task in found.values() for key in task}))
    ]


def by_size(aggregate: Sequence[Mapping[str, Any]], key: str) -> list[bool]:
    """Of every entry that gives the number `key`, whether tasks are weighted by their documents (else equally)."""
    if not aggregate:
        return [True]
    given = [entry for entry in aggregate if any(_keys(wanted, [key]) for wanted in _wanted(entry))]
    return [bool(entry.get("weight_by_size", True)) for entry in given]


def not_given(
    aggregate: Sequence[Mapping[str, Any]], keys: Iterable[str], listed: Iterable[str] | None = None
) -> list[str]:
    """What `aggregate_metric_list` names and no task of the group gives, a sentence each.

    keys: what the tasks give. listed: those that their files list, to be named; left out, all.
    """
    there = list(dict.fromkeys(keys))
    told = ", ".join(f"`{key}`" for key in dict.fromkeys(there if listed is None else listed)) or "nothing"
    return [
        f"`aggregate_metric_list` names {_worded(wanted)}, which no task of the group gives (they give {told}); "
        "their own numbers are kept"
        for entry in aggregate
        for wanted in _wanted(entry)
        if not _keys(wanted, there)
    ]


def check_group(group: GroupConfig) -> None:
    """Raises UserError for an aggregation other than the mean, before anything runs."""
    for entry in group.aggregate:
        if entry.get("aggregation", "mean") != "mean":
            raise UserError(
                f"groups know the aggregation `mean` only, not `{entry['aggregation']}`",
                place=f"{group.file}:aggregate_metric_list",
            )


def _wanted(entry: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """(metric, filter pipeline or None for all) that an entry of `aggregate_metric_list` names."""
    listed = entry.get("filter_list")
    names = [listed] if isinstance(listed, str) else listed
    return [(entry["metric"], name) for name in ([None] if names is None else names)]


def _worded(wanted: tuple[str, str | None]) -> str:
    metric, pipeline = wanted
    return f"`{metric}`" if pipeline is None else f"`{metric}` with the filter `{pipeline}`"


def _keys(wanted: tuple[str, str | None], there: Sequence[str]) -> list[str]:
    """Those of the keys that are meant."""
    metric, pipeline = wanted
    if pipeline is not None:
        return [key for key in there if key == key_of(metric, pipeline)]
    return [key for key in there if key == metric or key.startswith(f"{metric}/")]


def _mean(
    key: str, tasks: Mapping[str, Mapping[str, Estimate]], by_size: bool, mode: Mode, confidence: float
) -> Estimate:
    having = {name: estimates[key] for name, estimates in tasks.items() if key in estimates}
    if mode == "lm-eval":
        sizes = [max(estimate.n for estimate in tasks[name].values()) for name in having]
        return _as_lm_eval(key, list(having.values()), sizes, by_size)
    made = _strata(key, list(having.values()), by_size, confidence)
    missing = [name for name in tasks if name not in having]
    if not missing:
        return made
    return Estimate(**{**made.__dict__, "how": f"{made.how}; without {', '.join(missing)}, which lack it"})


def _strata(key: str, strata: Sequence[Estimate], by_size: bool, confidence: float) -> Estimate:
    from harness.statistics.strata import mean_interval, proportion_interval, stratified_mean

    weights = [float(stratum.n) if by_size else 1.0 for stratum in strata]
    n, total = sum(stratum.n for stratum in strata), sum(weights)
    value = sum(w * stratum.value for w, stratum in zip(weights, strata, strict=True)) / total if total else math.nan
    family: Family = "proportion" if all(stratum.family == "proportion" for stratum in strata) else "mean"
    kind = f"{len(strata)} tasks as strata, weighted {'by documents' if by_size else 'equally'}"
    errors = [stratum.stderr for stratum in strata]
    if family == "proportion":
        # a task of one document shows no spread: that of the whole group stands in for it
        errors = [math.sqrt(max(value * (1 - value), 0) / s.n) if s.stderr is None else s.stderr for s in strata]
    known = [error for error in errors if error is not None]
    if len(known) < len(strata) or not total:
        return Estimate(key, value, None, None, f"none: a task has no standard error ({kind})", n, family=family)
    degrees = [max(stratum.degrees or 1.0, 1.0) for stratum in strata]
    mean = stratified_mean([stratum.value for stratum in strata], known, weights, degrees)
    interval = (proportion_interval if family == "proportion" else mean_interval)(mean, n, confidence)
    how = f"{'Wilson, effective n' if family == 'proportion' else 't'}, {kind}"
    finite = mean.degrees if math.isfinite(mean.degrees) else float(max(n - len(strata), 1))
    return Estimate(
        key=key,
        value=mean.value,
        low=interval.low,
        high=interval.high,
        how=how,
        n=n,
        stderr=mean.error,
        degrees=finite,
        family=family,
    )


def _as_lm_eval(key: str, strata: Sequence[Estimate], sizes: Sequence[int], by_size: bool) -> Estimate:
    """Weighted by size the "pooled" error, sqrt(sum (n-1) n s² / (sum n - k) / sum n); else sqrt(sum s²) / k."""
    weights = list(sizes) if by_size else [1] * len(sizes)
    value = sum(stratum.value * w for stratum, w in zip(strata, weights, strict=True)) / sum(weights)
    errors = [stratum.stderr for stratum in strata if stratum.stderr is not None]
    n = sum(sizes)
    if len(errors) < len(strata) or (by_size and n == len(sizes)):
        return Estimate(key, value, None, None, "none: lm-eval gives N/A", n, family="mean")
    if by_size:
        pooled = sum((size - 1) * error**2 * size for size, error in zip(sizes, errors, strict=True)) / (n - len(sizes))
        error = math.sqrt(pooled / n)
    else:
        error = math.sqrt(sum(error**2 for error in errors)) / len(errors)
    how = "1.96 of lm-eval's standard errors"
    return Estimate(key, value, value - 1.96 * error, value + 1.96 * error, how, n, stderr=error, family="mean")
