"""`diversity`: how varied, how repetitive and how sure the text is that a model writes under given decoding settings.

Documents of a text are cut to a prompt and continued. Greedy decoding falls into loops, a high temperature wanders: the
numbers say how much. Documents are the unit of the intervals.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from harness.errors import Unsupported, UserError
from harness.limits import LARGEST, LARGEST_SEED, MOST_DOCUMENTS, MOST_TOKENS
from harness.measures.cost import ROWS, TOKENS_AT_ONCE, Passes
from harness.measures.going import Going
from harness.measures.measure import Facts, Measure, Sample, Settings, with_notes
from harness.measures.text_documents import before_documents, text_documents
from harness.models.contract import LanguageModel
from harness.models.shape import ModelShape
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd

    from harness.statistics.intervals import Interval


class DiversitySettings(Settings):
    """Settings of `diversity`."""

    text: str = Field(min_length=1)
    """The text whose documents begin the prompts: `microworld/test`, `asset:shakespeare/test`, or a file or folder."""
    documents: int | None = Field(default=64, ge=1, le=MOST_DOCUMENTS)
    """How many documents, evenly spaced over the text."""
    prompt: int = Field(default=16, ge=1, le=MOST_TOKENS)
    """Tokens of each document that are given (after what the tokenizer puts first, mostly BOS). Shorter documents are
    left out."""
    generate: int = Field(default=64, ge=1, le=MOST_TOKENS)
    """At most so many tokens are generated."""
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False, le=LARGEST)
    """Logits are divided by it; 0 is greedy."""
    top_k: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """Only the k most likely tokens; left out, all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the smallest set of most likely tokens whose probability reaches p; 1: all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Only tokens with at least this share of the most likely token's probability; 0: all."""
    repetition_penalty: float = Field(default=1.0, gt=0, allow_inf_nan=False, le=LARGEST)
    """CTRL's penalty on tokens that were there before; 1: none."""
    sampling_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the draws, together with each document's number."""
    stop_at_end: bool = True
    """Whether a continuation ends where the model draws one of its end tokens (all that its tokenizer and its
    configurations declare)."""


DISTINCT = tuple(
    Metric(
        name=f"distinct_{n}",
        unit="fraction",
        version=2,
        direction=Direction.NONE,
        definition=f"Different {n}-grams of tokens over all {n}-grams, of all continuations together (Li et al. 2016, "
        "who divide by the tokens). Falls with the amount of text: compare equal amounts.",
    )
    for n in (1, 2, 3)
)
# version 2: a continuation ends at every end token that the model declares, not at the tokenizer's EOS alone
REPETITION_ORDER = 4
REPETITION = Metric(
    name="repetition",
    version=2,
    unit="fraction",
    direction=Direction.NONE,
    definition="seq-rep-4: share of a continuation's 4-grams of tokens that it has had before, 1 - different/all, mean "
    "over the continuations of 4 tokens or more (Welleck et al. 2020, equation 10).",
)
ENTROPY = Metric(
    name="entropy",
    version=2,
    unit="nats",
    direction=Direction.NONE,
    definition="Mean entropy of the model's own next-token distribution (temperature 1, no filter) along its text.",
)
DRAWN_ENTROPY = Metric(
    name="drawn_entropy",
    version=2,
    unit="nats",
    direction=Direction.NONE,
    definition="Mean entropy of the distribution that the tokens were drawn from, after temperature and filters.",
)
MEAN_LOG_PROB = Metric(
    name="mean_log_prob",
    version=2,
    unit="nats/token",
    direction=Direction.NONE,
    definition="Mean log-probability of the drawn tokens under the model itself (temperature 1, no filter).",
    per_token=True,
)
CONTINUATION_TOKENS = Metric(
    name="continuation_tokens",
    version=2,
    unit="tokens",
    direction=Direction.NONE,
    definition="Mean length of a continuation, without the end token.",
)


def collect(load: Callable[[], LanguageModel], settings: DiversitySettings) -> list[Sample]:
    """One row per document."""
    from harness.models.decoding import continue_prompts

    model = load()
    begin = before_documents(model)
    needed = len(begin) + settings.prompt + settings.generate - 1
    if needed > model.identity.context:
        raise Unsupported(
            f"prompt + generate = {settings.prompt + settings.generate} tokens do not fit in this model's context of "
            f"{model.identity.context}"
        )
    prompts = {
        document.number: [*begin, *document.own[: settings.prompt]]
        for document in text_documents(model, settings.text, begin, count=settings.documents)
        if len(document.own) >= settings.prompt
    }
    for index, prompt in prompts.items():
        check_ids(model, prompt, index, settings.text)
    if not prompts:
        raise UserError(f"no document of {settings.text} has {settings.prompt} tokens: ask for a shorter prompt")
    found = continue_prompts(
        model,
        list(prompts.values()),
        settings.generate,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        repetition_penalty=settings.repetition_penalty,
        seeds=[_document_seed(settings.sampling_seed, index) for index in prompts],
        stop_at_end=settings.stop_at_end,
        on_tokens=Going(load, len(prompts) * settings.generate, "tokens"),
    )
    rows: list[Sample] = [
        {
            "document": index,
            "tokens": list(continued.tokens),
            "ended": continued.ended,
            "draws": len(continued.log_probs),
            "log_prob": sum(continued.log_probs),
            "entropy": sum(continued.entropies),
            "drawn_entropy": sum(continued.drawn_entropies),
            "prompt_digest": hashlib.sha256(str(prompt).encode()).hexdigest()[:16],
        }
        for (index, prompt), continued in zip(prompts.items(), found, strict=True)
    ]
    return with_notes(rows, model.identity.cache.notes_on(needed))


def summarize(samples: pd.DataFrame, settings: DiversitySettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.statistics.intervals import ratio_of_sums

    continuations = [list(tokens) for tokens in samples["tokens"]]

    def measurement(metric: Metric, interval: Interval, how: str) -> Measurement:
        value, low, high, n = interval
        if metric.unit == "fraction" and low is not None and high is not None:
            low, high = max(low, 0.0), min(high, 1.0)
        given = how if low is not None else "none: one document"
        return Measurement(metric=metric, value=value, low=low, high=high, interval=given, n=n, n_unit="documents")

    found = [
        measurement(metric, distinct, "t over documents left out in turn (jackknife)")
        for n, metric in enumerate(DISTINCT, start=1)
        if (distinct := distinct_ngrams(continuations, n)) is not None
    ]
    shares = [share for tokens in continuations if (share := repeated_share(tokens, REPETITION_ORDER)) is not None]
    if shares:
        found.append(measurement(REPETITION, ratio_of_sums(shares, np.ones(len(shares))), "t over documents"))
    for metric, column in ((ENTROPY, "entropy"), (DRAWN_ENTROPY, "drawn_entropy"), (MEAN_LOG_PROB, "log_prob")):
        ratio = ratio_of_sums(samples[column], samples["draws"])
        found.append(measurement(metric, ratio, "t over documents (ratio estimator)"))
    lengths = [len(tokens) for tokens in continuations]
    found.append(measurement(CONTINUATION_TOKENS, ratio_of_sums(lengths, np.ones(len(lengths))), "t over documents"))
    return found


def _document_seed(seed: int, document: int) -> int:
    """Of one document's draws: independent of how many others are measured, and of those that begin alike."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {document}".encode(), digest_size=8).digest(), "little")


def ngrams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    """The n-grams of a sequence, in order: len(tokens) - n + 1 of them, or none."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def repeated_share(tokens: Sequence[int], n: int) -> float | None:
    """1 - different n-grams / n-grams (Welleck et al. 2020, equation 10); None where there is no n-gram."""
    found = ngrams(tokens, n)
    return 1 - len(set(found)) / len(found) if found else None


def distinct_ngrams(continuations: Sequence[Sequence[int]], n: int) -> Interval | None:
    """Different n-grams over n-grams of all continuations together, with a jackknife over the continuations.

    Two continuations may share n-grams, so the number is no mean over them: each is left out in turn, and the variance
    is (m - 1)/m · Σ(θ_i - mean θ)² (Efron & Tibshirani 1993, equation 11.5), with Student's t of m - 1 degrees. None
    where there is no n-gram.
    """
    from harness.statistics.intervals import Interval, jackknife

    sets = [set(ngrams(tokens, n)) for tokens in continuations]
    totals = np.array([max(len(tokens) - n + 1, 0) for tokens in continuations])
    if totals.sum() == 0:
        return None
    holders = Counter(gram for grams in sets for gram in grams)
    alone = np.array([sum(holders[gram] == 1 for gram in grams) for grams in sets])
    rest = totals.sum() - totals
    if len(sets) > 1 and not rest.all():  # one continuation has all the n-grams
        return Interval(len(holders) / float(totals.sum()), None, None, len(sets))
    without = (len(holders) - alone) / np.maximum(rest, 1)
    return jackknife(len(holders) / float(totals.sum()), without)


def _passes(settings: DiversitySettings, shape: ModelShape) -> Passes:
    together = min(ROWS * settings.prompt, max(settings.prompt, TOKENS_AT_ONCE))
    return Passes(together, settings.prompt, ROWS * (settings.prompt + settings.generate))


DIVERSITY = Measure(
    name="diversity",
    version=2,
    about="How varied and repetitive a model's text is by how it is decoded: distinct-n, repetition, entropy.",
    settings=DiversitySettings,
    metrics=(*DISTINCT, REPETITION, ENTROPY, DRAWN_ENTROPY, MEAN_LOG_PROB, CONTINUATION_TOKENS),
    isolated=False,
    needs_peaks=False,
    fills=(("prompt", "generate"),),
    collect=collect,
    summarize=summarize,
    texts=lambda settings: (settings.text,),
    passes=_passes,
)
