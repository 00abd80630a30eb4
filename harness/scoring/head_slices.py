"""The logits of one forward pass, some positions at a time, so that their memory is bounded whatever is read.

Most models are read once, and their last steps run over slices of what the body gave (`HeadApart`). One that can't be
parted so is read again for each slice: slow, and the same logits. Nothing here reads a text in pieces through a cache:
a window that a model slides, or a state that it keeps, would make that another computation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.models.contract import HeadApart, LanguageModel

if TYPE_CHECKING:
    from torch import Tensor

LOGITS_AT_ONCE = 7_500_000
"""Most logits that a plain product makes at once: 30 MB. What is larger than 32 MB glibc maps anew each time, and
clearing its pages costs more than writing it."""
COLUMNS = 1024
"""Of the vocabulary in one product: a piece of the head that stays in a CPU's cache."""
LOGITS_PER_STEP = 16_000_000
"""Most logits that other last steps make at once: 64 MB in fp32, and as much again for each step that isn't done in
place. With fewer, unpacking a quantized head would take longer than multiplying by it."""
LOGITS_PER_PASS = 64_000_000
"""Most logits that a model makes at once whose head isn't apart: more passes cost more than their memory."""


class Reading(NamedTuple):
    """What a forward pass is given: see `LanguageModel.forward`."""

    tokens: Tensor
    cache: Any = None
    positions: Tensor | None = None
    attention_mask: Tensor | None = None


def apart(model: LanguageModel) -> HeadApart | None:
    """The model, where its last steps can be run apart."""
    return model if isinstance(model, HeadApart) and model.head_is_apart else None


def logits_in_slices(model: LanguageModel, reading: Reading, at: Tensor) -> Iterator[Tensor]:
    """The logits at some positions of every row: (n, vocabulary) each time, rows one after the other.

    at: (k,) indexes into time. Together they are `forward(…, logits_at=at).flatten(0, 1)`. What was given last may be
    overwritten by the next. Where the head isn't apart, what several rows or a cached pass ask for must fit into
    `LOGITS_PER_PASS`: it is not cut.
    """
    wanted = len(reading.tokens) * len(at) * model.identity.vocabulary
    parted = apart(model)
    if parted is not None and parted.head is not None:
        yield from by_product(parted.features(*reading, at).flatten(0, 1), parted.head)
    elif parted is not None and wanted > LOGITS_AT_ONCE:
        features = parted.features(*reading, at).flatten(0, 1)
        size = max(1, LOGITS_PER_STEP // model.identity.vocabulary)
        for first in range(0, len(features), size):
            yield parted.logits_of(features[None, first : first + size])[0]
    else:
        named = {name: value for name, value in reading._asdict().items() if name != "tokens" and value is not None}
        again = len(reading.tokens) == 1 and reading.cache is None
        size = max(1, LOGITS_PER_PASS // model.identity.vocabulary) if again else len(at)
        for first in range(0, len(at), size):
            yield model.forward(reading.tokens, **named, logits_at=at[first : first + size]).flatten(0, 1)


def side_by_side(ours: Iterator[Tensor], theirs: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Two sequences of slices of the same positions, as slices of the same positions each."""
    ours_left: Tensor | None = None
    theirs_left: Tensor | None = None
    while True:
        ours_left = next(ours, None) if ours_left is None else ours_left
        theirs_left = next(theirs, None) if theirs_left is None else theirs_left
        if ours_left is None or theirs_left is None:
            return
        n = min(len(ours_left), len(theirs_left))
        yield ours_left[:n], theirs_left[:n]
        ours_left = ours_left[n:] if n < len(ours_left) else None
        theirs_left = theirs_left[n:] if n < len(theirs_left) else None


def by_product(features: Tensor, head: Tensor) -> Iterator[Tensor]:
    """features head^T for some rows at a time, in one buffer. features: (rows, width) fp32; head: (vocabulary, width)
    fp32."""
    import torch

    size = min(len(features), max(1, LOGITS_AT_ONCE // len(head)))
    buffer = torch.empty(size, len(head), device=features.device)
    for first in range(0, len(features), size):
        some = features[first : first + size]
        logits = buffer[: len(some)]
        for column in range(0, len(head), COLUMNS):
            torch.mm(some, head[column : column + COLUMNS].T, out=logits[:, column : column + COLUMNS])
        yield logits
