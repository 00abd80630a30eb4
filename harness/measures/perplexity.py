"""`perplexity`: how well a model predicts a text, per token and per byte.

Long documents are read through sliding windows (Hugging Face's strided loop). Documents are the unit of the interval:
the tokens of one document share its subject and its author, and counting them as independent makes intervals far
too narrow. Perplexities of models with different tokenizers can't be compared; bits per byte can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from harness.errors import Unsupported, UserError
from harness.limits import MOST_DOCUMENTS, MOST_TOKENS
from harness.measures.cost import tokens_of_text, windows
from harness.measures.going import Going
from harness.measures.measure import Facts, Measure, Sample, Settings, in_first_row, with_notes
from harness.measures.text_documents import before_documents, text_documents, unscored_bytes
from harness.models.contract import LanguageModel
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric, Missing, Status, Sums

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from harness.statistics.intervals import Interval


class PerplexitySettings(Settings):
    """Settings of `perplexity`."""

    text: str = Field(min_length=1)
    """The text: `microworld/test`, `asset:shakespeare/test`, or a file or folder."""
    window: int | None = Field(default=None, ge=2, le=MOST_TOKENS)
    """Tokens that the model sees at once; left out, its whole context."""
    stride: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Tokens between the starts of two windows, at most window - 1; left out, half the window."""
    bos: Literal["auto", "add", "none"] = "auto"
    """Whether a BOS token comes before each document: as the model's tokenizer does by itself (some put other tokens
    there, or several; a text that begins with them gets no second ones), always, or never. Without one the first token
    of a document has no prediction and is not scored."""
    documents: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """How many documents, evenly spaced over the text; left out, all."""
    document_bytes: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """Cut each document after so many bytes of UTF-8 (between two characters), so that models with different
    tokenizers see the same text; left out, whole."""

    @model_validator(mode="after")
    def _overlap(self) -> Self:
        if self.window is not None and self.stride is not None and self.stride >= self.window:
            raise ValueError(
                f"`stride: {self.stride}` needs a window of more than {self.stride} tokens, not {self.window}: the "
                f"first token of each window would have no context; give a stride of at most {self.window - 1}"
            )
        return self


VERSION = 2
"""Of its metrics. 2: what the tokenizer itself puts first stands before a text, be it BOS, another token or several."""
PERPLEXITY_METRIC = Metric(
    name="perplexity",
    version=VERSION,
    unit="per token",
    direction=Direction.LOWER,
    definition="exp of the mean negative log-likelihood per scored token of this model's tokenizer: exp(ΣNLL/Σtokens) "
    "over all documents. The first token of a document counts only where a BOS comes before it.",
    sums=Sums(of="nll", over="tokens", exponential=True),
    per_token=True,
    headline=True,
    tradeoff=True,
)
LOSS = Metric(
    name="loss",
    version=VERSION,
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Mean negative log-likelihood per scored token, natural logarithm: ΣNLL/Σtokens over all documents.",
    sums=Sums(of="nll", over="tokens"),
    per_token=True,
)
BITS_PER_BYTE = Metric(
    name="bits_per_byte",
    version=VERSION,
    unit="bits/byte",
    direction=Direction.LOWER,
    definition="ΣNLL/(ln 2 · Σbytes), bytes of the raw UTF-8 text that the scored tokens stand for. Not given where "
    "the tokenizer loses more than 1 % of them (`lost_bytes`).",
    sums=Sums(of="nll", over="bytes", factor=1 / math.log(2)),
    headline=True,
)
LOST_BYTES = Metric(
    name="lost_bytes",
    unit="bytes",
    direction=Direction.LOWER,
    definition="Bytes of the text that don't come back when its tokens are decoded: the model never sees them. A "
    "single space that a tokenizer puts before a text, or takes away there, isn't one.",
    sums=Sums(of="lost_bytes"),
    counted=True,
    detail=True,
)
TOKENS_SCORED = Metric(
    name="tokens_scored",
    unit="tokens",
    direction=Direction.NONE,
    definition="Tokens whose likelihood was taken.",
    sums=Sums(of="tokens"),
    counted=True,
)


def collect(load: Callable[[], LanguageModel], settings: PerplexitySettings) -> list[Sample]:
    """One row per document; an empty document gives a row that scores nothing."""
    from harness.scoring.loglikelihood import token_nlls
    from harness.scoring.round_trip import lossy_note, round_trip
    from harness.scoring.windows import sliding_windows

    model = load()
    window, stride = window_and_stride(settings, model.identity.context)
    before = before_documents(model, settings.bos)
    given = max(len(before), 1)
    documents, trips = [], []
    for document in text_documents(
        model, settings.text, before, count=settings.documents, size=settings.document_bytes
    ):
        check_ids(model, document.encoded, document.number, settings.text)
        trips.append(round_trip(model.tokenizer, document.text, document.encoded))
        documents.append(document)
    are_whole = all(len(document.ids) <= window for document in documents)
    rows: list[Sample] = []
    going = Going(load, sum(max(len(document.ids) - given, 0) for document in documents), "tokens")
    ids_of = [np.array(document.ids, dtype=np.int64) for document in documents]
    nlls = token_nlls(model, ids_of, window, stride, RunningValue(going))
    for document, trip, all_nll in zip(documents, trips, nlls, strict=True):
        ids = document.ids
        nll = all_nll[given - 1 :]  # what the tokenizer puts first is given, be it several tokens
        if np.isnan(nll).any():
            raise UserError(
                f"the model's logits are not numbers (NaN) in document {document.number} of {settings.text}: "
                "run it in fp32, or train or fetch it again"
            )
        spans = [(max(first, given), end) for _, end, first in sliding_windows(len(ids), window, stride) if end > given]
        scored_bytes = max(trip.bytes - unscored_bytes(model, document), 0) if len(nll) else 0
        rows.append(
            {
                "document": document.number,
                "nll": float(nll.sum()),
                "tokens": len(nll),
                "bytes": scored_bytes,
                "lost_bytes": min(trip.lost, scored_bytes),
                "added_bytes": trip.added,
                "window": window,
                "stride": stride,
                "whole_documents": are_whole,
                "first_token": "scored" if before else "given",
                "window_nll": [float(all_nll[first - 1 : end - 1].sum()) for first, end in spans],
                "window_tokens": [end - first for first, end in spans],
                "text_digest": document.text_digest,
                "ids_digest": document.ids_digest,
            }
        )
    note = lossy_note(zip((document.number for document in documents), trips, strict=True), settings.text)
    return with_notes(rows, [note]) if note is not None else rows


def summarize(samples: pd.DataFrame, settings: PerplexitySettings, facts: Facts) -> list[Measurement | Missing]:
    """Measurements from the rows. Documents that scored nothing count for nothing."""
    from harness.scoring.round_trip import why_nonsense
    from harness.statistics.intervals import ratio_of_sums

    scored = samples[samples["tokens"] > 0]
    if scored.empty:
        raise UserError(
            f"no document of {settings.text} has a token to score: the first token of a document has nothing before it "
            "and isn't scored, so each needs two; give longer documents, or `bos: add` where the tokenizer has a BOS"
        )
    loss = ratio_of_sums(scored["nll"], scored["tokens"])
    bits = ratio_of_sums(scored["nll"] / math.log(2), scored["bytes"])
    how, unit = "t over documents (ratio estimator)", "documents"
    if len(scored) == 1:
        only = scored.iloc[0]
        loss = ratio_of_sums(only["window_nll"], only["window_tokens"])
        bits = _scaled(loss, only["tokens"] / only["bytes"] / math.log(2))
        how, unit = "t over the windows of the one document (takes them as independent)", "windows"
    if loss.low is None:
        how = "none: one window of one document"

    def measurement(metric: Metric, value: float, low: float | None, high: float | None) -> Measurement:
        return Measurement(metric=metric, value=value, low=low, high=high, interval=how, n=loss.n, n_unit=unit)

    lost = float(scored["lost_bytes"].sum()) if "lost_bytes" in scored else 0.0
    nonsense = why_nonsense(lost, float(scored["bytes"].sum()))
    exp = [None if end is None else _exp(end) for end in (loss.low, loss.high)]
    return [
        measurement(PERPLEXITY_METRIC, _exp(loss.value), *exp),
        measurement(LOSS, *loss[:3]),
        measurement(BITS_PER_BYTE, *bits[:3])
        if nonsense is None
        else Missing(reason=f"no bits_per_byte: {nonsense}", status=Status.SKIPPED),
        Measurement(metric=TOKENS_SCORED, value=float(scored["tokens"].sum()), n=len(scored), n_unit="documents"),
        Measurement(metric=LOST_BYTES, value=lost, n=len(scored), n_unit="documents"),
    ]


class RunningValue:
    """Tells how far a text is read, and its perplexity so far: a long text has a first number after its first pass."""

    def __init__(self, going: Going) -> None:
        self._going, self._nll, self._scored = going, 0.0, 0

    def __call__(self, nlls: NDArray[np.float64]) -> None:
        """Take the values of one forward pass."""
        if nlls.size:
            self._nll += float(nlls.sum(dtype=np.float64))
            self._scored += nlls.size
            self._going(nlls.size, f"perplexity {_exp(self._nll / self._scored):.4g} so far")


def window_and_stride(settings: PerplexitySettings, context: int) -> tuple[int, int]:
    """What the settings say, or their defaults. Raises Unsupported for a window that the context can't hold."""
    window = context if settings.window is None else settings.window
    if window > context:
        raise Unsupported(f"a window of {window} tokens does not fit in this model's context of {context}")
    stride = max(window // 2, 1) if settings.stride is None else settings.stride
    return window, stride


def _tokens(settings: PerplexitySettings) -> float:
    return tokens_of_text(settings.text, settings.documents, settings.document_bytes)


def _scaled(interval: Interval, factor: float) -> Interval:
    low, high = (None if end is None else end * factor for end in (interval.low, interval.high))
    return interval._replace(value=interval.value * factor, low=low, high=high)


def _exp(x: float) -> float:
    """exp, infinite where it overflows."""
    return float(np.exp(np.float64(x))) if x < 700 else math.inf


PERPLEXITY = Measure(
    name="perplexity",
    version=VERSION,
    about="How well the model predicts a text: perplexity, loss and bits per byte.",
    settings=PerplexitySettings,
    metrics=(PERPLEXITY_METRIC, LOSS, BITS_PER_BYTE, TOKENS_SCORED, LOST_BYTES),
    isolated=False,
    needs_peaks=False,
    fills=(("window",),),
    collect=collect,
    summarize=summarize,
    resolved=in_first_row("window", "stride", "whole_documents", "first_token"),
    texts=lambda settings: (settings.text,),
    seconds=lambda settings, pace: pace.start + pace.compute(_tokens(settings)),
    passes=lambda settings, shape: windows(settings.window or shape.context),
)
