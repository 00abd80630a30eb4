"""`fidelity`: how far a model at a precision is from itself in fp32, on a text.

A perplexity that has not moved can hide predictions that have: what one token loses another gains. So the two models
read the same tokens side by side and their whole distributions are compared, token by token, and both continue
the same prompts greedily until they part. Documents are the unit of every interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.errors import Unsupported, UserError
from harness.limits import MOST_TOKENS
from harness.measures.cost import Pace, tokens_of_text, windows
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, in_first_row, with_notes
from harness.measures.perplexity import PerplexitySettings, window_and_stride
from harness.measures.text_documents import before_documents, text_documents
from harness.models.contract import LanguageModel, Precision
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric, Sums

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from harness.statistics.intervals import Interval

BASELINE: Precision = "fp32"
"""The precision that the others are compared with."""
TOKENS_FOR_P99 = 459
"""So many values a 99th percentile needs (the least n at which an interval for it has two ends at 99 %)."""
DOCUMENTS_FOR_BOOTSTRAP = 6
"""Fewer documents can't be drawn again to any purpose."""
REPLICATES = 1000


class FidelitySettings(PerplexitySettings):
    """Settings of `fidelity`: the text and its windows as in `perplexity`, and the greedy continuations."""

    prompt: int = Field(default=32, ge=1, le=MOST_TOKENS)
    """Tokens of each document that both models continue greedily."""
    generate: int = Field(default=32, ge=0, le=MOST_TOKENS)
    """Greedy tokens after each prompt; 0 leaves the continuations out."""


LOSS_CHANGE = Metric(
    name="loss_change",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Mean negative log-likelihood per scored token less that of the same model in fp32, on the same tokens: "
    "Σ(NLL - NLL fp32)/Σtokens.",
    per_token=True,
    relative_to=("precision", BASELINE),
)
KL_MEAN = Metric(
    name="kl_mean",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Mean over scored tokens of KL(fp32 || this) = Σ p (ln p - ln q) over the whole vocabulary.",
    sums=Sums(of="kl_sum", over="tokens"),
    per_token=True,
    tradeoff=True,
    relative_to=("precision", BASELINE),
)
KL_MEDIAN = Metric(
    name="kl_median",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Median over scored tokens of KL(fp32 || this).",
    per_token=True,
    relative_to=("precision", BASELINE),
)
KL_P99 = Metric(
    name="kl_p99",
    unit="nats/token",
    direction=Direction.LOWER,
    definition=f"99th percentile over scored tokens of KL(fp32 || this); needs {TOKENS_FOR_P99} tokens.",
    per_token=True,
    relative_to=("precision", BASELINE),
)
TOP1_AGREEMENT = Metric(
    name="top1_agreement",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Share of scored tokens where both give the highest logit to the same token.",
    sums=Sums(of="agrees", over="tokens"),
    per_token=True,
    tradeoff=True,
    relative_to=("precision", BASELINE),
)
FIRST_DIVERGENCE = Metric(
    name="first_divergence",
    unit="tokens",
    direction=Direction.HIGHER,
    definition="Median over documents of how many tokens of the two greedy continuations of a prompt agree before the "
    "first that differs; a continuation that never differs counts as its whole length (setting `generate`).",
    relative_to=("precision", BASELINE),
)


def collect(load: Load, settings: FidelitySettings) -> list[Sample]:
    """One row per document; an empty document gives a row that scores nothing."""
    from harness.scoring.divergence import divergences

    model, baseline = load(), load(BASELINE)
    window, stride = window_and_stride(settings, model.identity.context)
    if settings.prompt + settings.generate > model.identity.context:
        raise Unsupported(
            f"a prompt of {settings.prompt} and {settings.generate} tokens after it do not fit in this model's "
            f"context of {model.identity.context}"
        )
    before = before_documents(model, settings.bos)
    given = max(len(before), 1)
    documents = list(
        text_documents(model, settings.text, before, count=settings.documents, size=settings.document_bytes)
    )
    for document in documents:
        check_ids(model, document.ids, document.number, settings.text)
    tokens_read = [list(document.ids) for document in documents]
    agreed = _greedy_agreement(model, baseline, tokens_read, settings)
    are_whole = all(len(ids) <= window for ids in tokens_read)
    rows: list[Sample] = []
    going = Going(load, sum(max(len(ids) - 1, 0) for ids in tokens_read), "tokens")
    found = divergences(model, baseline, tokens_read, window, stride, going)
    for document, whole, tokens in zip(documents, found, agreed, strict=True):
        one = whole.beyond(given)
        if any(np.isnan(values).any() for values in one):
            raise UserError(
                f"the model's logits are not numbers (NaN) in document {document.number} of {settings.text}: "
                "run it in fp32, or train or fetch it again"
            )
        rows.append(
            {
                "document": document.number,
                "tokens": len(one.nll),
                "bytes": len(document.text.encode()),
                "nll": float(one.nll.sum()),
                "base_nll": float(one.base_nll.sum()),
                "kl": one.kl.tolist(),
                "kl_sum": float(one.kl.sum()),
                "agrees": int(one.agrees.sum()),
                "greedy_agreed": tokens,
                "window": window,
                "stride": stride,
                "whole_documents": are_whole,
                "first_token": "scored" if before else "given",
                "text_digest": document.text_digest,
                "ids_digest": document.ids_digest,
            }
        )
    behavior = model.identity.cache
    return with_notes(rows, behavior.notes_on(settings.prompt + settings.generate) if settings.generate else ())


def summarize(samples: pd.DataFrame, settings: FidelitySettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows. Documents that scored nothing count for nothing."""
    from harness.statistics.intervals import median, ratio_of_sums

    scored = samples[samples["tokens"] > 0]
    if scored.empty:
        raise UserError(f"no document of {settings.text} has a token to score")
    tokens = scored["tokens"].to_numpy(dtype=float)
    kl = [np.asarray(values, dtype=float) for values in scored["kl"]]
    ratio = "t over documents (ratio estimator)"
    change = ratio_of_sums(scored["nll"] - scored["base_nll"], tokens)
    measurements = [
        _measurement(LOSS_CHANGE, change, ratio),
        _measurement(KL_MEAN, ratio_of_sums([values.sum() for values in kl], tokens), ratio, least=0.0),
        _measurement(KL_MEDIAN, *_quantile(kl, 0.5)),
    ]
    if tokens.sum() >= TOKENS_FOR_P99:
        measurements.append(_measurement(KL_P99, *_quantile(kl, 0.99)))
    agreement = ratio_of_sums(scored["agrees"], tokens)
    measurements.append(_measurement(TOP1_AGREEMENT, agreement, ratio, least=0.0, most=1.0))
    lengths = samples["greedy_agreed"].dropna()
    if len(lengths):
        measurements.append(_measurement(FIRST_DIVERGENCE, median(lengths), "order statistics over documents"))
    return measurements


def _greedy_agreement(
    model: LanguageModel, baseline: LanguageModel, documents: list[list[int]], settings: FidelitySettings
) -> list[int | None]:
    """How many greedy tokens agree, per document; None where a document is shorter than the prompt."""
    from harness.scoring.divergence import greedy

    found: list[int | None] = [None] * len(documents)
    long_enough = [number for number, ids in enumerate(documents) if len(ids) >= settings.prompt]
    if settings.generate == 0:
        return found
    for start in range(0, len(long_enough), PROMPTS_AT_ONCE):
        numbers = long_enough[start : start + PROMPTS_AT_ONCE]
        prompts = [documents[number][: settings.prompt] for number in numbers]
        ours, theirs = (greedy(which, prompts, settings.generate) for which in (model, baseline))
        for number, differs in zip(numbers, ours != theirs, strict=True):
            found[number] = int(differs.argmax()) if differs.any() else settings.generate
    return found


PROMPTS_AT_ONCE = 16
"""Prompts that are continued in one batch."""


def _quantile(kl: list[NDArray[np.float64]], q: float) -> tuple[Interval, str]:
    """A quantile over all tokens, with whole documents drawn again for its interval."""
    from harness.statistics.bootstrap import percentile_interval
    from harness.statistics.intervals import Interval

    value = float(np.quantile(np.concatenate(kl), q))
    if len(kl) < DOCUMENTS_FOR_BOOTSTRAP:
        return Interval(value, None, None, len(kl)), f"none: fewer than {DOCUMENTS_FOR_BOOTSTRAP} documents"
    draw = np.random.default_rng(0)
    draws = draw.integers(len(kl), size=(REPLICATES, len(kl)))
    values = np.array([np.quantile(np.concatenate([kl[i] for i in chosen]), q) for chosen in draws])
    low, high = percentile_interval(values)
    return Interval(value, float(low), float(high), len(kl)), "bootstrap over documents (percentile)"


def _measurement(
    metric: Metric, value: Interval, how: str, *, least: float | None = None, most: float | None = None
) -> Measurement:
    """A measurement over documents; its interval is cut off where the metric ends."""
    low, high = value.low, value.high
    if low is None or high is None:
        how = how if how.startswith("none") else "none: too few documents"
    else:
        low = low if least is None else max(low, least)
        high = high if most is None else min(high, most)
    return Measurement(
        metric=metric, value=value.value, low=low, high=high, interval=how, n=value.n, n_unit="documents"
    )


def _texts(settings: Any) -> tuple[str, ...]:
    return (settings.text,)


def _seconds(settings: FidelitySettings, pace: Pace) -> float:
    """Two models read the text."""
    return pace.start + pace.compute(2.0 * tokens_of_text(settings.text, settings.documents, settings.document_bytes))


FIDELITY = Measure(
    name="fidelity",
    version=1,
    about="How far the model is from itself in fp32: loss, divergence, agreement, first differing token.",
    settings=FidelitySettings,
    metrics=(LOSS_CHANGE, KL_MEAN, KL_MEDIAN, KL_P99, TOP1_AGREEMENT, FIRST_DIVERGENCE),
    isolated=False,
    needs_peaks=False,
    fills=(("window",), ("prompt", "generate")),
    collect=collect,
    summarize=summarize,
    resolved=in_first_row("window", "stride", "whole_documents", "first_token"),
    texts=_texts,
    seconds=_seconds,
    passes=lambda settings, shape: windows(settings.window or shape.context, beside=BASELINE),
)
