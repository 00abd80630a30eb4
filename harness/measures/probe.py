"""`probe`: what a model expects on a small fixed text, kept so that another run can be compared with it token by token.

A loss that has not moved can hide distributions that have, and `fidelity` compares a model with itself at another
precision: a fault that all precisions share is seen by neither. So the likeliest tokens of every position are kept with
their log-probabilities, and the divergence is taken between two runs (`harness gate`). Some documents, and a question
by the model's own chat template, are continued greedily as well: a wrong stop token, a template that lost a space or a
cache that is wrong show there alone.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from harness.errors import Unsupported, UserError
from harness.limits import MOST_DOCUMENTS, MOST_TOKENS
from harness.measures.cost import BYTES_PER_TOKEN, Pace, Passes, tokens_of_text
from harness.measures.evenly_spaced import evenly_spaced
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, Settings, in_first_row, with_notes
from harness.measures.text_documents import TextDocument, before_documents, text_documents, unscored_bytes
from harness.models.contract import LanguageModel
from harness.models.shape import ModelShape
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric, Missing, Status, Sums

if TYPE_CHECKING:
    import pandas as pd

    from harness.scoring.round_trip import RoundTrip
    from harness.scoring.top_log_probs import TopLogProbs
    from harness.statistics.intervals import Interval

TEXT = "probe/text"
TOP = 64
"""Tokens whose log-probabilities are kept at each position: what they leave is mostly a percent of the mass."""
CHAT = "chat"
"""`document` of the row of the conversation."""
CONVERSATION = ({"role": "user", "content": "What is the capital of France? Answer with one word."},)
"""What a model with a chat template is asked."""


class ProbeSettings(Settings):
    """Settings of `probe`."""

    text: str = Field(default=TEXT, min_length=1)
    """The text: the shipped one, or what `perplexity` takes."""
    documents: int | None = Field(default=None, ge=1, le=MOST_DOCUMENTS)
    """How many documents, evenly spaced over the text; left out, all."""
    tokens: int = Field(default=256, ge=2, le=MOST_TOKENS)
    """Tokens of each document that are read at most, and no more than the model's context."""
    continued: int = Field(default=4, ge=0, le=MOST_DOCUMENTS)
    """How many of the documents are continued greedily from their middle, evenly spaced."""
    generate: int = Field(default=32, ge=0, le=MOST_TOKENS)
    """Greedy tokens of each continuation at most; 0 leaves them out, and the conversation too."""


PROBE_LOSS = Metric(
    name="probe_loss",
    unit="nats/token",
    direction=Direction.LOWER,
    definition="Mean negative log-likelihood per scored token of the probe text: ΣNLL/Σtokens over all documents.",
    sums=Sums(of="nll", over="tokens"),
    per_token=True,
)
PROBE_BITS_PER_BYTE = Metric(
    name="probe_bits_per_byte",
    unit="bits/byte",
    direction=Direction.LOWER,
    definition="ΣNLL/(ln 2 · Σbytes) of the probe text, bytes of the raw UTF-8 text that the scored tokens stand for.",
    sums=Sums(of="nll", over="bytes", factor=1 / log(2)),
)


def collect(load: Load, settings: ProbeSettings) -> list[Sample]:
    """One row per document, and one for the conversation of a model that has a chat template."""
    from harness.scoring.round_trip import lossy_note, round_trip
    from harness.scoring.top_log_probs import top_log_probs

    model = load()
    window = min(settings.tokens, model.identity.context)
    before = before_documents(model)
    given = max(len(before), 1)
    documents, trips = [], []
    for document in text_documents(model, settings.text, before, count=settings.documents):
        check_ids(model, document.ids, document.number, settings.text)
        trips.append(round_trip(model.tokenizer, document.text, document.encoded))
        documents.append(document)
    read = [document.ids[:window] for document in documents]
    going = Going(load, sum(max(len(ids) - 1, 0) for ids in read), "tokens")
    found = top_log_probs(model, read, TOP, going)
    whole = all(len(document.ids) <= window for document in documents)
    settled = {"window": window, "whole_documents": whole, "first_token": "scored" if before else "given"}
    rows: list[Sample] = []
    for document, trip, told in zip(documents, trips, found, strict=True):
        if np.isnan(told.nll).any():
            raise UserError(
                f"the model's logits are not numbers (NaN) in document {document.number} of {settings.text}: "
                "run it in fp32, or train or fetch it again"
            )
        rows.append(_row(model, document, trip, told.beyond(given), window) | settled)
    if settings.generate:
        most = min(settings.generate, max(model.identity.context // 2, 1))
        for row in evenly_spaced([row for row in rows if row["tokens"]], settings.continued):
            ids = row["ids"]
            row |= _continued(model, tuple(ids[: max(min(len(ids) // 2, model.identity.context - most), 1)]), most)
        if (chat := _conversation(model, most)) is not None:
            rows.append(chat | settled)
    for row in rows[:1]:
        row["end_ids"] = list(model.identity.end_ids)
    note = lossy_note(zip((document.number for document in documents), trips, strict=True), settings.text)
    return with_notes(rows, [note]) if note is not None else rows


def _row(model: LanguageModel, document: TextDocument, trip: RoundTrip, told: TopLogProbs, window: int) -> Sample:
    """The row of a document. One that is cut is another text than the whole, by how many bytes were read of it."""
    ids = list(document.ids[:window])
    size, digest = trip.bytes, document.text_digest
    if len(ids) < len(document.ids):
        size = sum(model.tokenizer.token_bytes(ids[len(document.before) :]))
        digest = f"{digest} {size}"
    scored = max(size - unscored_bytes(model, document), 0) if len(told.nll) else 0
    return {
        "document": str(document.number),
        "nll": float(told.nll.sum()),
        "tokens": len(told.nll),
        "bytes": scored,
        "lost_bytes": min(trip.lost, scored),
        "added_bytes": trip.added,
        "text_digest": digest,
        "ids_digest": document.ids_digest if len(ids) == len(document.ids) else f"{document.ids_digest} {len(ids)}",
        "ids": ids,
        "token_nll": told.nll.tolist(),
        "top_ids": told.ids.ravel(),
        "top_log_probs": told.log_probs.ravel(),
        "rest_log_prob": told.rest,
    }


def _continued(model: LanguageModel, prompt: str | tuple[int, ...], most: int) -> Sample:
    """What the model writes after a prompt, and how far its likeliest token was from what it wrote when all is read
    again at once: more than rounding says that decoding and reading differ."""
    from harness.scoring.generation import Completed, TextRequest, complete_texts
    from harness.scoring.top_log_probs import top_log_probs

    (done,) = complete_texts(model, [TextRequest(prompt, (), most)])
    if not isinstance(done, Completed):
        return {}
    answer = done.answers[0]
    ids = (*done.prompt, *answer.tokens)
    told = top_log_probs(model, [ids[-model.identity.context :]], 1)[0]
    last = len(answer.tokens)
    behind = told.nll[-last:] + told.log_probs[-last:, 0] if last else np.zeros(1)
    return {
        "prompt": list(done.prompt),
        "continuation": list(answer.tokens),
        "continuation_text": answer.text,
        "ended_by": answer.finish,
        "continuation_gap": float(behind.max(initial=0.0)),
    }


def _conversation(model: LanguageModel, most: int) -> Sample | None:
    """The row of the question by the model's own template; None where it has none, or can't show it."""
    from harness.models.chat import chat_template

    try:
        prompt = chat_template(model)([dict(message) for message in CONVERSATION], True, False)
    except Unsupported:
        return None
    found = _continued(model, prompt, most)
    row = {"document": CHAT, "tokens": 0, "bytes": 0, "nll": 0.0, "text_digest": CHAT, "prompt_text": prompt}
    return row | found if found else None


def summarize(samples: pd.DataFrame, settings: ProbeSettings, facts: Facts) -> list[Measurement | Missing]:
    """Measurements from the rows. Documents that scored nothing count for nothing."""
    from harness.scoring.round_trip import why_nonsense
    from harness.statistics.intervals import ratio_of_sums

    scored = samples[samples["tokens"] > 0]
    if scored.empty:
        raise UserError(f"no document of {settings.text} has a token to score: give longer documents")
    nonsense = why_nonsense(float(scored["lost_bytes"].sum()), float(scored["bytes"].sum()))
    return [
        _measurement(PROBE_LOSS, ratio_of_sums(scored["nll"], scored["tokens"])),
        _measurement(PROBE_BITS_PER_BYTE, ratio_of_sums(scored["nll"] / log(2), scored["bytes"]))
        if nonsense is None
        else Missing(reason=f"no probe_bits_per_byte: {nonsense}", status=Status.SKIPPED),
    ]


def _measurement(metric: Metric, found: Interval) -> Measurement:
    how = "t over documents (ratio estimator)" if found.low is not None else "none: one document"
    return Measurement(
        metric=metric, value=found.value, low=found.low, high=found.high, interval=how, n=found.n, n_unit="documents"
    )


def _tokens(settings: ProbeSettings) -> float:
    """Tokens that are read: half of what `tokens_of_text` counts, since no window overlaps another."""
    most = None if settings.documents is None else int(settings.tokens * BYTES_PER_TOKEN)
    return tokens_of_text(settings.text, settings.documents, most) / 2


def _seconds(settings: ProbeSettings, pace: Pace) -> float:
    """The text is read once, and continuations are written one after the other."""
    written = (settings.continued + 1) * settings.generate
    return pace.start + pace.compute(_tokens(settings) + 2 * written) + written * pace.step(1)


def _passes(settings: ProbeSettings, shape: ModelShape) -> Passes:
    window = min(settings.tokens, shape.context)
    return Passes(window, window, min(window // 2 + settings.generate, shape.context))


PROBE = Measure(
    name="probe",
    version=1,
    about="What two versions are compared by: likeliest tokens and continuations on a small fixed text.",
    settings=ProbeSettings,
    metrics=(PROBE_LOSS, PROBE_BITS_PER_BYTE),
    isolated=False,
    needs_peaks=False,
    collect=collect,
    summarize=summarize,
    resolved=in_first_row("window", "whole_documents", "first_token"),
    texts=lambda settings: (settings.text,),
    seconds=_seconds,
    passes=_passes,
)
