"""`in_context`: does the model predict better the more it has read? Loss late in the context less loss early in it.

Olsson et al. 2022 (arXiv:2209.11895, In-context Learning and Induction Heads) take the loss of the 500th token less
that of the 50th in contexts of 512. Here both places are shares of the context, so that small contexts have them too,
and each is a band of tokens, since one token of each document is mostly noise.

Texts are easier at their ends for other reasons too, so there are readings beside it: the same tokens in random order,
where only their frequencies can be learnt from the context; random tokens that come twice, where the second copy can
be known only from the first; and, as its control, random tokens followed by the same ones in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from harness.errors import Unsupported, UserError
from harness.limits import LARGEST_SEED, MOST_DOCUMENTS, MOST_SEQUENCES, MOST_TOKENS
from harness.measures.cost import windows
from harness.measures.evenly_spaced import evenly_spaced
from harness.measures.going import Going
from harness.measures.measure import Facts, Measure, Sample, Settings, in_first_row
from harness.measures.text_documents import TextDocument, before_documents, ids_digest, text_documents
from harness.models.contract import LanguageModel
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd

TEXT, COPY = "text", "copy"
"""The kinds of rows: a document, a sequence of random tokens."""


class InContextSettings(Settings):
    """Settings of `in_context`."""

    text: str = Field(min_length=1)
    """The text: `microworld/test`, `asset:shakespeare/test`, or a file or folder."""
    tokens: int | None = Field(default=None, ge=16, le=MOST_TOKENS)
    """Tokens that are read of each document, BOS included; shorter documents are left out. Left out, the model's whole
    context. Compare models at one number."""
    documents: int | None = Field(default=None, ge=2, le=MOST_DOCUMENTS)
    """How many documents that are long enough, evenly spaced; left out, all."""
    early: float = Field(default=0.1, ge=0, le=1)
    """Where the early band lies, as a share of the context (Olsson et al.: 50 of 512)."""
    late: float = Field(default=0.95, ge=0, le=1)
    """Where the late band lies (Olsson et al.: 500 of 512; here a band must fit behind it)."""
    band: float = Field(default=0.05, ge=0, le=0.5)
    """Half the width of both bands, as a share of the context; 0 takes one token each."""
    sequences: int = Field(default=32, ge=2, le=MOST_SEQUENCES)
    """Sequences of random tokens that come twice."""
    copied: int | None = Field(default=None, ge=4, le=MOST_TOKENS)
    """Tokens of one copy; left out, what makes two copies fill `tokens`, at most 256."""
    random_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the random orders and the random tokens."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.early + self.band > self.late - self.band:
            raise ValueError(
                f"the early band ends at {self.early + self.band:g} and the late one begins at "
                f"{self.late - self.band:g}: put them apart"
            )
        return self


def _metric(name: str, definition: str, *, detail: bool = False) -> Metric:
    better = Direction.NONE if detail else Direction.LOWER
    return Metric(name=name, unit="nats/token", direction=better, definition=definition, detail=detail, per_token=True)


SCORE = _metric(
    "in_context_score",
    "Mean over documents of (loss in a band late in the context - loss in a band early in it). The more below 0, the "
    "more the context helps (Olsson et al. 2022, arXiv:2209.11895, with bands for its two tokens).",
)
EARLY = _metric("early_loss", "Mean negative log-likelihood of the tokens in the early band.", detail=True)
LATE = _metric("late_loss", "Mean negative log-likelihood of the tokens in the late band.", detail=True)
SHUFFLED = _metric(
    "shuffled_context_score",
    "Control: in_context_score of the same tokens in random order. Only how often tokens come can be learnt from the "
    "context there.",
    detail=True,
)
ORDER = _metric(
    "context_order_score",
    "in_context_score less shuffled_context_score, by document: what the order of the context brings. Read both: a "
    "model that shuffled text confuses more and more has a shuffled_context_score above 0.",
)
INDUCTION = _metric(
    "induction_score",
    "copy_score less induction_control, by sequence: what the copy brings beyond its place. Below 0 for a model that "
    "looks up what followed before.",
)
COPIED = _metric(
    "copy_score",
    "Of random tokens that come twice: mean over sequences of (loss of the second copy - loss of the first), without "
    "the first token of each. Holds what position alone changes: see induction_control.",
    detail=True,
)
INDUCTION_CONTROL = _metric(
    "induction_control",
    "Control: copy_score where the same tokens follow in another order instead of the copy. Only position and how "
    "often tokens came can help.",
    detail=True,
)
READ = Metric(
    name="documents_read",
    unit="documents",
    direction=Direction.NONE,
    definition="Documents that are long enough and were read.",
    detail=True,
    counted=True,
)


def collect(load: Callable[[], LanguageModel], settings: InContextSettings) -> list[Sample]:
    """A row per document (kind text) and per sequence (kind copy); losses are means per token, in nats."""
    from harness.scoring.loglikelihood import token_nlls

    model = load()
    length = _length(settings, model.identity.context)
    bos = list(before_documents(model))
    given = max(len(bos), 1)
    texts = _long_enough(settings, model, length - len(bos))
    generator = np.random.default_rng(settings.random_seed)
    orders = [generator.permutation(ids).tolist() for _, ids in texts]
    vocabulary = np.unique(np.concatenate([ids for _, ids in texts]))
    copied = _copied(settings, length - len(bos))
    first = generator.choice(vocabulary, (settings.sequences, copied))
    other = generator.permuted(first, axis=1)
    asked = [
        *(bos + ids for _, ids in texts),
        *(bos + ids for ids in orders),
        *(bos + row.tolist() for row in np.concatenate([first, first], axis=1)),
        *(bos + row.tolist() for row in np.concatenate([first, other], axis=1)),
    ]
    # what the tokenizer puts first is given, be it several tokens
    going = Going(load, sum(len(ids) - 1 for ids in asked), "tokens")
    scored = token_nlls(model, asked, length, length // 2, lambda nlls: going(nlls.size))
    nlls = [nll[given - 1 :] for nll in scored]
    if any(np.isnan(nll).any() for nll in nlls):
        raise UserError(
            f"the model's logits are not numbers (NaN) on {settings.text}: run it in fp32, or train or fetch it again"
        )
    count, sequences = len(texts), settings.sequences
    early, late = _bands(length - given, settings)
    rows: list[Sample] = []
    for place, (document, ids) in enumerate(texts):
        whole, mixed = nlls[place], nlls[count + place]
        rows.append(
            {
                "kind": TEXT,
                "tokens": length,
                "document": document.number,
                "text_digest": document.text_digest,
                "ids_digest": ids_digest(ids),
                "early": float(whole[early].mean()),
                "late": float(whole[late].mean()),
                "shuffled_early": float(mixed[early].mean()),
                "shuffled_late": float(mixed[late].mean()),
            }
        )
    for number in range(sequences):
        copy, control = nlls[2 * count + number], nlls[2 * count + sequences + number]
        halves = _halves(copy, copied, "") | _halves(control, copied, "control_")
        drawn = ids_digest([*first[number].tolist(), *other[number].tolist()])
        rows.append({"kind": COPY, "document": number, "ids_digest": drawn, **halves})
    return rows


def _length(settings: InContextSettings, context: int) -> int:
    length = context if settings.tokens is None else settings.tokens
    if length > context:
        raise Unsupported(f"{length} tokens do not fit in this model's context of {context}")
    if length < 16:
        raise Unsupported(f"a context of {length} tokens has no early and late: 16 are needed")
    return length


def _copied(settings: InContextSettings, room: int) -> int:
    copied = min(room // 2, 256) if settings.copied is None else settings.copied
    if 2 * copied > room:
        raise Unsupported(f"two copies of {copied} tokens do not fit in {room}: give `copied: {room // 2}` or less")
    return copied


def _long_enough(settings: InContextSettings, model: LanguageModel, room: int) -> list[tuple[TextDocument, list[int]]]:
    """The documents that have `room` tokens, each with the first so many."""
    read = list(text_documents(model, settings.text, before_documents(model)))
    long = [(document, list(document.own[:room])) for document in read if len(document.own) >= room]
    if len(long) < 2:
        most = max((len(document.own) for document in read), default=0)
        raise Unsupported(
            f"{len(long)} documents of {settings.text} have {room} tokens, and two are needed; the longest has {most}: "
            "give `tokens` a smaller number"
        )
    kept = evenly_spaced(long, settings.documents)
    for document, ids in kept:
        check_ids(model, ids, document.number, settings.text)
    return kept


def _bands(count: int, settings: InContextSettings) -> tuple[slice, slice]:
    """Places among the `count` scored tokens of a context."""
    half = int(settings.band * count)
    early, late = (round(share * (count - 1)) for share in (settings.early, settings.late))
    return slice(max(early - half, 0), early + half + 1), slice(late - half, min(late + half + 1, count))


def _halves(nll: NDArray[np.float64], copied: int, prefix: str) -> dict[str, float]:
    """Mean loss of both copies, without the first token of each."""
    second = nll[-copied:]
    first = nll[len(nll) - 2 * copied + 1 : -copied]  # after a BOS the very first token is scored too
    return {f"{prefix}first": float(first.mean()), f"{prefix}second": float(second[1:].mean())}


def summarize(samples: pd.DataFrame, settings: InContextSettings, facts: Facts) -> list[Measurement]:
    """Means over documents, and over sequences, with Student's t."""
    texts, copies = (samples[samples["kind"] == kind] for kind in (TEXT, COPY))
    score = texts["late"] - texts["early"]
    shuffled = texts["shuffled_late"] - texts["shuffled_early"]
    copied = copies["second"] - copies["first"]
    control = copies["control_second"] - copies["control_first"]
    return [
        _mean(SCORE, score, "documents"),
        _mean(ORDER, score - shuffled, "documents"),
        _mean(INDUCTION, copied - control, "sequences"),
        _mean(EARLY, texts["early"], "documents"),
        _mean(LATE, texts["late"], "documents"),
        _mean(SHUFFLED, shuffled, "documents"),
        _mean(COPIED, copied, "sequences"),
        _mean(INDUCTION_CONTROL, control, "sequences"),
        Measurement(metric=READ, value=len(texts), n=len(texts), n_unit="documents"),
    ]


def _mean(metric: Metric, values: pd.Series[float], unit: str) -> Measurement:
    from harness.statistics.intervals import ratio_of_sums

    found = ratio_of_sums(values, np.ones(len(values)))
    return Measurement(
        metric=metric,
        value=found.value,
        low=found.low,
        high=found.high,
        interval=f"t over {unit}",
        n=found.n,
        n_unit=unit,
    )


IN_CONTEXT = Measure(
    name="in_context",
    version=1,
    about="Whether the context helps: loss late in it less loss early, against shuffled tokens, and on random copies.",
    settings=InContextSettings,
    metrics=(SCORE, ORDER, INDUCTION, EARLY, LATE, SHUFFLED, COPIED, INDUCTION_CONTROL, READ),
    isolated=False,
    needs_peaks=False,
    fills=(("tokens",),),
    collect=collect,
    summarize=summarize,
    resolved=in_first_row("tokens"),
    texts=lambda settings: (settings.text,),
    passes=lambda settings, shape: windows(settings.tokens or shape.context),
)
