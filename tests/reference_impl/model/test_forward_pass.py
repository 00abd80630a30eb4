"""A forward pass written out: stages, layers and features by hand are `GPT.forward`, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.forward_pass import ForwardPass, LayerCache
from reference_impl.model.gpt import GPT, explicit_attention, fused_attention, next_token_loss
from tests.tiny_models import LLAMA, sharp_gpt

SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {"kv_heads": 1, **LLAMA},
    "untied, without norms": {"tie_head": False, "norm": "none"},
}
TOKENS = torch.arange(20).remainder(61).view(2, 10)
PADDED = torch.ones(2, 10, dtype=torch.long)
PADDED[0, :3] = 0

KEYS = [
    *("token_embedding.weight", "position_embedding.weight"),
    *(
        f"blocks.{layer}.{name}.{part}"
        for layer in range(4)
        for name in ("attention_norm", "attention.qkv", "attention.out", "ffn_norm", "ffn.up", "ffn.down")
        for part in ("weight", "bias")
    ),
    *("final_norm.weight", "final_norm.bias", "head.weight"),
]


@pytest.fixture(params=SHAPES)
def gpt(request: pytest.FixtureRequest) -> Iterator[GPT]:
    model = sharp_gpt(GPTConfig(vocabulary=61, context=24, layers=4, heads=2, width=16, **SHAPES[request.param]))
    with torch.inference_mode():
        yield model


class Stage(nn.Module):
    """A share of the blocks, as a pipeline keeps it on a device of its own."""

    def __init__(self, blocks: nn.ModuleList) -> None:
        super().__init__()
        self.blocks = blocks

    def forward(self, x: Tensor, given: ForwardPass) -> Tensor:
        for layer, block in enumerate(self.blocks):
            x = block(x, given.at(layer))
        return x


def pipeline(gpt: GPT, tokens: Tensor, caches: tuple[KVCache, KVCache] | None, mask: Tensor | None = None) -> Tensor:
    """Two stages, each with the cache of its own layers."""
    x: Tensor | None = None
    for number, blocks in enumerate((gpt.blocks[:2], gpt.blocks[2:])):
        cache = None if caches is None else caches[number]
        given = gpt.begin(tokens, cache, attention_mask=mask)
        x = Stage(blocks)(gpt.embed(tokens, given) if x is None else x, given)
        if cache is not None:
            cache.advance(tokens.size(1))
    assert x is not None
    return gpt.unembed(gpt.final_norm(x))


def whole(gpt: GPT) -> KVCache:
    return KVCache.for_model(gpt, 2, 10)


def halves(gpt: GPT) -> tuple[KVCache, KVCache]:
    half = replace(gpt.config, layers=2)
    return KVCache(half, 2, 10), KVCache(half, 2, 10)


@pytest.mark.parametrize("mask", [None, PADDED], ids=["whole", "padded"])
def test_two_stages_are_the_model(gpt: GPT, mask: Tensor | None) -> None:
    assert torch.equal(pipeline(gpt, TOKENS, None, mask), gpt(TOKENS, attention_mask=mask))


@pytest.mark.parametrize("mask", [None, PADDED], ids=["whole", "padded"])
def test_two_stages_with_a_cache_each_are_the_model_with_one(gpt: GPT, mask: Tensor | None) -> None:
    cache, parts = whole(gpt), halves(gpt)
    for start, end in ((0, 6), (6, 9), (9, 10)):
        piece, seen = TOKENS[:, start:end], None if mask is None else mask[:, :end]
        assert torch.equal(pipeline(gpt, piece, parts, seen), gpt(piece, cache, attention_mask=seen))
    assert torch.equal(torch.cat([part.keys for part in parts]), cache.keys)
    assert torch.equal(torch.cat([part.values for part in parts]), cache.values)


@pytest.mark.parametrize("mask", [None, PADDED], ids=["whole", "padded"])
@pytest.mark.parametrize("at", [None, torch.tensor([5, 0])])
def test_features_and_unembed_are_the_model(gpt: GPT, mask: Tensor | None, at: Tensor | None) -> None:
    features = gpt.features(TOKENS, gpt.begin(TOKENS, attention_mask=mask), at)
    assert features.shape == (2, 10 if at is None else 2, 16)
    assert torch.equal(gpt.unembed(features), gpt(TOKENS, attention_mask=mask, logits_at=at))


def test_features_and_unembed_with_a_cache_are_the_model_with_one(gpt: GPT) -> None:
    ours, theirs = whole(gpt), whole(gpt)
    for start, end in ((0, 7), (7, 8), (8, 10)):
        piece = TOKENS[:, start:end]
        logits = gpt.unembed(gpt.features(piece, gpt.begin(piece, ours)))
        assert torch.equal(logits, gpt(piece, theirs))
        assert ours.length == end
    assert torch.equal(ours.keys, theirs.keys)


def test_an_edit_between_two_layers_needs_no_hook(gpt: GPT) -> None:
    """Layer 2 left out: the model without it. Nothing is left behind."""

    def read(keep: Callable[[int], bool]) -> Tensor:
        given = gpt.begin(TOKENS)
        x = gpt.embed(TOKENS, given)
        for layer, block in enumerate(gpt.blocks):
            x = block(x, given) if keep(layer) else x
        return gpt.unembed(gpt.final_norm(x))

    shorter = GPT(replace(gpt.config, layers=3)).eval()
    shorter.load_state_dict(
        {
            name.replace("blocks.3.", "blocks.2."): tensor
            for name, tensor in gpt.state_dict().items()
            if not name.startswith("blocks.2.")
        }
    )
    before = gpt(TOKENS)
    assert torch.equal(read(lambda layer: layer != 2), shorter(TOKENS))
    assert torch.equal(read(lambda layer: True), before)
    assert torch.equal(gpt(TOKENS), before)


def test_an_attention_for_one_pass(gpt: GPT) -> None:
    calls = []

    def attend(*parts: Any) -> Tensor:
        calls.append(parts[3])
        return explicit_attention(*parts)

    logits = gpt.unembed(gpt.features(TOKENS, gpt.begin(TOKENS, attention=attend)))
    assert calls == [None] * 4
    assert gpt.begin(TOKENS).attention is fused_attention, "for that pass alone"
    torch.testing.assert_close(logits, gpt(TOKENS), atol=1e-5, rtol=1e-5)
    chosen = GPT(gpt.config, attention=explicit_attention)
    assert chosen.begin(TOKENS).attention is explicit_attention
    assert chosen.begin(TOKENS, attention=attend).attention is attend


def test_a_cache_of_another_kind(gpt: GPT) -> None:
    """Three methods are all that a model needs of one."""

    class Growing:
        def __init__(self) -> None:
            self.length = 0
            self.layers: dict[int, tuple[Tensor, Tensor]] = {}

        def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            if layer in self.layers:
                keys, values = (torch.cat(pair, dim=2) for pair in zip(self.layers[layer], (keys, values), strict=True))
            self.layers[layer] = keys, values
            return keys, values

        def advance(self, time: int) -> None:
            self.length += time

    cache: LayerCache = Growing()
    found = torch.cat([gpt(piece, cache) for piece in TOKENS.split(4, dim=1)], dim=1)
    torch.testing.assert_close(found, gpt(TOKENS), atol=1e-5, rtol=1e-5)


def test_known_bad_a_block_that_does_not_know_its_layer_is_refused(gpt: GPT) -> None:
    """All layers would write to one place of the cache, and the first pass would look right."""
    cache = whole(gpt)
    given = gpt.begin(TOKENS, cache)
    with pytest.raises(ValueError, match=r"must know its layer: call block\(x, given\.at\(layer\)\)"):
        gpt.blocks[0](gpt.embed(TOKENS, given), given)


def test_known_bad_stages_that_share_the_places_of_a_cache_are_seen(gpt: GPT) -> None:
    shared = whole(gpt)
    first = pipeline(gpt, TOKENS[:, :6], halves(gpt))
    wrong_caches = (shared, KVCache(gpt.config, 2, 10))
    wrong_caches[1].keys, wrong_caches[1].values = shared.keys, shared.values
    assert torch.equal(pipeline(gpt, TOKENS[:, :6], wrong_caches), first), "the first pass looks right"
    right = gpt(TOKENS)[:, 6:]
    assert not torch.allclose(pipeline(gpt, TOKENS[:, 6:], wrong_caches), right, atol=1e-2)


def test_a_pass_does_not_fit_the_context(gpt: GPT) -> None:
    with pytest.raises(ValueError, match="25 tokens don't fit the model's context of 24"):
        gpt.begin(torch.zeros(1, 25, dtype=torch.long))


def test_the_names_of_weights_stay() -> None:
    """Checkpoints are read by them."""
    assert list(GPT(GPTConfig(vocabulary=61, context=24, layers=4, heads=2, width=16)).state_dict()) == KEYS


@torch.inference_mode(False)
def test_two_stages_train_as_the_model(gpt: GPT) -> None:
    """Gradients of stages by hand, and dropout's draws, are those of the whole."""
    config = replace(gpt.config, dropout=0.2)
    found = []
    for read in (lambda model: model(TOKENS), lambda model: pipeline(model, TOKENS, None)):
        torch.manual_seed(1)
        model = GPT(config).train()
        next_token_loss(read(model)[:, :-1], TOKENS[:, 1:]).backward()
        found.append([parameter.grad for parameter in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert all(gradient is not None and gradient.any() for gradient in found[0])
