"""What a task's answers say of one model: what so few documents can see, and whether tokens are right by themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.mirage.answers_table import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PASS_AT = (1, 10, 100, 1000)


@dataclass(frozen=True)
class LengthTest:
    """Exact match as a power of token accuracy, at one size."""

    parameters: float
    token_accuracy: float
    """Measured: of all tokens of the right answers."""
    implied: float
    """What exact match implies."""
    low: float
    high: float
    predicted: float
    """Exact match if each token were right for itself with the measured accuracy."""
    observed: float
    misfit_p: float | None
    """Of log accuracy being linear in length."""


@dataclass(frozen=True)
class Resolution:
    """What n documents can see of one model."""

    parameters: float
    right: int
    n: int
    least: float
    """Accuracies up to this show no right answer with a chance of 5 % or more (the rule of three, exact)."""
    all_wrong: float | None = None
    """P(every answer is wrong) if each is drawn once at temperature 1: product of 1 - p; None without likelihoods."""
    mean_log_p: float | None = None
    """E[log p] of the right answer, in nats."""
    log_mean_p: float | None = None
    """log E[p]: the easiest documents' alone where it is far above E[log p]."""
    mean_log_p_error: float | None = None
    log_mean_p_error: float | None = None
    """Standard errors over documents (or clusters)."""
    pass_at: tuple[tuple[int, float], ...] = ()
    """k and the chance that one of k answers drawn at temperature 1 is right, by the likelihoods."""


def length_tests(answers: Answers) -> list[LengthTest]:
    """A test per size, of answers that are right or wrong and whose tokens are counted."""
    import numpy as np

    from harness.statistics.answer_length import all_right, implied_token_accuracy

    columns = answers.columns
    if not {"tokens", "hits"} <= columns.keys() or not np.isin(columns["right"], (0.0, 1.0)).all():
        return []
    found = []
    for at, size in enumerate(answers.sizes):
        tokens, hits, right = (columns[name][:, at] for name in ("tokens", "hits", "right"))
        accuracy = float(hits.sum() / tokens.sum())
        implied = implied_token_accuracy(right, tokens)
        found.append(
            LengthTest(
                parameters=size,
                token_accuracy=accuracy,
                implied=implied.q,
                low=implied.low,
                high=implied.high,
                predicted=all_right(accuracy, tokens),
                observed=float(right.mean()),
                misfit_p=implied.misfit_p,
            )
        )
    return found


def resolutions(answers: Answers) -> list[Resolution]:
    """What the documents can see of each size, and what the likelihoods say beyond that."""
    return [_resolution(answers, at, size) for at, size in enumerate(answers.sizes)]


def _resolution(answers: Answers, at: int, size: float) -> Resolution:
    import numpy as np

    from harness.statistics.proportions import most_unseen

    right = answers.columns["right"][:, at]
    seen, n = int((right > 0).sum()), len(right)
    if "gold_log_prob" not in answers.columns:
        return Resolution(size, seen, n, most_unseen(n))
    logs = np.minimum(answers.columns["gold_log_prob"][:, at], 0.0)
    p = np.exp(logs)
    with np.errstate(divide="ignore"):
        wrong = np.log1p(-p)
    mean_p, error = float(p.mean()), _error(p, answers.clusters)
    return Resolution(
        parameters=size,
        right=seen,
        n=n,
        least=most_unseen(n),
        all_wrong=float(np.exp(wrong.sum())),
        mean_log_p=float(logs.mean()),
        log_mean_p=math.log(mean_p) if mean_p > 0 else -math.inf,
        mean_log_p_error=_error(logs, answers.clusters),
        log_mean_p_error=None if error is None or mean_p == 0 else error / mean_p,
        pass_at=tuple((k, float((1 - np.exp(k * wrong)).mean())) for k in PASS_AT),
    )


def _error(values: Floats, clusters: tuple[str, ...]) -> float | None:
    """Standard error of a mean; None of one cluster."""
    import numpy as np

    from harness.statistics.influence import by_cluster, covariance, ratio_influences

    rows = by_cluster(ratio_influences(values[:, None], np.ones((len(values), 1))), clusters)
    return math.sqrt(covariance(rows)[0, 0]) if len(rows) > 1 else None
