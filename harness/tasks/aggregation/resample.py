"""Numbers whose interval only drawing the documents again can tell: any function of items, slowly."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.errors import UserError
from harness.tasks.aggregation.estimate import Estimate
from harness.tasks.aggregation.item_rows import labels
from harness.tasks.code.judging import statistic_of
from harness.tasks.config import Function, LoadFunction, TaskConfig
from harness.tasks.judging.specification import listed_metrics, name_of

_FUNCTION_DRAWS = 200
_SLOW = 1.0
"""Seconds of one call of a task's own aggregation from which it isn't resampled."""


def by_functions(
    config: TaskConfig,
    documents: Sequence[Mapping[str, Any]],
    clusters: Sequence[str | None],
    spec: Mapping[str, Any],
    function: LoadFunction,
) -> dict[str, dict[str, Any]]:
    """Estimates of metrics that the task file aggregates by a function of its own, to be stored as `given` in the spec.

    Where the task's code is: beside the model. Intervals are by bootstrap over clusters where the function is quick.
    Raises UserError where it fails.
    """
    functions = {
        listed.metric.name if isinstance(listed.metric, Function) else listed.metric: listed.aggregation
        for listed in listed_metrics(config)
        if isinstance(listed.aggregation, Function)
    }
    made = {}
    for key in dict.fromkeys(key for document in documents for key in document):
        named = functions.get(name_of(key, spec)[0])
        if named is None and key.startswith("pass@"):
            named = functions.get("pass@k")
        if named is None:
            continue
        having = [index for index, document in enumerate(documents) if key in document]
        items = [documents[index][key] for index in having]
        run = function(named, "aggregation")
        start = time.perf_counter()
        try:
            statistic = statistic_of(run, items)
            value = statistic(range(len(items)))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise UserError(
                f"`{named.name}` failed over the items of `{key}` with {reason}", place=str(named.file)
            ) from error
        if spec["mode"] == "lm-eval":
            estimate = Estimate(key, value, None, None, "none: lm-eval gives N/A", len(items))
        elif time.perf_counter() - start > _SLOW:
            estimate = Estimate(
                key, value, None, None, "none: the task's aggregation is too slow to resample", len(items)
            )
        else:
            groups = labels([clusters[index] for index in having])
            estimate = resampled(key, range(len(items)), groups, statistic, value, _FUNCTION_DRAWS)
        made[key] = asdict(estimate)
    return made


def resampled(
    key: str,
    items: Sequence[Any],
    groups: Sequence[str],
    statistic: Callable[[Sequence[Any]], float],
    value: float,
    count: int,
) -> Estimate:
    """Any statistic of items: percentile bootstrap, the slow way."""
    import numpy as np

    from harness.statistics.bootstrap import percentile_interval

    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    every = list(members.values())
    none = Estimate(key, value, None, None, "none: one document has no spread", len(items))
    if len(every) < 2:
        return none
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(count):
        chosen = [index for place in generator.integers(len(every), size=len(every)) for index in every[place]]
        try:
            draws.append(float(statistic([items[index] for index in chosen])))
        except Exception:
            return replace(none, how="none: the task's aggregation fails on a resample")
    low, high = percentile_interval(np.array(draws))
    units = f"{len(every)} clusters" if len(every) < len(items) else "documents"
    return Estimate(
        key=key,
        value=value,
        low=float(low),
        high=float(high),
        how=f"bootstrap over {units} ({count} draws, percentile)",
        n=len(items),
        stderr=float(np.std(draws, ddof=1)),
        degrees=float(len(every) - 1),
    )
