"""Which attention really ran, by counting calls of each: results alone don't tell, since all of them give the same.

An engine that silently fell back to torch would be right and several times as slow, and everything measured with it
would be of something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.inference.engine import Engine
from reference_impl.inference.native_decoder import ROWS
from reference_impl.model import gpt as gpt_module
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, explicit_attention
from reference_impl.native.build import native_library
from reference_impl.quantization.quantize import Scheme, quantize_

LAYERS = 3
CONFIG = GPTConfig(vocabulary=61, context=48, layers=LAYERS, heads=4, width=32)
PREFILL, DECODE, TORCH, EXPLICIT = "kernel's attention", "kernel's step", "torch's attention", "explicit attention"
ONCE_A_LAYER = {name: {name: LAYERS} for name in (PREFILL, TORCH, EXPLICIT)}
STEP = {DECODE: 1}

needs_kernel = pytest.mark.skipif(native_library().library is None, reason=native_library().reason)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each attention was called."""
    found: Counter[str] = Counter()
    counted: list[tuple[Any, str, str]] = [
        (functional, "scaled_dot_product_attention", TORCH),
        (gpt_module, "explicit_attention", EXPLICIT),
    ]
    if native_library().library is not None:
        counted += [
            (native_library().library, "attend_rows", PREFILL),
            (native_library().library, "decode_step", DECODE),
        ]

    def counting(what: str, honest: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            found[what] += 1
            return honest(*given, **named)

        return call

    for place, name, what in counted:
        monkeypatch.setattr(place, name, counting(what, getattr(place, name)))
    return found


@pytest.fixture(params=["compiled", "switched off"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, calls: Counter[str]) -> Iterator[bool]:
    """With the compiled kernel, and without."""
    if request.param == "compiled":
        if native_library().library is None:
            pytest.skip(native_library().reason)
        yield True
        return
    monkeypatch.setenv("GPT_NATIVE", "0")
    native_library.cache_clear()
    yield False
    monkeypatch.undo()
    native_library.cache_clear()


def a_model(dropout: float = 0.0, **given: Any) -> GPT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GPT(CONFIG if dropout == 0.0 else GPTConfig(61, 48, LAYERS, 4, 32, dropout=dropout), **given)


def ids(time: int, batch: int = 1) -> Tensor:
    return torch.arange(batch * time).remainder(61).view(batch, time)


def left_padded(time: int, *padding: int) -> Tensor:
    mask = torch.ones(len(padding), time, dtype=torch.long)
    for row, count in enumerate(padding):
        mask[row, :count] = 0
    return mask


def test_training_is_left_to_torch(calls: Counter[str]) -> None:
    a_model()(ids(8)).sum().backward()
    assert calls == ONCE_A_LAYER[TORCH]


def test_training_with_dropout_on_a_cpu_is_explicit(calls: Counter[str]) -> None:
    a_model(dropout=0.1).train()(ids(8)).sum().backward()
    assert calls == ONCE_A_LAYER[EXPLICIT]


def test_a_model_without_an_engine_is_left_to_torch(calls: Counter[str]) -> None:
    with torch.inference_mode():
        a_model().eval()(ids(8))
    assert calls == ONCE_A_LAYER[TORCH]


def test_a_model_with_an_engine_still_trains(calls: Counter[str]) -> None:
    model = a_model()
    Engine(model)
    model(ids(8)).sum().backward()
    assert calls == ONCE_A_LAYER[TORCH]


@pytest.mark.parametrize("cached", [True, False])
def test_a_prompt(calls: Counter[str], compiled: bool, cached: bool) -> None:
    engine = Engine(a_model())
    engine(ids(ROWS + 1), engine.new_cache(1, 48) if cached else None)
    assert calls == ONCE_A_LAYER[PREFILL if compiled else TORCH]


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, ROWS), (ROWS, 1), (4, ROWS // 4)])
def test_a_step_and_a_short_prompt(calls: Counter[str], compiled: bool, batch: int, time: int) -> None:
    engine = Engine(a_model())
    engine(ids(time, batch), engine.new_cache(batch, 48))
    assert calls == (STEP if compiled else ONCE_A_LAYER[TORCH])


@pytest.mark.parametrize(("batch", "time"), [(1, ROWS + 1), (ROWS + 1, 1)])
def test_more_tokens_than_a_step_has(calls: Counter[str], compiled: bool, batch: int, time: int) -> None:
    engine = Engine(a_model())
    engine(ids(time, batch), engine.new_cache(batch, 48))
    assert calls == ONCE_A_LAYER[PREFILL if compiled else TORCH]


def test_padding_of_one_sequence(calls: Counter[str], compiled: bool) -> None:
    engine, mask = Engine(a_model()), left_padded(20, 3)
    cache = engine.new_cache(1, 48)
    engine(ids(20), cache, attention_mask=mask)
    assert calls == ONCE_A_LAYER[PREFILL if compiled else TORCH]
    calls.clear()
    engine(ids(1), cache, attention_mask=torch.cat((mask, left_padded(1, 0)), 1))
    assert calls == (STEP if compiled else ONCE_A_LAYER[TORCH])


def test_padding_that_differs_between_sequences(calls: Counter[str], compiled: bool) -> None:
    engine, mask = Engine(a_model()), left_padded(20, 3, 0)
    cache = engine.new_cache(2, 48)
    engine(ids(20, 2), cache, attention_mask=mask)
    assert calls == ONCE_A_LAYER[TORCH]
    calls.clear()
    engine(ids(1, 2), cache, attention_mask=torch.cat((mask, left_padded(1, 0, 0)), 1))
    assert calls == (STEP if compiled else ONCE_A_LAYER[TORCH])


def test_an_attention_of_the_callers_choice(calls: Counter[str], compiled: bool) -> None:
    """It reads prompts. Steps are the kernel's as a whole, which has an attention of its own."""
    chosen = []

    def attend(*parts: Any) -> Tensor:
        chosen.append(1)
        return explicit_attention(*parts)

    engine = Engine(a_model(attention=attend))
    cache = engine.new_cache(1, 48)
    engine(ids(ROWS + 1), cache)
    assert (len(chosen), calls) == (LAYERS, {})
    engine(ids(1), cache)
    assert (len(chosen), calls) == ((LAYERS, STEP) if compiled else (2 * LAYERS, {}))


@pytest.mark.parametrize("read", ["tree", "features"])
def test_the_same_model_read_in_another_way(calls: Counter[str], compiled: bool, read: str) -> None:
    """The engine runs for it what it runs for prompts, and leaves the model as it was."""
    engine = Engine(a_model())
    if read == "tree":
        engine(ids(20), positions=torch.arange(20)[None], attention_mask=torch.ones(1, 20, 20).tril().bool())
    else:
        engine.features(ids(20))
    assert calls == ONCE_A_LAYER[PREFILL if compiled else TORCH]
    calls.clear()
    engine(ids(20))
    assert calls == ONCE_A_LAYER[PREFILL if compiled else TORCH]
    calls.clear()
    with torch.inference_mode():
        engine.model(ids(20))
    assert calls == ONCE_A_LAYER[TORCH], "the model itself is as it was"


SCHEMES: dict[Scheme, bool] = {
    **{"bf16": True, "int8": True, "int4": True},
    **{"int8-dynamic": False, "nf4": False, "fp4": False},
}
"""Whether the kernel's step reads weights of this format."""


@pytest.mark.parametrize("activations", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_stored_weights(calls: Counter[str], compiled: bool, scheme: Scheme, activations: torch.dtype) -> None:
    """The kernel's attention is for fp32 activations, whatever the weights are."""
    model = quantize_(a_model(), scheme, activations)
    assert isinstance(model, GPT)
    engine = Engine(model)
    cache = engine.new_cache(1, 48)
    attention = ONCE_A_LAYER[PREFILL if compiled and activations == torch.float32 else TORCH]
    engine(ids(ROWS + 1), cache)
    assert calls == attention
    calls.clear()
    engine(ids(1), cache)
    assert calls == (STEP if compiled and SCHEMES[scheme] else attention)


def test_half_precision_is_left_to_torch(calls: Counter[str], compiled: bool) -> None:
    engine = Engine(a_model().half())
    cache = engine.new_cache(1, 48)
    engine(ids(ROWS + 1), cache)
    engine(ids(1), cache)
    assert calls == {TORCH: 2 * LAYERS}


@needs_kernel
@pytest.mark.parametrize("lost", ["the prompt's", "the step's"])
def test_known_bad_an_engine_that_falls_back_is_right_and_seen(calls: Counter[str], lost: str) -> None:
    """Such as one that takes its model's own attention."""
    engine, fallen = Engine(a_model()), Engine(a_model())
    if lost == "the prompt's":
        fallen.attention = gpt_module.fused_attention
    else:
        fallen.native = None
    found, counts = [], []
    for one in (engine, fallen):
        calls.clear()
        cache = one.new_cache(1, 48)
        found.append(torch.cat((one(ids(20), cache), one(ids(1), cache)), 1))
        counts.append(dict(calls))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)
    assert counts[0] == {PREFILL: LAYERS, DECODE: 1} != counts[1]
