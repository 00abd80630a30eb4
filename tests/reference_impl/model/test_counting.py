"""Counts from the config equal counts of the built model, and FLOPs equal torch's own counter."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.counting import (
    count_parameters,
    forward_flops,
    forward_flops_per_token,
    kv_bytes_per_token,
    six_nd,
    training_flops,
)
from reference_impl.model.gpt import GPT, explicit_attention, next_token_loss
from reference_impl.model.presets import GPT2_VOCABULARY, PRESETS, preset

configs = st.builds(
    lambda sharing, kv_heads, half, **rest: GPTConfig(
        heads=sharing * kv_heads, kv_heads=kv_heads, width=sharing * kv_heads * 2 * half, **rest
    ),
    sharing=st.integers(1, 3), kv_heads=st.integers(1, 2), half=st.integers(1, 3), ffn_width=st.integers(1, 50),
    vocabulary=st.integers(1, 50), context=st.integers(1, 20), layers=st.integers(1, 3), tie_head=st.booleans(),
    bias=st.booleans(), positions=st.sampled_from(["learned", "rotary"]),
    norm=st.sampled_from(["layer", "rms", "none"]),
    ffn=st.sampled_from(["gelu", "swiglu"]),
)  # fmt: skip


def built(config: GPTConfig) -> GPT:
    with torch.device("meta"):
        return GPT(config)


def check_parameters(config: GPTConfig) -> None:
    gpt, counted = built(config), count_parameters(config)
    sizes = {name: parameter.numel() for name, parameter in gpt.named_parameters()}
    assert counted.total == sum(sizes.values())
    outside = ("token_embedding", "position_embedding", "head")
    assert counted.non_embedding == sum(size for name, size in sizes.items() if not name.startswith(outside))
    linears = [module.weight.numel() for module in gpt.modules() if isinstance(module, torch.nn.Linear)]
    assert counted.matmul == sum(linears)
    assert counted.head == gpt.head.weight.numel()


@settings(max_examples=30, deadline=None)
@given(configs)
def test_parameters_are_the_built_models(config: GPTConfig) -> None:
    check_parameters(config)


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_of_every_preset(name: str) -> None:
    check_parameters(preset(name, GPT2_VOCABULARY))


@settings(max_examples=15, deadline=None)
@given(configs, st.data())
def test_forward_flops_are_torchs_count(config: GPTConfig, data: st.DataObject) -> None:
    """torch counts the explicit path's whole square of scores; we count its visible half."""
    time = data.draw(st.integers(1, config.context))
    cached = data.draw(st.integers(0, config.context - time))
    logits = data.draw(st.integers(1, time))
    gpt = GPT(config, attention=explicit_attention)
    cache = KVCache(config, batch=1, length=config.context)
    with torch.no_grad():
        if cached:
            gpt(torch.zeros(1, cached, dtype=torch.long), cache=cache)
        with FlopCounterMode(display=False) as counter:
            gpt(torch.zeros(1, time, dtype=torch.long), cache=cache, logits_at=torch.arange(logits))
    hidden_pairs = time * (time - 1) // 2
    whole_square = forward_flops(config, time, cached, logits) + 4 * config.layers * config.width * hidden_pairs
    assert counter.get_total_flops() == whole_square


def test_training_is_three_forwards() -> None:
    config = GPTConfig(vocabulary=64, context=16, layers=2, heads=2, width=32)
    gpt, text = GPT(config, attention=explicit_attention), torch.zeros(1, 16, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        next_token_loss(gpt(text), text).backward()
    hidden = 3 * 4 * config.layers * config.width * (16 * 15 // 2)
    assert counter.get_total_flops() == training_flops(config, 16, 16) + hidden


def test_flops_in_closed_form() -> None:
    config = preset("gpt2-124m", GPT2_VOCABULARY)
    matmul = count_parameters(config).matmul
    assert matmul == 12 * 12 * 768**2 + 50257 * 768
    assert forward_flops_per_token(config, 1024) == 2 * matmul + 2 * 12 * 768 * 1025
    # 6ND with all matmul parameters leaves attention out: 6 L w (T + 1) per token.
    extra = training_flops(config, 10**9, 1024) - six_nd(matmul, 10**9)
    assert extra == pytest.approx(6 * 12 * 768 * 1025 * 10**9)


def test_prefill_and_decode_add_up() -> None:
    config = preset("nano", 1024)
    step_by_step = forward_flops(config, 50) + sum(forward_flops(config, 1, cached) for cached in range(50, 60))
    assert step_by_step == forward_flops(config, 60)


def test_kv_bytes_are_the_caches() -> None:
    config = preset("mini", 1024)
    cache = KVCache(config, batch=3, length=10, dtype=torch.bfloat16)
    assert cache.bytes == 3 * 10 * kv_bytes_per_token(config, 2)
