"""The compiled decode step equals `GPT.forward` with a cache: every shape, every format, ragged batches.

The oracle is the same model with its stored weights widened to fp32, so that no rounding but the kernel's own is in the
difference: `GPT.forward` of a stored model computes in bf16 wherever the processor is fast in it, and how that rounds
depends on the processor.
"""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.inference.engine import Engine
from reference_impl.inference.kv_cache import KVCache
from reference_impl.inference.native_decoder import ROWS
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.native.build import native_library
from reference_impl.quantization.quantize import quantize_
from tests.tiny_models import LLAMA

pytestmark = pytest.mark.skipif(native_library().library is None, reason=native_library().reason)

UNIT = {"fp32": 2**-21, "bf16": 2**-21, "int8": 2**-14, "int4": 2**-14}
"""By how much an input of a product may be off, as a part of its row's largest.

fp32 activations: sums of n <= 240 terms in another order differ by about sqrt(n) 2^-24 of their terms' size: 2^-20 at
most. Activations for integer weights are rounded to 16-bit integers in units of their group's largest / 32767: half a
step, 2^-16. Both times 4 or less, for the norms, exponentials and sums that are no products.
"""
DRAWS = 4
"""Times that the effect of such roundings is drawn; their largest, doubled, is what the kernel may be off by."""
BF16_STEP = 2**-7
"""From a bf16 to the next, as a part of it, at most: a cached number at the edge of two may be rounded to either."""

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


class Replayed(KVCache):
    """A cache with what the kernel has written: what a model appends is compared with it, and dropped.

    So the oracle attends to the very numbers that the kernel attended to, and a number at the edge of two bf16 that is
    rounded to the other one is an error of its own, not one of the logits.
    """

    def __init__(self, written: KVCache, unit: float) -> None:
        self.keys, self.values, self.length = written.keys, written.values, 0
        self.near = unit * 64
        """How far keys and values may be off before they are rounded, as a part of their largest."""

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.length + keys.size(2)
        step = BF16_STEP if self.keys.dtype == torch.bfloat16 else 0.0
        for held, new in ((self.keys, keys), (self.values, values)):
            written = held[layer, :, :, self.length : end].float()
            assert ((written - new).abs() <= step * new.abs() + self.near * new.abs().max()).all()
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


def allowed(oracle: GPT, tokens: torch.Tensor, mask: torch.Tensor | None, prompt: int, unit: float) -> float:
    """How far the logits after the prompt move, relative in their norm, when every product's inputs are off by `unit`.

    Measured on the oracle, because it depends on the weights: a LayerNorm of two numbers that are nearly the same
    magnifies what it is given a hundred times.
    """
    expected = oracle(tokens, attention_mask=mask)[:, prompt:]
    generator = torch.Generator().manual_seed(2)

    def off(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        (x,) = inputs
        return (x + unit * x.abs().amax(-1, keepdim=True) * (2 * torch.rand(x.shape, generator=generator) - 1),)

    hooks = [m.register_forward_pre_hook(off) for m in oracle.modules() if isinstance(m, torch.nn.Linear)]
    moved = [relative_error(oracle(tokens, attention_mask=mask)[:, prompt:], expected) for _ in range(DRAWS)]
    for hook in hooks:
        hook.remove()
    return 2 * max(moved)


def stepped(
    engine: Engine, cache: KVCache, tokens: torch.Tensor, mask: torch.Tensor | None, threads: int = 1, time: int = 1
) -> torch.Tensor:
    """Logits of every token that the cache does not hold yet, `time` at once, by the kernel alone."""
    engine.model.features = None  # type: ignore[assignment, method-assign]  # whatever comes now is the kernel's
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    found = [
        engine(tokens[:, i : i + time], cache, attention_mask=None if mask is None else mask[:, : i + time])
        for i in range(cache.length, tokens.size(1), time)
    ]
    torch.set_num_threads(before)
    assert cache.length == tokens.size(1)
    return torch.cat(found, 1).float()


def read(oracle: GPT, cache: KVCache, tokens: torch.Tensor, mask: torch.Tensor | None, prompt: int) -> KVCache:
    """The cache, holding the prompt as the oracle reads it."""
    with torch.inference_mode():
        oracle(tokens[:, :prompt], cache, attention_mask=None if mask is None else mask[:, :prompt])
    return cache


@settings(max_examples=40, deadline=None)
@given(
    config=shapes,
    scheme=st.sampled_from(list(UNIT)),
    batch=st.integers(1, 5),
    time=st.integers(1, 3),
    data=st.data(),
)
def test_equals_the_model(
    widened: Callable[[GPT], GPT], config: GPTConfig, scheme: str, batch: int, time: int, data: st.DataObject
) -> None:
    gpt = model(config, scheme)
    oracle, engine = widened(gpt), Engine(copy.deepcopy(gpt))
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(config.vocabulary, (batch, 20), generator=generator)
    mask = torch.ones_like(tokens)
    for row in range(batch):
        mask[row, : data.draw(st.integers(0, 11))] = 0
    cache = read(oracle, engine.new_cache(batch, 20), tokens, mask, 13)
    found = stepped(engine, cache, tokens, mask, time=time)
    replayed = Replayed(cache, UNIT[scheme])
    replayed.length = 13
    expected = torch.cat(
        [oracle(tokens[:, i : i + time], replayed, attention_mask=mask[:, : i + time]) for i in range(13, 20, time)], 1
    )
    assert relative_error(found, expected) <= allowed(oracle, tokens, mask, 13, UNIT[scheme])


@pytest.mark.parametrize("scheme", UNIT)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(widened: Callable[[GPT], GPT], scheme: str, threads: int) -> None:
    config = GPTConfig(61, 32, 2, 4, 72, kv_heads=2, **LLAMA)
    gpt, tokens = model(config, scheme), torch.arange(24).view(2, 12)
    engines = Engine(copy.deepcopy(gpt)), Engine(gpt)
    caches = [engine.new_cache(2, 12) for engine in engines]
    read(widened(gpt), caches[0], tokens, None, 5)
    for part, other in ((caches[0].keys, caches[1].keys), (caches[0].values, caches[1].values)):
        other.copy_(part)
    caches[1].length = 5
    expected = stepped(engines[0], caches[0], tokens, None)
    found = stepped(engines[1], caches[1], tokens, None, threads)
    assert torch.equal(found, expected)  # each output is summed by one thread, in one order


def test_known_bad_position_off_by_one_is_seen() -> None:
    config = GPTConfig(61, 32, 2, 4, 32)
    gpt, tokens = model(config, "fp32"), torch.arange(12)[None]
    expected = gpt(tokens)[:, -1]
    engine = Engine(gpt)
    cache = engine.new_cache(1, 12)
    engine(tokens[:, :-1], cache)
    wrong = engine(tokens[:, -1:], cache, positions=torch.tensor([[10]]))[:, 0]
    assert relative_error(wrong, expected) > 100 * allowed(gpt, tokens, None, 5, UNIT["fp32"])


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
    engine = Engine(gpt)
    expected = engine(tokens, engine.new_cache(1, 4))
    gpt.to(torch.float64)  # what the engine was made of is still there, and right
    assert torch.equal(engine(tokens, engine.new_cache(1, 4)), expected)
    gpt.float()  # but nobody reads bytes of fp32 as if they were bf16
    with pytest.raises(ValueError, match="cast the model before it is quantized"):
        Engine(gpt)
    with pytest.raises(ValueError, match="cast the model before it is quantized"):
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
    assert torch.equal(found, engine(tokens, engine.new_cache(1, 4)))


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
