"""How a model's cache behaves, found by comparing it with plain whole passes of the same model.

The layouts that scoring and generation use are run on short random texts: token by token after a prompt, several tokens
at once, rows of a batch, rows of different lengths that were read apart, and several continuations behind a mask. Each
is compared at the lengths where a model changes its computation (a sliding window is full, positions are scaled in
another way, the context ends) as far as reading them is cheap. What differs by more than rounding is not used: rounding
is what as small a change of the embeddings does to the same model's logits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.models.cache_behavior import CacheBehavior, CacheKind, without_cache
from harness.models.context import Limit
from harness.models.growing_cache import GrowingCache
from harness.models.token_tree import Branch, layout
from harness.models.transformers import TransformersPasses
from harness.notice import remark
from reference_impl.decoding.reading import Reader
from reference_impl.decoding.running_batch import Row, RunningBatch

EARLY = 10
"""Tokens of a text that crosses nothing."""
FAR = 60
"""And of one that crosses what nobody has named."""
AROUND = 3
"""Tokens before and after a place that are read one by one."""
MOST_TOKENS = 1100
"""Of a text that is read for this."""
WORK = {"cpu": 1e10, "elsewhere": 1e12}
"""Products of parameters and tokens that one text may cost, by the kind of device: 75 tokens of a model of 135M."""
MOST_LOGITS = 8_000_000
"""Of a text by a class that gives logits at all positions, wanted or not: 32 MB."""
ROUNDING = {torch.float32: 64.0}
ROUNDING_HALF = 8.0
"""A difference of so many times what rounding the embeddings does is more than rounding, in fp32 and in 16 bits. Over
the architectures of docs/models.md, at three sizes of random weights, what is right differed by up to 49 times that in
fp32 (4 times but for recurrent states and saturated attention), what is wrong by 200 to a million times; in bf16 what
is right by up to 3.3 times, what is wrong from 16 times on."""


def probe(model: TransformersPasses, work: int, seams: Sequence[int], limit: Limit | None) -> CacheBehavior:
    """The behavior of an opened model.

    work: parameters that each token is multiplied by. seams: see `context.seams`. limit: see `context.void_beyond`.
    """
    began = time.monotonic()
    found = _Probe(model, work, seams, limit)
    behavior = found.behavior()
    remark(
        f"{model.name}: compared its KV cache with whole passes of up to {behavior.compared} tokens: "
        f"{found.tokens} tokens read in {time.monotonic() - began:.2f} s; {behavior.short()}"
    )
    return behavior


class _Probe:
    """The comparisons of one model."""

    def __init__(self, model: TransformersPasses, work: int, seams: Sequence[int], limit: Limit | None) -> None:
        self.model = model
        self.limit = limit
        self.tokens = 0
        vocabulary, context = model.config.vocabulary, model.config.context
        budget = WORK.get(model.device.partition(":")[0], WORK["elsewhere"])
        self.reach = min(context, MOST_TOKENS, max(4 * EARLY, int(budget / max(work, 1))))
        if not model.selects_logits:
            self.reach = min(self.reach, max(4 * EARLY, MOST_LOGITS // vocabulary))
        most = self.reach if limit is None else min(self.reach, limit.tokens)
        self.early = min(EARLY, most - AROUND)
        last = most - AROUND
        crossed = {seam for seam in seams if self.early < seam <= last}
        self.places = sorted({self.early, min(FAR, last), *crossed})
        """Lengths around which everything is compared."""
        full = most == context or limit is not None
        self.end = last if full and last > self.places[-1] else None
        """And the one at whose end a text is as long as it may be."""
        longest = max([*self.places, self.end or 0]) + AROUND
        generator = torch.Generator().manual_seed(longest)
        texts = torch.randint(vocabulary, (2, longest), generator=generator)
        config = model.module.config.get_text_config()
        special = [getattr(config, f"{name}_token_id", None) for name in ("pad", "bos", "eos")]
        known = [token for token in special if isinstance(token, int) and 0 <= token < vocabulary]
        for place in self.places:  # some models count no position for a token that could be padding
            for back, token in enumerate(known):
                texts[:, place - 1 - back] = token
        self.texts = texts.to(model.device)
        every = self.places if self.end is None else [*self.places, self.end]
        near = {n for at in every for n in range(at - 2 * AROUND, at + 2 * AROUND)}
        self.at = sorted(n for n in {*range(AROUND), *near} if 0 <= n < longest)
        """Positions whose logits are compared: no others are made, of a large vocabulary they are the most memory."""
        self.number = {position: n for n, position in enumerate(self.at)}

    @torch.inference_mode()
    def behavior(self) -> CacheBehavior:
        """All comparisons, in the order in which one needs another."""
        longest = self.texts.shape[1]
        if self.early < AROUND:
            return without_cache(f"its context of {self.model.config.context} tokens is too short to compare it")
        whole = [self._read(row[None], at=self.at) for row in self.texts]
        if not all(bool(logits.isfinite().all()) for logits in whole):
            return without_cache("its logits are not numbers")  # said by whoever needs them
        self.whole = torch.cat(whole)
        self.tolerance = ROUNDING.get(self.model.module.dtype, ROUNDING_HALF) * self._rounding()
        rows = self._same(self._read(self.texts, at=self.at), self.whole)
        kind, why = self._alone(self.places + ([] if self.end is None else [self.end]))
        if kind == "none":
            return without_cache(why, rows, longest)
        limit, reason = (None, "") if self.limit is None else self.limit
        sure = CacheBehavior(kind=kind, limit=limit, reason=reason, rows=rows, compared=longest)
        divisible = rows and kind != "state" and all(self._holds(self._divided, place, sure) for place in self.places)
        tree = kind == "whole" and self.model.takes_positions
        tree = tree and all(self._holds(self._branched, place, sure) for place in self.places)
        return sure.model_copy(update={"divisible": divisible, "tree": tree})

    def _read(self, tokens: Tensor, cache: Any = None, at: Sequence[int] = ()) -> Tensor:
        """Logits at some positions of the tokens; left out, at the last."""
        self.tokens += tokens.numel()
        wanted = torch.tensor(at or [tokens.shape[1] - 1], device=tokens.device)
        return self.model.forward(tokens, cache=cache, logits_at=wanted).float()

    def _expected(self, text: int, first: int, end: int) -> Tensor:
        """What a whole pass gives at the positions first … end - 1: (end - first, vocabulary)."""
        begin = self.number[first]
        return self.whole[text, begin : begin + end - first]

    def _rounding(self) -> float:
        """What a change of the embeddings in their last digit does to logits, as a share of their spread."""
        size = torch.finfo(self.model.module.dtype).eps
        generator = torch.Generator().manual_seed(0)

        def disturb(module: Any, given: Any, output: Tensor) -> Tensor:
            signs = torch.randint(2, output.shape, generator=generator).to(output) * 2 - 1
            return output * (1 + size * signs)

        hook = self.model.module.get_input_embeddings().register_forward_hook(disturb)
        try:
            disturbed = self._read(self.texts[:1], at=self.at)
        finally:
            hook.remove()
        return max(size, float(self._difference(disturbed, self.whole[:1]).median()))

    def _difference(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """Root mean square over the vocabulary, as a share of the logits' spread. (…, vocabulary) -> (…)"""
        spread = self.whole.std().clamp(min=torch.finfo(torch.float32).tiny)
        return (ours - theirs).square().mean(-1).sqrt() / spread

    def _same(self, ours: Tensor, theirs: Tensor) -> bool:
        """Whether all positions agree."""
        return bool((self._difference(ours, theirs) <= self.tolerance).all())

    def _holds(self, compare: Callable[[int, CacheBehavior], bool], place: int, sure: CacheBehavior) -> bool:
        try:
            return compare(place, sure)
        except Exception:  # a model says in its own way that it can't
            return False

    def _alone(self, places: Sequence[int]) -> tuple[CacheKind, str]:
        """One sequence, token by token after a prompt: what its cache keeps, and if none can be used, why."""
        if not self.model.takes_cache:
            return "none", "its class takes no cache"
        kind: CacheKind = "none"
        for place in places:
            try:
                cache, same = self._one_by_one(place)
            except Exception as error:  # a model says in its own way that it can't
                first = [*str(error).strip().splitlines(), type(error).__name__][0].rstrip(".")
                return "none", f"its class can't be run with one ({first})"
            kind = kind_of(cache)
            if held_in(cache) == 0:
                return "none", "it stays empty"
            if not same:
                return "none", "logits with it differ from those of whole passes"
        return kind, ""

    def _one_by_one(self, place: int) -> tuple[Any, bool]:
        """The cache in the end, and whether all logits were those of whole passes over just these tokens."""
        first, end = max(1, place - AROUND), min(place + AROUND, self.texts.shape[1])
        text = self.texts[:1]
        cache = self.model.new_cache(1, end, sliding=True)
        found = [self._read(text[:, :first], cache)]
        found += [self._read(text[:, at : at + 1], cache) for at in range(first, end)]
        same = self._same(torch.cat(found, dim=1)[0], self._expected(0, first - 1, end))
        for length in {place, end}:  # and whether what comes later changes what was there
            same = same and self._same(self._read(text[:, :length])[0], self._expected(0, length - 1, length))
        if place == self.early:  # from nothing, as whoever generates without a prompt
            cache = self.model.new_cache(1, end, sliding=True)
            found = [self._read(text[:, at : at + 1], cache) for at in range(AROUND)]
            same = same and self._same(torch.cat(found, dim=1)[0], self._expected(0, 0, AROUND))
        return cache, same

    def _divided(self, place: int, sure: CacheBehavior) -> bool:
        """Two sequences of different lengths that were read apart and go on together; one that is cut back."""
        model = self.model
        lengths = [max(2, place - 1), max(1, place - 1 - AROUND)]
        steps = min(5, self.texts.shape[1] - lengths[0])
        texts = self.texts.tolist()
        device = self.model.device
        reader = Reader(
            model,
            {n: texts[n][:length] for n, length in enumerate(lengths)},
            device,
            sharing=model.new_cache(1, 1).divisible,
        )
        reads = []
        while more := reader.read(2):
            reads += more
        batch = RunningBatch(model, 2, lengths[0] + steps, device)
        rows = [Row(read.number, torch.Generator(), None, read.tokens) for read in reads]
        batch.enter(rows, reads)
        same = True
        for step in range(steps):
            for row in batch.rows:
                row.last = texts[row.number][lengths[row.number] + step]
            self.tokens += 2
            logits = batch.read_last().float()
            ends = [(row.number, lengths[row.number] + step) for row in batch.rows]
            same = same and self._same(logits, torch.cat([self._expected(text, at, at + 1) for text, at in ends]))
        return same and self._cut_back(place)

    def _cut_back(self, place: int) -> bool:
        """A sequence that is read too far, cut back and read on, several tokens at once."""
        cut, end = max(1, place - AROUND), min(place + AROUND, self.texts.shape[1])
        model = self.model
        cache = model.new_cache(1, end)
        last = torch.tensor([cut + AROUND - 1], device=self.texts.device)
        model.forward(torch.cat([self.texts[:1, :cut], self.texts[1:, :AROUND]], dim=1), cache, logits_at=last)
        cache.truncate(cut)
        self.tokens += end + AROUND
        found = model.forward(self.texts[:1, cut:end], cache).float()
        return self._same(found[0], self._expected(0, cut, end))

    def _branched(self, place: int, sure: CacheBehavior) -> bool:
        """Continuations of a cached prefix in one row, each of which sees itself alone."""
        model = self.model
        held, end = max(1, place - AROUND), min(place + AROUND, self.texts.shape[1])
        ours, others = self.texts[0, held:end].tolist(), self.texts[1].tolist()
        half = len(ours) // 2
        # between the tokens of a branch stands another, as long as a mask that counts places would see
        limit = model.config.context if sure.limit is None else sure.limit
        sibling = (others * 4)[: max(1, min(max(place, 4 * EARLY), limit - held - half))]
        branches = [Branch(tuple(ours[:half]), -1), Branch(tuple(sibling), 0), Branch(tuple(ours[half:]), 0)]
        self.tokens += len(ours) + len(sibling)
        cache = model.new_cache(1, end)
        self._read(torch.cat([self.texts[:1, :held], self.texts[1:, :AROUND]], dim=1), cache)
        cache.truncate(held)
        visible, positions = layout(branches, held)
        assert visible is not None
        device = self.texts.device
        row = torch.tensor([[token for branch in branches for token in branch.ids]], device=device)
        mine = torch.tensor([*range(half), *range(half + len(sibling), row.shape[1])], device=device)
        found = model.forward(row, cache, positions.to(device), visible.to(device), mine)[0]
        return self._same(found.float(), self._expected(0, held, end))


def kind_of(cache: GrowingCache) -> CacheKind:
    """What a filled cache of `transformers` keeps."""
    layers = [layer for layer in cache.grown.layers if type(layer).__name__ != "DummyLayer"]
    names = {type(layer).__name__ for layer in layers}
    if names <= {"DynamicLayer"}:
        return "whole"
    return "window" if names <= {"DynamicLayer", "DynamicSlidingWindowLayer"} else "state"


def tensors_of(layer: Any) -> tuple[list[Tensor], list[Tensor]]:
    """What a layer of a cache holds: per token, and as states of fixed size."""
    tokens = [t for t in (getattr(layer, "keys", None), getattr(layer, "values", None)) if isinstance(t, Tensor)]
    states = []
    for name in ("conv_states", "recurrent_states"):
        held = getattr(layer, name, None) or ()
        states += [t for t in (held.values() if isinstance(held, dict) else held) if isinstance(t, Tensor)]
    return tokens, states


def held_in(cache: GrowingCache) -> int:
    """Bytes that a cache holds."""
    return sum(t.nbytes for layer in cache.grown.layers for part in tensors_of(layer) for t in part)
