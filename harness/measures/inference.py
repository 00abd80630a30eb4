"""`inference`: how fast a model reads a prompt and writes an answer.

Prefill and decode are timed apart, on token ids (no tokenizer, no sampling, no server), by the same calls that any
user of the model would make. The evidence is one row per iteration; the unit of the interval is the launch (a fresh
process) as soon as there are three, because iterations of one process share their luck.
"""

from __future__ import annotations

import gc
import hashlib
import os
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from harness.errors import Unsupported
from harness.limits import (
    LARGEST_SEED,
    MOST_BATCH,
    MOST_ITERATIONS,
    MOST_LAUNCHES,
    MOST_TOKENS,
    check_at_once,
    check_in_all,
)
from harness.measures.cost import Pace, Passes
from harness.measures.going import Going
from harness.measures.measure import LAUNCH, Facts, Measure, Peaks, Sample, Settings, check_batch
from harness.measures.useful_work import decode_bytes, prefill_flops
from harness.models.contract import LanguageModel
from harness.models.shape import ModelShape
from harness.results.record import Direction, Measurement, Metric, Missing, Status

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from harness.statistics.intervals import Interval


class InferenceSettings(Settings):
    """Settings of `inference`."""

    prompt: int = Field(default=128, ge=1, le=MOST_TOKENS)
    """Tokens of each prompt."""
    generate: int = Field(default=64, ge=2, le=MOST_TOKENS)
    """Tokens to generate for each prompt, no fewer and no more; 2 at least, for there to be a decode step."""
    batch: int = Field(default=1, ge=1, le=MOST_BATCH)
    """Prompts at once."""
    iterations: int = Field(default=10, ge=1, le=MOST_ITERATIONS)
    """Timed generations per launch."""
    warmup: int = Field(default=2, ge=0, le=MOST_ITERATIONS)
    """Generations before them that are not timed."""
    launches: int = Field(default=1, ge=1, le=MOST_LAUNCHES)
    """Fresh processes. Three or more give an interval that holds from one launch to the next."""
    prompt_seed: int = Field(default=0, ge=-LARGEST_SEED, le=LARGEST_SEED)
    """Of the prompt: token ids drawn uniformly from the vocabulary, the same in every iteration and launch."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        check_at_once(batch=self.batch, tokens=self.prompt + self.generate)
        repeats = self.iterations + self.warmup
        check_in_all(launches=self.launches, generations=repeats, batch=self.batch, tokens=self.prompt + self.generate)
        return self


TTFT = Metric(
    name="ttft",
    unit="ms",
    direction=Direction.LOWER,
    definition="Time to first token: prefill with logits at the last token, and an argmax; no "
    "queue, tokenizer or transport is in it (a server's TTFT counts from the request in).",
    depends_on="time",
    times="prefill",
    rounds="ttft_s",
    headline=True,
    tradeoff=True,
)
TPOT = Metric(
    name="tpot",
    unit="ms",
    direction=Direction.LOWER,
    definition="Time per output token after the first: (E2E - TTFT)/(n_out - 1) per generation (vLLM "
    "benchmark_serving; MLPerf loadgen). guidellm's TPOT, E2E/n_out, is another quantity.",
    depends_on="time",
    times="decode",
    rounds="step_s",
)
PREFILL_RATE = Metric(
    name="prefill_rate",
    unit="tokens/s",
    direction=Direction.HIGHER,
    definition="Prompt tokens of the whole batch over TTFT.",
    depends_on="time",
    times="prefill",
    tradeoff=True,
)
DECODE_RATE = Metric(
    name="decode_rate",
    unit="tokens/s",
    direction=Direction.HIGHER,
    definition="Tokens of the whole batch per second of decoding: batch/TPOT.",
    depends_on="time",
    times="decode",
    headline=True,
    tradeoff=True,
)
MFU = Metric(
    name="mfu",
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Model FLOPs utilization of the prefill: useful FLOPs (2 per matrix-product parameter and token, causal "
    "attention, head at the last token) over TTFT, over the measured GEMM peak of the type (for weights "
    "that are widened to be multiplied, of the fastest type). After Chowdhery et al. 2022, appendix B.",
    depends_on="time",
    times="prefill",
)
MBU = Metric(
    name="mbu",
    version=2,
    unit="fraction",
    direction=Direction.HIGHER,
    definition="Memory-bandwidth utilization of decoding: weight bytes read plus key and value bytes read per step (of "
    "layers with a sliding window no more than that holds), over TPOT, over the measured triad bandwidth.",
    depends_on="time",
    times="decode",
)


def collect(load: Callable[[], LanguageModel], settings: InferenceSettings) -> list[Sample]:
    """One launch: warm up, then time. One row per iteration."""
    return timed_iterations(load(), settings, time.perf_counter_ns, Going(load, settings.iterations, "iterations"))


def timed_iterations(
    model: LanguageModel, settings: InferenceSettings, clock: Callable[[], int], going: Going | None = None
) -> list[Sample]:
    """The rows of `collect`, by any clock that counts nanoseconds. going: hears of each iteration when it has ended, in
    between two that are timed."""
    from harness.measures.timeline import generate_timed

    needed = settings.prompt + settings.generate
    if needed > model.identity.context:
        raise Unsupported(
            f"prompt + generate = {needed} tokens do not fit in this model's context of {model.identity.context}"
        )
    check_batch(model.identity, settings.batch)
    prompt = _prompt(model, settings)
    # without a cache the prefill alone is timed: reading everything again for each token says nothing of the model
    generate = settings.generate if model.identity.cache.serves(needed) else 1
    for _ in range(settings.warmup):
        generate_timed(model, prompt, generate, clock)
    rows: list[Sample] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for iteration in range(settings.iterations):
            began = time.time()  # says when, and no more: durations are the monotonic clock's
            load_average, switches, cpu = os.getloadavg()[0], _involuntary_switches(), time.process_time_ns()
            timeline, tokens = generate_timed(model, prompt, generate, clock)
            rows.append(
                {
                    "iteration": iteration,
                    "time": began,
                    "ttft_s": timeline.ttft,
                    "step_s": timeline.steps,
                    "cpu_s": (time.process_time_ns() - cpu) / 1e9,
                    "load_average": load_average,
                    "involuntary_switches": _involuntary_switches() - switches,
                    "output_digest": _digest(tokens),
                }
            )
            if going is not None:
                rate = settings.batch * (1 + len(timeline.steps)) / (timeline.ttft + sum(timeline.steps))
                going(said=f"{rate:,.1f} tokens/s")
    finally:
        gc.enable()
        gc.unfreeze()
    return rows


def summarize(samples: pd.DataFrame, settings: InferenceSettings, facts: Facts) -> list[Measurement | Missing]:
    """Measurements from the rows of all launches (their column `launch` says which; absent means one)."""
    launches = samples[LAUNCH] if LAUNCH in samples else samples["iteration"] * 0
    ttft, how, unit = _center(samples["ttft_s"], launches)
    behavior = facts.identity.cache
    decodes = behavior.serves(settings.prompt + settings.generate)

    def direct(metric: Metric, seconds: Interval, factor: float) -> Measurement:
        return _measurement(metric, seconds.value * factor, seconds.low, seconds.high, factor, seconds.n)

    def inverse(metric: Metric, seconds: Interval, amount: float) -> Measurement:
        low = None if seconds.high is None else 1 / seconds.high
        high = None if seconds.low is None else 1 / seconds.low
        return _measurement(metric, amount / seconds.value, low, high, amount, seconds.n)

    def _measurement(
        metric: Metric, value: float, low: float | None, high: float | None, factor: float, n: int
    ) -> Measurement:
        return Measurement(
            metric=metric,
            value=value,
            low=None if low is None else low * factor,
            high=None if high is None else high * factor,
            interval=how if low is not None else f"none: too few {unit}",
            n=n,
            n_unit=unit,
        )

    found: list[Measurement | Missing] = [
        direct(TTFT, ttft, 1e3),
        inverse(PREFILL_RATE, ttft, settings.batch * settings.prompt),
    ]
    if decodes:
        tpot, _, _ = _center(samples["step_s"].map(lambda steps: sum(steps) / len(steps)), launches)
        found[1:1] = [direct(TPOT, tpot, 1e3)]
        found.append(inverse(DECODE_RATE, tpot, settings.batch))
    else:
        reason = f"no speed of decoding: no KV cache is used, because {behavior.reason}"
        found.append(Missing(reason=reason, status=Status.SKIPPED))
    peaks = facts.peaks
    if peaks is None or peaks.device != facts.identity.device.partition(":")[0]:
        return found
    peak = gemm_peak(peaks, facts.identity.precision, widens_bf16=facts.identity.widens_bf16)
    if peak is not None:
        flops = prefill_flops(facts.identity, settings.batch, settings.prompt)
        found.append(inverse(MFU, ttft, flops / peak))
    if peaks.bandwidth > 0 and decodes:
        read = decode_bytes(facts.identity, settings.batch, settings.prompt, settings.generate)
        found.append(inverse(MBU, tpot, read / peaks.bandwidth))
    return found


def gemm_peak(peaks: Peaks, precision: str, *, widens_bf16: bool) -> float | None:
    """The measured FLOP/s that a precision can hope for; None where its type was not measured.

    Weights that are widened to be multiplied can take whatever type the machine multiplies fastest: their peak is the
    highest. That is every format of weights, and bf16 where the model widens that too (`ModelIdentity.widens_bf16`).
    """
    if (precision == "bf16" and widens_bf16) or precision not in ("fp32", "bf16", "fp16"):
        return max(peaks.flops.values(), default=None)
    return peaks.flops.get(precision)


ENOUGH_LAUNCHES = 3
"""From this many launches on, the launch is the unit of the interval."""


def _center(seconds: pd.Series[float], launches: pd.Series[int]) -> tuple[Interval, str, str]:
    """The typical duration with its interval, how that was made, and what its n counts."""
    from harness.statistics.intervals import geometric_mean, median

    per_launch = seconds.groupby(launches).median()
    if len(per_launch) >= ENOUGH_LAUNCHES:
        return geometric_mean(per_launch), "t over logs of the medians of launches", "launches"
    how = "order statistics of iterations (lacks the variance between launches)"
    return median(seconds), how, "iterations"


def _prompt(model: LanguageModel, settings: InferenceSettings) -> Tensor:
    """(batch, prompt) token ids, uniform over the vocabulary."""
    import torch

    generator = torch.Generator().manual_seed(settings.prompt_seed)
    shape = (settings.batch, settings.prompt)
    return torch.randint(model.identity.vocabulary, shape, generator=generator).to(model.identity.device)


def _digest(tokens: Tensor) -> str:
    """What was generated, as 16 hex digits: equal where two runs are bitwise alike in their choices."""
    return hashlib.sha256(str(tokens.tolist()).encode()).hexdigest()[:16]


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _seconds(settings: InferenceSettings, pace: Pace) -> float:
    """So many generations in each launch, a prefill and its decode steps each."""
    prefill = pace.compute(settings.prompt * settings.batch)
    generation = prefill + settings.generate * pace.step(settings.batch)
    return settings.launches * (pace.start + (settings.warmup + settings.iterations) * generation)


def _passes(settings: InferenceSettings, shape: ModelShape) -> Passes:
    cached = settings.batch * (settings.prompt + settings.generate)
    return Passes(settings.batch * settings.prompt, settings.prompt, cached)


INFERENCE = Measure(
    name="inference",
    version=1,
    about="Speed of prefill and decode: TTFT, TPOT, tokens/s, MFU and MBU, on random token ids.",
    settings=InferenceSettings,
    metrics=(TTFT, TPOT, PREFILL_RATE, DECODE_RATE, MFU, MBU),
    isolated=True,
    needs_peaks=True,
    fills=(("prompt", "generate"),),
    collect=collect,
    summarize=summarize,
    seconds=_seconds,
    passes=_passes,
)
