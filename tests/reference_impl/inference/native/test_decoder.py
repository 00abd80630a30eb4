"""The compiled decode step equals `GPT.forward` with a cache: every shape, every format, ragged batches."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.inference.engine import Engine
from reference_impl.inference.native.build import native_library
from reference_impl.inference.native.decoder import ROWS
from reference_impl.inference.quantization import quantize_
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT

pytestmark = pytest.mark.skipif(native_library().library is None, reason=native_library().reason)

TOLERANCE = {"fp32": 2e-6, "bf16": 6e-3, "int8": 6e-3, "int4": 6e-3}
"""Relative, in the norm of all logits. fp32: another order of summation. The others: their cache is rounded to bf16."""

shapes = st.builds(
    lambda sharing, kv_heads, half, **rest: GPTConfig(
        heads=sharing * kv_heads, kv_heads=kv_heads, width=sharing * kv_heads * 2 * half, **rest
    ),
    sharing=st.integers(1, 3), kv_heads=st.integers(1, 2), half=st.integers(1, 20), ffn_width=st.integers(1, 90),
    vocabulary=st.integers(2, 70), context=st.just(24), layers=st.integers(1, 3), tie_head=st.booleans(),
    bias=st.booleans(), positions=st.sampled_from(["learned", "rotary"]),
    norm=st.sampled_from(["layer", "rms", "none"]),
    ffn=st.sampled_from(["gelu", "gelu_exact", "swiglu"]),
)  # fmt: skip


def model(config: GPTConfig, scheme: str, seed: int = 0) -> GPT:
    generator = torch.Generator().manual_seed(seed)
    gpt = GPT(config)
    with torch.no_grad():
        for name, parameter in gpt.named_parameters():
            spread = 0.15 if "norm" not in name else 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
    return gpt.eval() if scheme == "fp32" else quantize_(gpt, scheme)  # type: ignore[arg-type, return-value]


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


def stepped(
    engine: Engine, tokens: torch.Tensor, mask: torch.Tensor | None, prompt: int, threads: int = 1, time: int = 1
) -> torch.Tensor:
    """Logits of every token after the prompt, `time` at once, by the kernel alone."""
    cache = engine.new_cache(*tokens.shape)
    engine(tokens[:, :prompt], cache, attention_mask=None if mask is None else mask[:, :prompt])
    engine.model.forward = None  # type: ignore[assignment, method-assign]  # whatever comes now is the kernel's
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = [
        engine(tokens[:, i : i + time], cache, attention_mask=None if mask is None else mask[:, : i + time])
        for i in range(prompt, tokens.size(1), time)
    ]
    torch.set_num_threads(before)
    assert cache.length == tokens.size(1)
    return torch.cat(found, 1).float()


@settings(max_examples=40, deadline=None)
@given(shapes, st.sampled_from(list(TOLERANCE)), st.integers(1, 5), st.integers(1, 3), st.data())
def test_equals_the_model(config: GPTConfig, scheme: str, batch: int, time: int, data: st.DataObject) -> None:
    gpt = model(config, scheme)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(config.vocabulary, (batch, 20), generator=generator)
    mask = torch.ones_like(tokens)
    for row in range(batch):
        mask[row, : data.draw(st.integers(0, 11))] = 0
    with torch.inference_mode():
        cache = Engine(gpt).new_cache(batch, 20)  # its type; the whole forward pass rounds through it too
        expected = gpt(tokens, cache, attention_mask=mask)[:, 13:].float()
    found = stepped(Engine(copy.deepcopy(gpt)), tokens, mask, 13, time=time)
    assert relative_error(found, expected) < TOLERANCE[scheme]


@pytest.mark.parametrize("scheme", TOLERANCE)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(scheme: str, threads: int) -> None:
    config = GPTConfig(61, 32, 2, 4, 72, kv_heads=2, positions="rotary", norm="rms", ffn="swiglu", bias=False)
    gpt, tokens = model(config, scheme), torch.arange(24).view(2, 12)
    expected = stepped(Engine(copy.deepcopy(gpt)), tokens, None, 5)
    found = stepped(Engine(gpt), tokens, None, 5, threads)
    assert torch.equal(found, expected)  # each output is summed by one thread, in one order


def test_known_bad_position_off_by_one_is_seen() -> None:
    config = GPTConfig(61, 32, 2, 4, 32)
    gpt, tokens = model(config, "fp32"), torch.arange(12)[None]
    expected = gpt(tokens)[:, -1]
    engine = Engine(gpt)
    cache = engine.new_cache(1, 12)
    engine(tokens[:, :-1], cache)
    wrong = engine(tokens[:, -1:], cache, positions=torch.tensor([[10]]))[:, 0]
    assert relative_error(wrong, expected) > 1000 * TOLERANCE["fp32"]


def test_not_a_number_is_not_hidden() -> None:
    gpt = model(GPTConfig(61, 32, 1, 2, 32), "fp32")
    with torch.no_grad():
        gpt.blocks[0].ffn.up.weight[0, 0] = torch.nan
    engine = Engine(gpt)
    assert engine(torch.tensor([[3]]), engine.new_cache(1, 4)).isnan().any()


@pytest.mark.parametrize("rows", [slice(0, 16), slice(16, 32)])
def test_not_a_number_in_queries_or_keys_is_not_hidden(rows: slice) -> None:
    gpt = model(GPTConfig(61, 32, 1, 2, 32), "fp32")
    with torch.no_grad():
        gpt.blocks[0].attention.qkv.weight[rows] = torch.nan
    engine = Engine(gpt)
    assert engine(torch.tensor([[3, 4]]), engine.new_cache(1, 4)).isnan().any()


def test_what_the_kernel_must_not_do_goes_through_the_model() -> None:
    gpt = model(GPTConfig(61, 32, 1, 2, 32), "fp32")
    engine = Engine(gpt)
    holes = torch.tensor([[1, 0, 1, 1]])  # not padding on the left
    tokens = torch.tensor([[1, 2, 3, 4]])
    cache = engine.new_cache(1, 4)
    engine(tokens[:, :3], cache, attention_mask=holes[:, :3])
    found = engine(tokens[:, 3:], cache, attention_mask=holes)
    torch.testing.assert_close(found[:, 0], gpt(tokens, attention_mask=holes)[:, -1], rtol=0, atol=1e-5)
    many = torch.zeros(ROWS + 1, 1, dtype=torch.long)
    assert engine(many, engine.new_cache(ROWS + 1, 2)).shape == (ROWS + 1, 1, 61)
    assert Engine(copy.deepcopy(gpt).half()).native is None


@pytest.mark.parametrize(
    ("token", "sentence"),
    [(61, "token id 61 is outside of the model's vocabulary of 61"), (-1, "token id -1 is outside")],
)
def test_unknown_token_ids_are_refused(token: int, sentence: str) -> None:
    engine = Engine(model(GPTConfig(61, 32, 1, 2, 32), "fp32"))
    with pytest.raises(ValueError, match=sentence):
        engine(torch.tensor([[token]]), engine.new_cache(1, 4))


@pytest.mark.parametrize("scheme", ["bf16", "int8", "int4"])
def test_casting_stored_weights_is_refused(scheme: str) -> None:
    gpt, tokens = model(GPTConfig(61, 32, 1, 2, 32), scheme), torch.tensor([[1, 2, 3]])
    expected, engine = gpt(tokens).float(), Engine(gpt)
    gpt.to(torch.float64)  # what the engine was made of is still there, and right
    found = engine(tokens, engine.new_cache(1, 4))
    assert relative_error(found, expected) < TOLERANCE[scheme]
    gpt.float()  # but nobody reads bytes of fp32 as if they were bf16
    with pytest.raises(ValueError, match="cast the model before it is quantised"):
        Engine(gpt)
    with pytest.raises(ValueError, match="cast the model before it is quantised"):
        gpt(tokens)


def test_no_tokens_are_refused() -> None:
    engine = Engine(model(GPTConfig(61, 32, 1, 2, 32), "fp32"))
    with pytest.raises(ValueError, match="there are no tokens to read"):
        engine(torch.zeros(1, 0, dtype=torch.long), engine.new_cache(1, 4))


def test_unknown_token_ids_are_refused_in_prefill_too() -> None:
    engine = Engine(model(GPTConfig(61, 32, 1, 2, 32), "fp32"))
    with pytest.raises(ValueError, match="token id 61 is outside of the model's vocabulary of 61"):
        engine(torch.full((1, ROWS + 1), 61), engine.new_cache(1, 32))


def test_positions_outside_of_the_context_are_refused() -> None:
    engine = Engine(model(GPTConfig(61, 32, 1, 2, 32), "fp32"))
    for wrong in (32, -1):
        with pytest.raises(ValueError, match=f"position {wrong} is outside of the model's context of 32"):
            engine(torch.tensor([[3]]), engine.new_cache(1, 4), positions=torch.tensor([[wrong]]))


def test_narrow_integers_are_taken() -> None:
    gpt, tokens = model(GPTConfig(61, 32, 1, 2, 32), "fp32"), torch.tensor([[1, 2, 3]])
    engine = Engine(gpt)
    found = engine(tokens.int(), engine.new_cache(1, 4), positions=torch.tensor([[0, 1, 2]], dtype=torch.int32))
    assert relative_error(found, gpt(tokens)) < TOLERANCE["fp32"]


def test_a_mask_or_cache_of_another_shape_never_reaches_the_kernel() -> None:
    gpt, tokens = model(GPTConfig(61, 32, 2, 2, 32), "fp32"), torch.tensor([[1, 2, 3], [4, 5, 6]])
    engine = Engine(gpt)
    one_row = torch.tensor([[0, 1, 1]])  # for both rows of tokens, as GPT.forward takes it
    found = engine(tokens, engine.new_cache(2, 4), attention_mask=one_row)
    torch.testing.assert_close(found, gpt(tokens, attention_mask=one_row))
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        engine(tokens, engine.new_cache(2, 4), attention_mask=torch.ones(2, 9))
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        engine(tokens, Engine(model(GPTConfig(61, 32, 1, 2, 32), "fp32")).new_cache(2, 4))


def test_a_full_cache_is_refused() -> None:
    engine = Engine(model(GPTConfig(61, 32, 1, 2, 32), "int8"))
    cache = engine.new_cache(1, 3)
    engine(torch.tensor([[1, 2, 3]]), cache)
    with pytest.raises(ValueError, match="room for 3 tokens and would have to hold 4"):
        engine(torch.tensor([[1]]), cache)
