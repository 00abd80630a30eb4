"""`memory`: what it takes to hold a model and to fill its context, in a fresh process.

Weights and KV cache are counted exactly. The peaks are measured, above a baseline that is taken after the libraries
are imported and warm, so that they are the model's own and not torch's.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from harness.errors import Unsupported
from harness.limits import MOST_BATCH, MOST_LAUNCHES, MOST_TOKENS, check_at_once
from harness.measures.cost import Passes
from harness.measures.measure import Facts, Measure, Sample, Settings, check_batch, with_notes
from harness.models.contract import LanguageModel
from harness.models.shape import ModelShape
from harness.results.record import Direction, Measurement, Metric, Missing, Status

if TYPE_CHECKING:
    import pandas as pd

    from harness.measures.memory_meter import MemoryMeter

DECODE_STEPS = 4
"""How many of the context's tokens come one by one, after a prefill of the others."""


class MemorySettings(Settings):
    """Settings of `memory`."""

    context: int = Field(default=512, ge=DECODE_STEPS + 1, le=MOST_TOKENS)
    """Tokens of each sequence that the KV cache holds in the end."""
    batch: int = Field(default=1, ge=1, le=MOST_BATCH)
    """Sequences at once."""
    launches: int = Field(default=1, ge=1, le=MOST_LAUNCHES)
    """Fresh processes. Three or more give an interval."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_at_once(batch=self.batch, context=self.context)
        return self


def _bytes(name: str, definition: str, version: int = 1, **more: Any) -> Metric:
    return Metric(name=name, version=version, unit="bytes", direction=Direction.LOWER, definition=definition, **more)


def _peak(name: str, definition: str, **more: Any) -> Metric:
    return _bytes(name, definition, depends_on="memory", **more)


WEIGHT_BYTES = _bytes(
    "weight_bytes",
    "Bytes of all stored weights, quantization scales included, also where a checkpoint came quantized, tied ones "
    "once. Exact.",
    version=2,  # 1 left out the scales of bitsandbytes' checkpoints, and experts stayed wide
    counted=True,
    tradeoff=True,
)
KV_CACHE_BYTES = _bytes(
    "kv_cache_bytes",
    "Bytes of keys and values of `context` tokens of `batch` sequences, over all layers and key-value heads; layers "
    "with a sliding window hold no more than that, recurrent states are none of it. Exact.",
    version=2,
    counted=True,
)
LOAD_PEAK = _peak(
    "load_peak",
    "Most memory held while the model is loaded, above the baseline of the process with its libraries imported and "
    "warm. On the CPU resident memory by the kernel's high-water mark, pages mapped from weight files included; on a "
    "GPU torch's allocator.",
)
PEAK_MEMORY = _peak(
    "peak_memory",
    "Most memory held from the loaded model to the last token, above the same baseline: weights, KV cache, activations "
    "and allocator overhead, for a prefill of the context less 4 tokens with logits at the last, then 4 decode steps. "
    "What loading needs beside is `load_peak`.",
    headline=True,
    tradeoff=True,
)
WORKING_MEMORY = _peak(
    "working_memory",
    "Most memory held during prefill and decoding, above what the loaded model holds, less the KV cache: activations, "
    "logits, allocator overhead. Where it is near nothing, it is within the kernel's counting error.",
)


def collect(load: Callable[[], LanguageModel], settings: MemorySettings) -> list[Sample]:
    """One launch, one row. Must run in a process that has not opened the model yet."""
    import torch

    from harness.measures.memory_meter import memory_meter, return_free_memory

    _warm_up()
    host = memory_meter("cpu")
    gc.collect()
    return_free_memory()
    host.reset()
    baseline = host.held()
    model = load()
    identity = model.identity
    if settings.context > identity.context:
        raise Unsupported(f"{settings.context} tokens do not fit in this model's context of {identity.context}")
    check_batch(identity, settings.batch)
    on_host = identity.device.startswith("cpu")
    meter: MemoryMeter = host if on_host else memory_meter(identity.device)
    if not on_host:
        baseline = 0
    load_peak = meter.peak() - baseline
    gc.collect()
    return_free_memory()
    meter.reset()
    loaded = meter.held() - baseline
    with torch.inference_mode():
        _fill_context(model, settings)
    row: Sample = {
        "meter": meter.name,
        "baseline_bytes": baseline,
        "load_peak_bytes": load_peak,
        "loaded_bytes": loaded,
        "run_peak_bytes": meter.peak() - baseline,
        "weight_bytes": identity.weight_bytes,
        "kv_cache_bytes": round(identity.kv_bytes(settings.context) * settings.batch),
    }
    return with_notes([row], identity.cache.notes_on(settings.context))


def summarize(samples: pd.DataFrame, settings: MemorySettings, facts: Facts) -> list[Measurement | Missing]:
    """Measurements from the rows: exact counts, and the center over launches of each peak."""
    working = samples["run_peak_bytes"] - samples["loaded_bytes"] - samples["kv_cache_bytes"]
    return [
        Measurement(metric=WEIGHT_BYTES, value=float(samples["weight_bytes"].iloc[0])),
        _cache(samples, settings, facts),
        _over_launches(LOAD_PEAK, samples["load_peak_bytes"]),
        _over_launches(PEAK_MEMORY, samples["run_peak_bytes"]),
        _over_launches(WORKING_MEMORY, working),
    ]


def _cache(samples: pd.DataFrame, settings: MemorySettings, facts: Facts) -> Measurement | Missing:
    behavior = facts.identity.cache
    if not behavior.serves(settings.context):
        return Missing(reason=f"no KV cache is used, because {behavior.reason}", status=Status.SKIPPED)
    if facts.identity.kv_bytes_per_token == 0:
        held = f"{behavior.state_bytes:,} bytes, whatever its length"
        return Missing(reason=f"no KV cache: a sequence has a state of {held}", status=Status.SKIPPED)
    return Measurement(metric=KV_CACHE_BYTES, value=float(samples["kv_cache_bytes"].iloc[0]))


ENOUGH_LAUNCHES = 3
"""From this many launches on, the launch is the unit of an interval."""


def _over_launches(metric: Metric, values: pd.Series[float]) -> Measurement:
    """Geometric mean with Student's t on the logarithms of the launches; the median where that does not exist.

    Two launches have no interval: their range covers the true median half of the time. Working memory is a difference,
    and has no logarithm where the kernel's counting error makes it 0 or less.
    """
    from harness.statistics.intervals import geometric_mean

    if len(values) >= ENOUGH_LAUNCHES and (values > 0).all():
        value, low, high, n = geometric_mean(values)
        how = "t over logs of launches"
        return Measurement(metric=metric, value=value, low=low, high=high, interval=how, n=n, n_unit="launches")
    if len(values) >= ENOUGH_LAUNCHES:
        how = "none: not above 0 in every launch (median of launches)"
    else:
        how = "none: one launch" if len(values) == 1 else f"none: {len(values)} launches, 3 give one"
    value = float(values.median())
    return Measurement(metric=metric, value=value, interval=how, n=len(values), n_unit="launches")


def _fill_context(model: LanguageModel, settings: MemorySettings) -> None:
    """Prefill, then a few decode steps, until the cache holds `context` tokens per sequence."""
    import torch

    from harness.models.rereading import served

    model, device = served(model, settings.context), model.identity.device
    prefill = settings.context - DECODE_STEPS
    generator = torch.Generator().manual_seed(0)
    prompt = torch.randint(model.identity.vocabulary, (settings.batch, prefill), generator=generator).to(device)
    cache = model.new_cache(settings.batch, settings.context, sliding=True)
    logits = model.forward(prompt, cache=cache, logits_at=torch.tensor([prefill - 1], device=device))
    for _ in range(DECODE_STEPS):
        logits = model.forward(logits[:, -1].argmax(dim=-1, keepdim=True), cache=cache)


def _warm_up() -> None:
    """Import, fault in and start whatever comes with the first model of a process and is no part of it.

    Opens and runs a throwaway model of each kind that the process has prepared for (all, if none), in fp32, and each
    kind of kernel in bf16.
    """
    import torch

    from harness.models.open import is_prepared, rehearse
    from harness.models.registry import kinds

    prepared = [kind for kind in kinds() if is_prepared(kind)] or kinds()
    with torch.inference_mode():
        for kind in prepared:
            if (throwaway := rehearse(kind)) is not None:
                _fill_context(throwaway, MemorySettings(context=32, batch=1))
        x = torch.zeros(2, 64, 128, dtype=torch.bfloat16)
        x = torch.nn.functional.linear(x, torch.zeros(128, 128, dtype=x.dtype), torch.zeros(128, dtype=x.dtype))
        x = torch.nn.functional.layer_norm(torch.nn.functional.gelu(x), (128,))
        heads = x.view(2, 64, 4, 32).transpose(1, 2)
        heads = torch.nn.functional.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
        heads.softmax(dim=-1).argmax(dim=-1)


def _passes(settings: MemorySettings, shape: ModelShape) -> Passes:
    held = settings.batch * settings.context
    return Passes(held, settings.context, held)


MEMORY = Measure(
    name="memory",
    version=1,
    about="Memory of a fresh process: weights, KV cache, and the peaks of loading and of filling the context.",
    settings=MemorySettings,
    metrics=(WEIGHT_BYTES, KV_CACHE_BYTES, LOAD_PEAK, PEAK_MEMORY, WORKING_MEMORY),
    isolated=True,
    needs_peaks=False,
    fills=(("context",),),
    collect=collect,
    summarize=summarize,
    seconds=lambda settings, pace: pace.start + pace.compute(settings.context * settings.batch),
    passes=_passes,
)
