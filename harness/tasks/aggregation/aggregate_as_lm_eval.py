"""lm-eval's values and standard errors, to the last digit that it prints.

Means: sample standard deviation over sqrt(n). Median, MCC, F1, perplexity, BLEU, chrF, TER and nanmean: bootstrap of
100,000 draws (100 of the metrics bleu, chrf, chrf++ and ter) in chunks of 1000, chunk i from
`random.Random(i).choices`; the standard deviation of the draws. All else N/A, which is None here. It gives no
intervals; ours is value ± 1.96 errors.

The draws are those of Python's generator, made by numpy from the same state: 30 times faster, the same numbers.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.tasks.aggregation.estimate import Estimate, Family
from harness.tasks.aggregation.item_rows import class_scores, references_and_answers
from harness.tasks.judging.text_scores import CORPUS_SCORES, corpus_score, corpus_statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

ITERATIONS = 100_000
_TEXT_ITERATIONS = 100
_CHUNK = 1000
_HELD = 1 << 21  # random numbers held at once


def estimate(key: str, metric: str, items: Sequence[Any], aggregation: str) -> Estimate:
    """One key's value and standard error as lm-eval 0.4.13 gives them."""
    value, error = _value_and_error(metric, items, aggregation)
    family: Family = "mean" if aggregation == "mean" else "other"
    if error is None or math.isnan(error):
        return Estimate(key, value, None, None, "none: lm-eval gives N/A", len(items), family=family)
    low, high = value - 1.96 * error, value + 1.96 * error
    return Estimate(key, value, low, high, "1.96 of lm-eval's standard errors", len(items), stderr=error, family=family)


def drawn_places(n: int, iterations: int) -> Iterator[Places]:
    """The places in a list of n that `bootstrap_stderr` draws: arrays (draws, n), in its order."""
    import numpy as np

    chunk = min(_CHUNK, iterations)
    for seed in range(iterations // chunk):
        state = random.Random(seed).getstate()[1]
        generator = np.random.RandomState()
        generator.set_state(("MT19937", np.array(state[:-1], dtype=np.uint32), state[-1], 0, 0.0))
        rows = max(1, _HELD // n)
        for start in range(0, chunk, rows):
            count = min(rows, chunk - start)
            yield (generator.random_sample(count * n) * float(n)).astype(np.int64).reshape(count, n)


def _value_and_error(metric: str, items: Sequence[Any], aggregation: str) -> tuple[float, float | None]:
    import numpy as np

    if aggregation == "bypass":
        return 999.0, None
    if aggregation == "mean":
        return _mean(items), _mean_error(items)
    if aggregation == "weighted_perplexity":
        return _exp(-_weighted(items)), None
    if aggregation == "bits_per_byte":
        return -_weighted(items) / math.log(2), None
    if aggregation == "brier_score":
        return sum(_squares(gold, probabilities) for gold, probabilities in items) / len(items), None
    iterations = _TEXT_ITERATIONS if metric in CORPUS_SCORES else ITERATIONS
    if aggregation in CORPUS_SCORES:
        return _corpus(items, aggregation, iterations)
    if aggregation in ("f1", "matthews_corrcoef"):
        return _classes(items, aggregation, iterations)
    numbers = np.array(items, dtype=np.float64)
    statistics: dict[str, tuple[float, Callable[[Floats], Floats]]] = {
        "perplexity": (_exp(-_mean(items)), lambda draws: np.exp(-draws.mean(1))),
        "median": (float(sorted(items)[len(items) // 2]), lambda draws: np.sort(draws, 1)[:, len(items) // 2]),
        "nanmean": (_nanmean(numbers), lambda draws: np.array([_nanmean(draw) for draw in draws])),
    }
    value, statistic = statistics[aggregation]
    if len(items) < 2:
        return value, None
    return value, _spread(np.concatenate([statistic(numbers[p]) for p in drawn_places(len(items), iterations)]))


def _corpus(items: Sequence[Any], aggregation: str, iterations: int) -> tuple[float, float | None]:
    import numpy as np

    references, answers = references_and_answers(items)
    shortest = min(len(texts) for texts in references)  # lm-eval zips them: further references are lost
    rows = corpus_statistics(aggregation, answers, [texts[:shortest] for texts in references])
    value = corpus_score(aggregation, rows.sum(0))
    if len(items) < 2:
        return value, None
    draws = [corpus_score(aggregation, rows[p].sum(0)) for ps in drawn_places(len(items), iterations) for p in ps]
    return value, _spread(np.array(draws))


def _classes(items: Sequence[Any], aggregation: str, iterations: int) -> tuple[float, float | None]:
    import numpy as np

    rows, score = class_scores(items, aggregation)
    value = float(score(rows.sum(0)[None])[0])
    if len(items) < 2:
        return value, None
    cells, width = rows.argmax(1), rows.shape[1]
    draws = []
    for places in drawn_places(len(items), iterations):
        spread = cells[places] + np.arange(len(places))[:, None] * width
        counts = np.bincount(spread.ravel(), minlength=len(places) * width).reshape(len(places), width)
        draws.append(score(counts.astype(np.float64)))
    return value, _spread(np.concatenate(draws))


def _mean(items: Sequence[Any]) -> float:
    return float(sum(items) / len(items))


def _mean_error(items: Sequence[Any]) -> float | None:
    n = len(items)
    if n < 2:
        return None
    mean = sum(items) / n
    return math.sqrt(sum((x - mean) ** 2 for x in items) / (n - 1)) / math.sqrt(n)


def _weighted(items: Sequence[Any]) -> float:
    return float(sum(item[0] for item in items) / sum(item[1] for item in items))


def _squares(gold: int, probabilities: Sequence[float]) -> float:
    if not -len(probabilities) <= gold < len(probabilities):
        raise IndexError(f"lm-eval stops at gold {gold} of {len(probabilities)} choices")
    right = gold % len(probabilities)
    return sum((p - (place == right)) ** 2 for place, p in enumerate(probabilities))


def _nanmean(numbers: Floats) -> float:
    import numpy as np

    return math.nan if np.all(np.isnan(numbers)) else float(np.nanmean(numbers))


def _spread(draws: Floats) -> float:
    return float(draws.std(ddof=1))


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
