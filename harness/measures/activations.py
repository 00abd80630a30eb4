"""`activations`: how large the numbers inside of a model are, by depth, on a text.

What normalization and the scaling of residual projections are for, as numbers: whether the residual stream grows or
shrinks from layer to layer, and whether each layer reads inputs of one size. Either with the weights as they are, or
with those that a model of the same shape starts from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from harness.errors import Unsupported, UserError
from harness.limits import LARGEST_SEED, MOST_DOCUMENTS, MOST_TOKENS
from harness.measures.going import Going
from harness.measures.measure import Facts, Load, Measure, Sample, Settings
from harness.measures.text_documents import before_documents, text_documents
from harness.models.token_ids import check_ids
from harness.results.record import Direction, Measurement, Metric

if TYPE_CHECKING:
    import pandas as pd


class ActivationsSettings(Settings):
    """Settings of `activations`."""

    text: str = Field(min_length=1)
    """The text, as in `perplexity`."""
    documents: int = Field(default=20, ge=1, le=MOST_DOCUMENTS)
    """How many documents, evenly spaced over the text: the units of the interval."""
    document_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Read so many tokens of each document; left out, as many as the context holds."""
    weights: Literal["trained", "initial"] = "trained"
    """trained: as the model is. initial: a model of its shape before any training."""
    initial_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of the initial weights."""


RESIDUAL_GROWTH = Metric(
    name="residual_growth",
    unit="ratio",
    direction=Direction.NONE,
    definition="RMS (root mean square over tokens and width) of the residual stream after the last block over that of "
    "the embeddings; geometric mean over documents.",
)
INPUT_SIZE = Metric(
    name="input_size",
    unit="rms",
    direction=Direction.NONE,
    definition="RMS of what the attention of the last block reads, behind its norm where there is one; geometric mean "
    "over documents.",
)
INPUT_SPREAD = Metric(
    name="input_spread",
    unit="ratio",
    direction=Direction.LOWER,
    definition="Largest over smallest RMS of what the attentions of all blocks read, of one document; geometric mean "
    "over documents. 1 where each layer reads numbers of the same size.",
)
LARGEST_ACTIVATION = Metric(
    name="largest_activation",
    unit="absolute value",
    direction=Direction.LOWER,
    definition="Largest absolute element of the residual stream at any depth of any document.",
)


def collect(load: Load, settings: ActivationsSettings) -> list[Sample]:
    """One row per document: RMS by depth. An empty document gives none."""
    import torch

    from harness.models.activations import activations, as_reference, untrained

    model = load()
    opened = as_reference(model)
    gpt = opened.gpt
    attention = opened.attention if settings.weights == "trained" else None
    if settings.weights == "initial":
        if model.identity.precision != "fp32":
            raise Unsupported("initial weights are looked at in fp32 alone")
        gpt = untrained(gpt, settings.initial_seed)
    context = model.identity.context
    length = context if settings.document_tokens is None else settings.document_tokens
    if length > context:
        raise Unsupported(f"{length} tokens do not fit in this model's context of {context}")
    before = before_documents(model)
    rows: list[Sample] = []
    documents = list(text_documents(model, settings.text, before, count=settings.documents))
    going = Going(load, len(documents), "documents")
    for document in documents:
        going()
        ids = list(document.ids[:length])
        if not ids:
            continue
        check_ids(model, ids, document.number, settings.text)
        seen = activations(gpt, torch.tensor([ids], device=model.identity.device), attention)
        if not math.isfinite(sum(seen.stream)):
            raise UserError(
                f"activations are not finite numbers in document {document.number} of {settings.text}: "
                "run it in fp32, or train or fetch it again"
            )
        rows.append(
            {
                "document": document.number,
                "tokens": len(ids),
                "stream_rms": seen.stream,
                "read_rms": seen.read,
                "largest": seen.largest,
            }
        )
    return rows


def summarize(samples: pd.DataFrame, settings: ActivationsSettings, facts: Facts) -> list[Measurement]:
    """Measurements from the rows."""
    from harness.statistics.intervals import geometric_mean

    if samples.empty or "stream_rms" not in samples:
        raise UserError(f"no document of {settings.text} has a token to read")
    stream, read = (np.array(samples[name].tolist(), dtype=float) for name in ("stream_rms", "read_rms"))

    def over_documents(metric: Metric, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Measurement:
        value, low, high, n = geometric_mean(values)
        how = "t over logs of documents" if low is not None else "none: one document"
        return Measurement(metric=metric, value=value, low=low, high=high, interval=how, n=n, n_unit="documents")

    return [
        over_documents(RESIDUAL_GROWTH, stream[:, -1] / stream[:, 0]),
        over_documents(INPUT_SIZE, read[:, -1]),
        over_documents(INPUT_SPREAD, read.max(axis=1) / read.min(axis=1)),
        Measurement(
            metric=LARGEST_ACTIVATION, value=float(samples["largest"].max()), n=len(samples), n_unit="documents"
        ),
    ]


ACTIVATIONS = Measure(
    name="activations",
    version=1,
    about="How large the numbers inside of a reference model are by depth: residual stream and what layers read.",
    settings=ActivationsSettings,
    metrics=(RESIDUAL_GROWTH, INPUT_SIZE, INPUT_SPREAD, LARGEST_ACTIVATION),
    isolated=False,
    needs_peaks=False,
    needs=lambda library, settings: {"blocks": "only a reference model shows its activations"},
    fills=(("document_tokens",),),
    collect=collect,
    summarize=summarize,
    texts=lambda settings: (settings.text,),
)
