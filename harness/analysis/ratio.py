"""The ratio of two records, with the best interval that their evidence supports.

Quality over the same documents is paired by document, from the samples. Everything else is combined from the two
records' own intervals, which assumes that the two were measured independently and that the machine did not change
between them: true of two texts, only hoped for of two timings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.analysis.selection import Point
from harness.results.record import Record
from harness.statistics.ratios import (
    Estimate,
    Ratio,
    independent_ratio,
    paired_ratio_of_exponentials,
    paired_ratio_of_means,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

WEIGHT_OF = {
    **{"perplexity": "tokens", "loss": "tokens", "bits_per_byte": "bytes"},
    **{"kl_mean": "tokens", "top1_agreement": "tokens", "validation_loss": "tokens"},
}
"""Metrics that are a mean over the samples' documents (or its exponential), and the mean's denominator."""

SUM_OF = {"kl_mean": "kl_sum", "top1_agreement": "agrees"}
"""Columns of the mean's numerators, where it is not `nll`."""


@dataclass(frozen=True)
class PerDocument:
    """The evidence of a quality metric, one entry per document that scored anything."""

    documents: tuple[str, ...]
    sums: NDArray[np.float64]
    """(documents,) what the mean is of, summed: negative log-likelihood in nats, or a divergence."""
    weights: NDArray[np.float64]
    """(documents,) tokens or bytes: what the mean is taken over."""
    tokens: NDArray[np.float64]
    """(documents,) scored tokens."""
    bytes: NDArray[np.float64]
    """(documents,) bytes of text that the scored tokens stand for."""
    texts: tuple[str, ...]
    """(documents,) digests of the text that was read, after cutting."""
    ids: tuple[str, ...] | None
    """(documents,) digests of the token ids, where the measure keeps them."""

    def same_tokens(self, other: PerDocument) -> bool:
        """Whether both read the same tokens: the same text under the same tokenizer."""
        if not self.same_text(other):
            return False
        if self.ids is not None and other.ids is not None:
            return self.ids == other.ids
        return bool((self.tokens == other.tokens).all() and (self.bytes == other.bytes).all())

    def same_text(self, other: PerDocument) -> bool:
        """Whether both read the same text, under whatever tokenizer."""
        return self.documents == other.documents and self.texts == other.texts


def per_document(point: Point) -> PerDocument | None:
    """The per-document evidence of a record; None where its metric or its measure has none."""
    weight = WEIGHT_OF.get(point.record.metric or "")
    if weight is None or point.cell.samples is None:
        return None
    samples: pd.DataFrame = point.run.samples(point.cell)
    total = SUM_OF.get(point.record.metric or "", "nll")
    if not {"document", total, "tokens", "bytes", "text_digest"} <= set(samples.columns):
        return None
    scored = samples[samples["tokens"] > 0].sort_values("document")
    column = {name: scored[name].to_numpy(dtype=float) for name in (total, "tokens", "bytes")}
    return PerDocument(
        tuple(map(str, scored["document"])),
        column[total],
        column[weight],
        column["tokens"],
        column["bytes"],
        tuple(map(str, scored["text_digest"])),
        tuple(map(str, scored["ids_digest"])) if "ids_digest" in scored else None,
    )


def estimate(record: Record) -> Estimate | None:
    """The record's value with its interval; None where the interval is not known (an exact value has one)."""
    if record.value is None or not math.isfinite(record.value):
        return None
    if record.low is None or record.high is None:
        return Estimate(record.value, record.value, record.value) if record.interval == "exact" else None
    if math.isnan(record.low) or math.isnan(record.high):
        return None
    return Estimate(record.value, record.low, record.high)


def ratio(numerator: Point, denominator: Point) -> Ratio | None:
    """numerator / denominator; None where it does not exist (a value missing, zero, or not positive)."""
    above, below = numerator.record.value, denominator.record.value
    if above is None or below is None or not above > 0 or not below > 0:
        return None
    if math.isinf(above) or math.isinf(below):
        return None
    paired = _paired(numerator, denominator)
    if paired is not None:
        return paired
    tops, bottoms = estimate(numerator.record), estimate(denominator.record)
    if tops is None or bottoms is None:
        which = numerator.record if tops is None else denominator.record
        return Ratio(above / below, None, None, f"none: {which.model} has no interval ({which.interval})")
    if tops.low == tops.high and bottoms.low == bottoms.high:
        return Ratio(above / below, above / below, above / below, "exact")
    result = independent_ratio(tops, bottoms)
    # what the parts' own intervals leave out (variance between launches), the ratio's leaves out too
    return replace(result, method=f"{result.method}: {numerator.record.interval}")


def _paired(numerator: Point, denominator: Point) -> Ratio | None:
    if numerator.record.metric != denominator.record.metric:
        return None
    above, below = per_document(numerator), per_document(denominator)
    if above is None or below is None or not above.same_text(below) or len(above.documents) < 2:
        return None
    compare = paired_ratio_of_exponentials if numerator.record.metric == "perplexity" else paired_ratio_of_means
    return compare((above.sums, above.weights), (below.sums, below.weights), numerator.record.confidence)
