"""Whether a model can read several continuations of one text in one pass, and the cache that it does so with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from harness.models.contract import LanguageModel
from harness.models.decoding import GrowingCache
from harness.scoring.budget import MASKED_TOKENS
from harness.scoring.plan import Segment

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE, TOLERANCE_FP32 = 0.02, 0.001
"""By how much of their spread logits may differ, root mean square, between the shared way and the plain one. Rounding
is about 0.007 where a model computes in bf16, and 0.000001 in fp32."""

_known: WeakKeyDictionary[LanguageModel, bool] = WeakKeyDictionary()


class Held:
    """A KV cache of one row that can be cut back."""

    def __init__(self, model: LanguageModel, capacity: int) -> None:
        cache = model.new_cache(1, capacity)
        self._cuttable = GrowingCache(cache) if hasattr(cache, "crop") else cache
        self.cache: Any = cache

    def cut(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if self._cuttable.length > length:
            self._cuttable.truncate(length)


def layout(segments: Sequence[Segment], held: int) -> tuple[Tensor | None, Tensor]:
    """What each token of a pass sees, and its position.

    Returns (1, time, held + time) bool, or None where every token sees all before it; and (1, time) int64.
    """
    import torch

    time = sum(len(segment.ids) for segment in segments)
    positions = torch.empty(1, time, dtype=torch.int64)
    visible = torch.zeros(1, time, held + time, dtype=torch.bool)
    visible[:, :, :held] = True
    starts: list[tuple[int, int]] = []  # of each segment: in the row, in its own sequence
    at = 0
    for ids, parent, _ in segments:
        end = at + len(ids)
        depth = held
        if parent >= 0:
            place, before = starts[parent]
            last = place + len(segments[parent].ids) - 1
            depth = before + len(segments[parent].ids)
            visible[0, at:end] = visible[0, last]
        visible[0, at:end, held + at : held + end] = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
        positions[0, at:end] = torch.arange(depth, depth + len(ids))
        starts.append((at, depth))
        at = end
    chain = all(segment.parent == number - 1 for number, segment in enumerate(segments))
    return (None if chain else visible), positions


def can_share(model: LanguageModel) -> bool:
    """Whether the model obeys a mask of one's own and its cache can be cut back; tried once, with one pass.

    A sliding window, positions that are not told (ALiBi) or a recurrent state would give wrong numbers. What stands
    between the tokens of a branch is hundreds of tokens long: a distance by which these go wrong. What needs more to
    go wrong, a window of a thousand tokens, is known by its cache (`divisible`).
    """
    if model not in _known:
        _known[model] = _tried(model)
    return _known[model]


def _tried(model: LanguageModel) -> bool:
    import torch

    vocabulary, context = model.identity.vocabulary, model.identity.context
    device = model.identity.device
    if context < 6:
        return False
    # different ids, where there are so many
    first, second, third, fourth = ((i * max(1, vocabulary // 4) + 3) % vocabulary for i in range(4))
    sibling = (third, fourth) * ((min(context, MASKED_TOKENS) - 4) // 2)
    paths = ([first, second, third], [first, second, fourth, second])
    try:
        held = Held(model, 4 + len(sibling))
        divisible = getattr(held._cuttable, "divisible", True)
        if not divisible:
            return False
        plain = [model.forward(torch.tensor([ids], device=device))[0, -1] for ids in paths]
        model.forward(torch.tensor([[first, third, fourth]], device=device), cache=held.cache)
        held.cut(1)
        segments = [Segment((second,), -1, ()), Segment(sibling, 0, ()), Segment((fourth, second), 0, ())]
        visible, positions = layout(segments, 1)
        assert visible is not None
        tree = model.forward(
            torch.tensor([[second, *sibling, fourth, second]], device=device),
            held.cache,
            positions.to(device),
            visible.to(device),
            torch.tensor([1, len(sibling) + 2], device=device),
        )[0]
    except Exception:  # a model of another's code says in its own way that it can't
        return False
    expected = torch.stack(plain).float()
    tolerance = TOLERANCE_FP32 if model.identity.precision == "fp32" else TOLERANCE
    return bool((tree.float() - expected).square().mean().sqrt() <= tolerance * expected.std())
