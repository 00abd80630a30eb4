"""Inference timing: a scripted model on a scripted clock must give exactly the times that were scripted."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from harness.errors import Unsupported
from harness.measures.going import Going
from harness.measures.inference import INFERENCE, InferenceSettings, gemm_peak, summarize, timed_iterations
from harness.measures.measure import Facts, Peaks
from harness.measures.timeline import Timeline
from harness.measures.useful_work import decode_bytes, prefill_flops
from harness.models.contract import ModelIdentity

IDENTITY = ModelIdentity(
    name="scripted",
    kind="reference",
    digest="d",
    tokenizer_digest="t",
    precision="fp32",
    device="cpu",
    parameters=1000,
    parameters_non_embedding=800,
    parameters_matmul=900,
    parameters_head=100,
    weight_bytes=4000,
    weight_bytes_read=3600,
    vocabulary=50,
    context=64,
    layers=2,
    width=8,
    kv_bytes_per_token=128,
)
FACTS = Facts(IDENTITY, Peaks(flops={"fp32": 1e9, "bf16": 1e8}, bandwidth=1e9))
MS = 1_000_000


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


class ScriptedModel:
    """Takes `prefill` ns for a prompt and `step` ns for a token, by the clock; says which calls it got."""

    identity = IDENTITY

    def __init__(self, clock: Clock, prefill: int, step: int, slow_cache: int = 0) -> None:
        self.clock, self.prefill, self.step, self.slow_cache = clock, prefill, step, slow_cache
        self.calls: list[tuple[str, int]] = []
        self.collector: list[bool] = []

    def new_cache(self, batch: int, length: int, *, sliding: bool) -> list[int]:
        self.clock.now += self.slow_cache
        self.calls.append(("cache", length))
        return []

    def forward(
        self, tokens: torch.Tensor, cache: Any = None, logits_at: torch.Tensor | None = None, **_: object
    ) -> torch.Tensor:
        self.collector.append(gc.isenabled())
        assert cache is not None
        batch, time = tokens.shape
        self.calls.append(("forward", time))
        self.clock.now += self.prefill if not cache else self.step
        cache.append(time)
        if time > 1:
            assert logits_at is not None
            assert logits_at.tolist() == [time - 1]
        logits = torch.zeros(batch, 1, self.identity.vocabulary)
        logits[:, :, len(cache)] = 1
        return logits


def collect(settings: InferenceSettings, **model: int) -> tuple[list[dict[str, Any]], ScriptedModel]:
    clock = Clock()
    scripted = ScriptedModel(clock, **model)
    return timed_iterations(scripted, settings, clock), scripted  # type: ignore[arg-type]


def values(rows: list[dict[str, Any]], settings: InferenceSettings, facts: Facts = FACTS) -> dict[str, float]:
    return {m.metric.name: m.value for m in summarize(pd.DataFrame(rows), settings, facts)}


def test_scripted_times_come_out_exactly() -> None:
    settings = InferenceSettings(prompt=16, generate=5, batch=2, iterations=3, warmup=1)
    rows, model = collect(settings, prefill=40 * MS, step=10 * MS, slow_cache=7 * MS)
    assert [row["ttft_s"] for row in rows] == [0.04] * 3
    assert [row["step_s"] for row in rows] == [[0.01] * 4] * 3
    assert model.calls[:6] == [("cache", 21), ("forward", 16), *[("forward", 1)] * 4]
    assert len(model.calls) == 4 * 6, "3 iterations and 1 warm-up"
    assert not any(model.collector[5:]), "the garbage collector may run inside the timer"
    found = values(rows, settings)
    assert found["ttft"] == pytest.approx(40)
    assert found["tpot"] == pytest.approx(10)
    assert found["prefill_rate"] == pytest.approx(2 * 16 / 0.04)
    assert found["decode_rate"] == pytest.approx(2 / 0.01)


def test_each_iteration_is_told_between_two_that_are_timed() -> None:
    class Load:
        told: list[tuple[float, str]] = []  # noqa: RUF012

        def __call__(self) -> None: ...

        def tell(self, done: float, text: str) -> None:
            clock.now += 1000 * MS
            self.told.append((round(done, 3), text))

    chosen, clock, load = InferenceSettings(prompt=16, generate=5, iterations=3, warmup=1), Clock(), Load()
    scripted: Any = ScriptedModel(clock, prefill=40 * MS, step=10 * MS)
    rows = timed_iterations(scripted, chosen, clock, Going(load, 3, "iterations"))
    assert load.told[-1] == (1.0, "3 of 3 iterations, 62.5 tokens/s") and len(load.told) == 3
    assert all(row["ttft_s"] == 0.04 and row["step_s"] == [0.01] * 4 for row in rows), "the telling is in no duration"


def test_known_bad_e2e_over_tokens_is_not_tpot() -> None:
    """guidellm's definition, which counts the first token, would say 16 ms here."""
    settings = InferenceSettings(prompt=16, generate=5, iterations=1)
    rows, _ = collect(settings, prefill=40 * MS, step=10 * MS)
    bad = (rows[0]["ttft_s"] + sum(rows[0]["step_s"])) / settings.generate * 1e3
    assert bad == pytest.approx(16)
    assert values(rows, settings)["tpot"] != pytest.approx(bad, rel=0.1)


def test_steps_leave_no_gap() -> None:
    timeline = Timeline(start=100, tokens=(400, 500, 900))
    assert timeline.ttft + sum(timeline.steps) == pytest.approx(800e-9)
    assert timeline.steps == [100e-9, 400e-9]


def test_utilization_by_hand() -> None:
    # prefill of 2 prompts of 3 tokens: body 2·800·3, head 2·100, attention 4·2 layers·8 wide·(1+2+3)
    assert prefill_flops(IDENTITY, 2, 3) == 2 * (4800 + 200 + 384)
    # 3 generated: steps at 3+1 and 3+2 tokens of cache, 2 sequences of 128 bytes per token
    assert decode_bytes(IDENTITY, 2, 3, 3) == 3600 + 2 * 128 * (4 + 5) / 2
    settings = InferenceSettings(prompt=3, generate=3, batch=2, iterations=1)
    rows, _ = collect(settings, prefill=20_000, step=10_000)
    found = values(rows, settings)
    assert found["mfu"] == pytest.approx(10768 / 20e-6 / 1e9)
    assert found["mbu"] == pytest.approx(4752 / 10e-6 / 1e9)


@pytest.mark.parametrize(("precision", "peak"), [("fp32", 1e9), ("bf16", 1e8), ("int8", 1e9), ("int4", 1e9)])
def test_each_precision_has_its_peak(precision: str, peak: float) -> None:
    assert FACTS.peaks is not None
    assert gemm_peak(FACTS.peaks, precision, widens_bf16=False) == peak


def test_bf16_that_the_reference_widens_is_held_against_the_fastest_type() -> None:
    assert gemm_peak(FACTS.peaks, "bf16", widens_bf16=True) == max(FACTS.peaks.flops.values())


def test_a_type_without_a_peak_has_no_mfu() -> None:
    settings = InferenceSettings(prompt=3, generate=3, iterations=1)
    rows, _ = collect(settings, prefill=20_000, step=10_000)
    found = values(rows, settings, Facts(IDENTITY.model_copy(update={"precision": "fp16"}), FACTS.peaks))
    assert "mfu" not in found
    assert "mbu" in found


@pytest.mark.parametrize(
    "facts",
    [Facts(IDENTITY), Facts(IDENTITY.model_copy(update={"device": "cuda:0"}), FACTS.peaks)],
    ids=["no peaks", "another device's peaks"],
)
def test_no_utilization_without_this_devices_peaks(facts: Facts) -> None:
    settings = InferenceSettings(prompt=3, generate=3, iterations=1)
    rows, _ = collect(settings, prefill=20_000, step=10_000)
    assert not {"mfu", "mbu"} & values(rows, settings, facts).keys()


def frame(ttft: Callable[[int, int], float], launches: int, iterations: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"launch": launch, "iteration": i, "ttft_s": ttft(launch, i), "step_s": np.array([0.5, 1.5])}
            for launch in range(1, launches + 1)
            for i in range(iterations)
        ]
    )


def test_three_launches_make_the_launch_the_unit() -> None:
    samples = frame(lambda launch, i: launch * (1 + 0.001 * i), launches=3, iterations=5)
    ttft = summarize(samples, InferenceSettings(generate=3), FACTS)[0]
    assert (ttft.n, ttft.n_unit) == (3, "launches")
    assert ttft.value == pytest.approx(1002 * (1 * 2 * 3) ** (1 / 3))
    assert ttft.low is not None and ttft.low < 1002


def test_fewer_launches_say_what_their_interval_lacks() -> None:
    samples = frame(lambda launch, i: 1 + 0.01 * i, launches=1, iterations=9)
    ttft = summarize(samples, InferenceSettings(generate=3), FACTS)[0]
    assert (ttft.n, ttft.n_unit) == (9, "iterations")
    assert "lacks the variance between launches" in ttft.interval
    assert (ttft.value, ttft.low, ttft.high) == pytest.approx((1040, 1010, 1070))


def test_too_few_iterations_give_no_interval() -> None:
    samples = frame(lambda launch, i: 1.0, launches=1, iterations=5)
    for found in summarize(samples, InferenceSettings(generate=3), FACTS):
        assert (found.low, found.high) == (None, None)
        assert found.interval == "none: too few iterations"


def test_a_rates_interval_is_the_times_turned_over() -> None:
    samples = frame(lambda launch, i: 1 + 0.01 * i, launches=1, iterations=9)
    settings = InferenceSettings(prompt=100, generate=3)
    ttft, _, rate, *_ = summarize(samples, settings, FACTS)
    assert ttft.low is not None and ttft.high is not None
    assert (rate.low, rate.high) == pytest.approx((100 / ttft.high * 1e3, 100 / ttft.low * 1e3))


def test_what_does_not_fit_the_context_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="do not fit in this model's context of 64"):
        collect(InferenceSettings(prompt=60, generate=5), prefill=1, step=1)


def test_one_generated_token_has_no_decode_step() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        InferenceSettings(generate=1)


def test_the_collector_is_left_as_it_was_even_after_an_error() -> None:
    class Failing(ScriptedModel):
        def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            raise RuntimeError("broken")

    frozen = gc.get_freeze_count()
    clock = Clock()
    settings = InferenceSettings(prompt=2, generate=2, warmup=0)
    with pytest.raises(RuntimeError, match="broken"):
        timed_iterations(Failing(clock, 1, 1), settings, clock)  # type: ignore[arg-type]
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_a_clock_that_is_set_back_changes_no_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """When an iteration began is told by a clock that may jump; how long it took never is."""
    settings = InferenceSettings(prompt=16, generate=3, iterations=4, warmup=1)
    steady, _ = collect(settings, prefill=40 * MS, step=10 * MS)
    told = [5e9, 1.0, -3.0, 7e12]
    jumps = iter(told)
    monkeypatch.setattr("harness.measures.inference.time.time", lambda: next(jumps))
    rows, _ = collect(settings, prefill=40 * MS, step=10 * MS)
    assert [row["time"] for row in rows] == told and all(row["time"] > 1.5e9 for row in steady)
    assert values(rows, settings) == values(steady, settings)


def test_every_metric_is_declared() -> None:
    settings = InferenceSettings(prompt=3, generate=3, iterations=1)
    rows, _ = collect(settings, prefill=20_000, step=10_000)
    assert set(values(rows, settings)) == {metric.name for metric in INFERENCE.metrics}


def test_a_real_model_generates_the_same_each_time(llama_folder: object) -> None:
    from harness.models.contract import ModelSource
    from harness.models.open import open_model

    model = open_model(ModelSource("m", "transformers", str(llama_folder), "d"))
    rows = INFERENCE.collect(lambda: model, InferenceSettings(prompt=12, generate=6, batch=3, iterations=2, warmup=1))
    assert len({row["output_digest"] for row in rows}) == 1
    assert all(row["ttft_s"] > 0 and len(row["step_s"]) == 5 and min(row["step_s"]) > 0 for row in rows)
