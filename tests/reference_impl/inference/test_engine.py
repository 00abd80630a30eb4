"""The engine beside its calls: features and head apart, rows that branch, what it refuses, and a model left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference_impl.inference.engine import Engine
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import quantize_

SHAPES: list[dict[str, Any]] = [
    {"heads": 2, "width": 16},
    {"heads": 4, "kv_heads": 2, "width": 16, "positions": "rotary", "norm": "rms", "ffn": "swiglu"},
]
TOKENS = torch.tensor([[3, 1, 4, 1, 5]])
CAUSAL = torch.ones(1, 5, 5).tril().bool()


@pytest.fixture(params=SHAPES, ids=["gpt2", "llama"])
def gpt(request: pytest.FixtureRequest, make_model: Any) -> GPT:
    model: GPT = make_model(**request.param).gpt
    return model


def test_without_its_head(gpt: GPT) -> None:
    engine, at = Engine(gpt), torch.tensor([1, 4])
    features, logits = engine.features(TOKENS, logits_at=at), engine(TOKENS, logits_at=at)
    assert torch.equal(engine.unembed(features), logits)
    assert engine.plain_head is not None
    torch.testing.assert_close(features @ engine.plain_head.T, logits)
    assert gpt(TOKENS).shape[-1] == gpt.config.vocabulary, "the model itself has kept it"


def test_features_of_what_follows_a_cache(gpt: GPT) -> None:
    engine = Engine(gpt)
    caches = engine.new_cache(1, 8), engine.new_cache(1, 8)
    for cache in caches:
        engine(TOKENS[:, :2], cache)
    features, logits = engine.features(TOKENS[:, 2:], caches[0]), engine(TOKENS[:, 2:], caches[1])
    torch.testing.assert_close(engine.unembed(features), logits, atol=1e-5, rtol=1e-5)
    assert [cache.length for cache in caches] == [5, 5]
    torch.testing.assert_close(*(cache.keys for cache in caches), atol=1e-5, rtol=1e-5)


def test_a_head_that_takes_more_than_a_product(gpt: GPT) -> None:
    assert Engine(quantize_(gpt, "int8")).plain_head is None  # type: ignore[arg-type]
    assert Engine(GPT(gpt.config).bfloat16()).plain_head is None


@pytest.mark.parametrize("features", [False, True])
def test_a_mask_of_a_single_row(gpt: GPT, features: bool) -> None:
    """Without the compiled kernel, too, a plain causal one changes nothing."""
    engine, positions = Engine(gpt), torch.arange(5)[None]
    read = engine.features if features else engine
    found = read(TOKENS, None, positions, CAUSAL)
    torch.testing.assert_close(found, read(TOKENS), atol=1e-5, rtol=1e-5)
    hidden = CAUSAL.clone()
    hidden[0, 4, :4] = False
    alone = read(TOKENS, None, positions, hidden)
    torch.testing.assert_close(alone[:, :4], found[:, :4], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(alone[:, 4], found[:, 4], atol=1e-3)


@pytest.mark.parametrize("given", [{}, {"attention_mask": CAUSAL, "positions": torch.arange(5)[None]}])
def test_what_it_refuses_however_it_reads(gpt: GPT, given: dict[str, Any]) -> None:
    engine = Engine(gpt)
    for read in (engine, engine.features):
        with pytest.raises(ValueError, match="token id 61 is outside of the model's vocabulary of 61"):
            read(TOKENS.masked_fill(TOKENS == 5, 61), **given)
    with pytest.raises(ValueError, match="no tokens to read"):
        engine.features(TOKENS[:, :0])


def test_the_model_is_left_as_it_was(gpt: GPT) -> None:
    before = {name: value for name, value in vars(gpt).items() if name != "training"}
    modules = list(gpt.modules())
    engine = Engine(gpt)
    engine(TOKENS, engine.new_cache(1, 8))
    engine.features(TOKENS, attention_mask=CAUSAL, positions=torch.arange(5)[None])
    assert {name: value for name, value in vars(gpt).items() if name != "training"} == before
    assert [id(module) for module in gpt.modules()] == [id(module) for module in modules]
    assert list(gpt.state_dict()) == list(GPT(gpt.config).state_dict())
