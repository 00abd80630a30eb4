"""Items of documents become numbers with intervals.

Works on plain data: the items, the clusters and the specification that were stored with a run, without the task's
folder or a model. In mode right every interval has the document as its unit, or the cluster of documents that share a
passage; mode lm-eval gives lm-eval's value and standard error (`aggregate_as_lm_eval`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.tasks.aggregation import aggregate_as_lm_eval
from harness.tasks.aggregation.corrected import corrected
from harness.tasks.aggregation.estimate import Estimate, Family
from harness.tasks.aggregation.item_rows import (
    class_scores,
    labels,
    references_and_answers,
    sums_by_group,
)
from harness.tasks.aggregation.resample import resampled
from harness.tasks.judging.specification import entry_of, name_of
from harness.tasks.judging.text_scores import CORPUS_SCORES, corpus_score, corpus_statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DRAWS = 1000


def summarize(
    documents: Sequence[Mapping[str, Any]],
    clusters: Sequence[str | None],
    spec: Mapping[str, Any],
    *,
    confidence: float = 0.95,
) -> list[Estimate]:
    """One estimate per key that any document has an item of, what the task lists first.

    documents: `Scores.items` of each document that was judged. clusters: of each, what it shares with others that are
    not independent of it; None for a document by itself. spec: `specification.specification`, and under `given` what
    `resample.by_functions` made. Raises UserError that names the metric where items can't be summed up.
    """
    if len(clusters) != len(documents):
        raise ValueError(f"{len(documents)} documents and {len(clusters)} clusters: one of each is wanted")
    found = [one_key(key, documents, clusters, spec, confidence) for key in keys_of(documents, spec)]
    return [estimate for estimate in found if estimate is not None]


def keys_of(documents: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> list[str]:
    """Every key that any document has an item of, what the task lists first."""
    keys = dict.fromkeys(key for document in documents for key in document)
    return sorted(keys, key=lambda key: not entry_of(key, spec)["listed"])


def one_key(
    key: str,
    documents: Sequence[Mapping[str, Any]],
    clusters: Sequence[str | None],
    spec: Mapping[str, Any],
    confidence: float = 0.95,
) -> Estimate | None:
    """The estimate of one key; None where a function of the task file should have given it and didn't. Raises
    UserError that names the metric where its items can't be summed up."""
    if entry_of(key, spec)["aggregation"] == "function":
        given = spec.get("given", {}).get(key)
        return None if given is None else Estimate(**given)
    having = [index for index, document in enumerate(documents) if key in document]
    items = [documents[index][key] for index in having]
    groups = labels([clusters[index] for index in having])
    try:
        return _estimate(key, items, groups, spec, confidence)
    except (TypeError, ValueError, IndexError, KeyError, ArithmeticError) as error:
        aggregation = entry_of(key, spec)["aggregation"]
        raise UserError(
            f"items of `{key}` can't be summed up as `{aggregation}` ({error}); the first is {items[0]!r}",
            place=f"{spec['file']}:metric_list",
        ) from None


def _estimate(
    key: str, items: Sequence[Any], groups: Sequence[str], spec: Mapping[str, Any], confidence: float
) -> Estimate:
    aggregation = entry_of(key, spec)["aggregation"]
    if spec["mode"] == "lm-eval":
        return aggregate_as_lm_eval.estimate(key, name_of(key, spec)[0], items, aggregation)
    if aggregation == "bypass":
        return Estimate(key, 999.0, None, None, "none: bypass", len(items))
    if aggregation in ("mean", "nanmean", "brier_score"):
        numbers = [_brier(item) for item in items] if aggregation == "brier_score" else [float(item) for item in items]
        kept = [index for index, x in enumerate(numbers) if aggregation != "nanmean" or not math.isnan(x)]
        return _mean(key, [numbers[i] for i in kept], [groups[i] for i in kept], confidence)
    if aggregation == "perplexity":
        return _ratio(key, [[float(item), 1.0] for item in items], groups, math.e, confidence)
    if aggregation == "weighted_perplexity":
        return _ratio(key, items, groups, math.e, confidence)
    if aggregation == "bits_per_byte":
        return _ratio(key, items, groups, None, confidence)
    if aggregation == "median":
        return _median(key, [float(item) for item in items], groups, confidence)
    if aggregation in CORPUS_SCORES:
        references, answers = references_and_answers(items)
        rows = corpus_statistics(aggregation, answers, references)
        return _corpus(key, rows, groups, lambda sums: [corpus_score(aggregation, row) for row in sums], confidence)
    if aggregation == "corrected_share":
        return corrected(key, [float(item) for item in items], groups, entry_of(key, spec)["errors"], confidence)
    if aggregation == "calibration_error":
        from harness.statistics.calibration_error import calibration_rows, error_of_sums

        rows = calibration_rows([item[0] for item in items], [item[1] for item in items])
        return _corpus(key, rows, groups, error_of_sums, confidence)
    if aggregation in ("f1", "matthews_corrcoef", "cohen_kappa"):
        rows, score = class_scores(items, aggregation)
        return _corpus(key, rows, groups, score, confidence)
    raise ValueError(f"unknown aggregation `{aggregation}`")


def _mean(key: str, numbers: Sequence[float], groups: Sequence[str], confidence: float) -> Estimate:
    """A proportion where every item is 0 or 1: Wilson's interval. Else Student's t."""
    import numpy as np

    from harness.statistics.intervals import ratio_of_sums
    from harness.statistics.proportions import clustered_proportion, wilson

    if not numbers:
        return Estimate(key, math.nan, None, None, "none: no document has a number", 0)
    sums, sizes = sums_by_group(np.array([[x, 1.0] for x in numbers]), groups).T
    linear = ratio_of_sums(sums, sizes, confidence)
    clustered = len(sums) < len(numbers)
    family: Family = "proportion" if all(x in (0.0, 1.0) for x in numbers) else "mean"
    units = f"{len(sums)} clusters" if clustered else "documents"
    if family == "proportion":
        interval = (
            clustered_proportion(sums, sizes, confidence) if clustered else wilson(sums.sum(), len(sums), confidence)
        )
        how = f"Wilson, effective n over {units}, t" if clustered else f"Wilson over {units}"
    else:
        interval = linear
        how = f"t over {units} (ratio estimator)" if clustered else f"t over {units}"
    if interval.low is None:
        how = "none: one cluster has no spread" if clustered else "none: one document has no spread"
    error = None if linear.low is None else _standard_error(sums, sizes)
    return Estimate(
        key=key,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        how=how,
        n=len(numbers),
        stderr=error,
        degrees=None if error is None else float(len(sums) - 1),
        family=family,
    )


def _ratio(
    key: str, items: Sequence[Sequence[float]], groups: Sequence[str], base: float | None, confidence: float
) -> Estimate:
    """-sum of log-probabilities over sum of units: exp of it (a perplexity), or in bits where there is no base."""
    import numpy as np

    from harness.statistics.intervals import ratio_of_sums

    rows = sums_by_group(np.array([[-float(log), float(units)] for log, units in items]), groups)
    interval = ratio_of_sums(rows[:, 0], rows[:, 1], confidence)
    error = None if interval.low is None else _standard_error(rows[:, 0], rows[:, 1])

    def outwards(x: float) -> float:
        return _exp(x) if base else x / math.log(2)

    value = outwards(interval.value)
    if error is not None:
        error = error * value if base else error / math.log(2)
    units = f"{len(rows)} clusters" if len(rows) < len(items) else "documents"
    how = f"t over {units} (ratio estimator{', exp of its ends' if base else ''})"
    return Estimate(
        key=key,
        value=value,
        low=None if interval.low is None else outwards(interval.low),
        high=None if interval.high is None else outwards(interval.high),
        how=how if interval.low is not None else "none: one document has no spread",
        n=len(items),
        stderr=error,
        degrees=None if error is None else float(len(rows) - 1),
        family="mean",
    )


def _corpus(
    key: str,
    rows: Floats,
    groups: Sequence[str],
    score: Callable[[Floats], Sequence[float] | Floats],
    confidence: float,
) -> Estimate:
    """A function of summed rows: percentile bootstrap over documents or clusters."""
    import numpy as np

    from harness.statistics.bootstrap import percentile_interval, resampled_means

    by_group = sums_by_group(rows, groups)
    value = float(score(rows.sum(0)[None])[0])
    units = f"{len(by_group)} clusters" if len(by_group) < len(rows) else "documents"
    if len(by_group) < 2:
        return Estimate(key, value, None, None, "none: one document has no spread", len(rows))
    means = resampled_means(by_group, np.ones_like(by_group), _DRAWS, seed=0)
    draws = np.asarray(score(means * len(by_group)), dtype=np.float64)
    low, high = percentile_interval(draws, confidence)
    return Estimate(
        key=key,
        value=value,
        low=float(low),
        high=float(high),
        how=f"bootstrap over {units} ({_DRAWS} draws, percentile)",
        n=len(rows),
        stderr=float(draws.std(ddof=1)),
        degrees=float(len(by_group) - 1),
    )


def _median(key: str, numbers: Sequence[float], groups: Sequence[str], confidence: float) -> Estimate:
    import numpy as np

    from harness.statistics.intervals import median

    if len(set(groups)) < len(groups):
        return resampled(key, numbers, groups, lambda x: float(np.median(x)), float(np.median(numbers)), _DRAWS)
    interval = median(numbers, confidence)
    how = "order statistics over documents" if interval.low is not None else "none: too few documents for a median"
    return Estimate(key, interval.value, interval.low, interval.high, how, len(numbers))


def _brier(item: Any) -> float:
    if isinstance(item, int | float):
        return float(item)
    gold, probabilities = item
    return float(sum((p - (place == gold)) ** 2 for place, p in enumerate(probabilities)))


def _standard_error(numerator: Floats, denominator: Floats) -> float:
    """Of the ratio estimator; of a mean where the denominators are ones."""
    n = len(numerator)
    residual = numerator - numerator.sum() / denominator.sum() * denominator
    return float((n / (n - 1) * (residual**2).sum()) ** 0.5 / denominator.sum())


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
