"""Metrics of other tools, by the name of the measure under which `harness import` keeps their numbers: declared as ours
are, so that they are compared, judged and shown by the same rules. No suite can ask for them.

Each is a statistic of one launch (one process), summed up over the launches that files hold.
"""

from __future__ import annotations

from typing import Literal

from harness.results.record import Direction, Metric


def _metric(
    name: str,
    unit: str,
    definition: str,
    *,
    better: Direction = Direction.LOWER,
    depends_on: Literal["time", "memory"] | None = "time",
    headline: bool = False,
    detail: bool = False,
    rounds: str | None = None,
) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        direction=better,
        definition=definition,
        depends_on=depends_on,
        headline=headline,
        detail=detail,
        rounds=rounds,
    )


def memory(name: str, definition: str) -> Metric:
    """Of bytes that were measured."""
    return _metric(name, "bytes", definition, depends_on="memory")


def rate(name: str, unit: str, definition: str, *, rounds: str | None = None) -> Metric:
    """Of something per second."""
    return _metric(name, unit, definition, better=Direction.HIGHER, rounds=rounds)


ROUND_TIME = _metric(
    "round_time",
    "s",
    "Median over rounds of the seconds that one call took: a round's time over its iterations (`stats.median` of "
    "pytest-benchmark).",
    headline=True,
    rounds="seconds",
)
MEAN_ROUND_TIME = _metric("mean_round_time", "s", "Mean over rounds of the same (`stats.mean`).")
MIN_ROUND_TIME = _metric("min_round_time", "s", "The fastest round's (`stats.min`).")

REAL_TIME = _metric(
    "real_time",
    "s",
    "Median over repetitions of the wall time of one iteration (google/benchmark).",
    headline=True,
    rounds="real_time",
)
CPU_TIME = _metric("cpu_time", "s", "Median over repetitions of the CPU time of one iteration (google/benchmark).")
BYTES_PER_SECOND = rate("bytes_per_second", "bytes/s", "`SetBytesProcessed` over time (google/benchmark).")
ITEMS_PER_SECOND = rate("items_per_second", "items/s", "`SetItemsProcessed` over time (google/benchmark).")
REAL_COEFFICIENT = _metric(
    "real_coefficient", "s", "Coefficient of the fitted complexity of the wall time (google/benchmark's BigO row)."
)
CPU_COEFFICIENT = _metric(
    "cpu_coefficient", "s", "Coefficient of the fitted complexity of the CPU time (google/benchmark's BigO row)."
)
RMS = _metric("rms", "fraction", "Error of that fit, root mean square over the mean (google/benchmark's RMS row).")

_TOKENS = "mean over repetitions of (prompt tokens + generated tokens)/seconds (llama-bench.cpp, `get_ts`)"
PROMPT_RATE = rate("prompt_rate", "tokens/s", f"Of a test of prompts (pp), {_TOKENS}.", rounds="seconds")
GENERATION_RATE = rate("generation_rate", "tokens/s", f"Of a test of generation (tg), {_TOKENS}.", rounds="seconds")
MIXED_RATE = rate(
    "mixed_rate", "tokens/s", f"Of a test of prompt and generation together (pg), {_TOKENS}.", rounds="seconds"
)

ASV_TIME = _metric(
    "time", "s", "Median over samples of the seconds of one call (asv, `time_*`).", headline=True, rounds="seconds"
)
ASV_MEMORY = memory("object_memory", "Size of the object that the benchmark returns (asv, `mem_*`).")
ASV_PEAK = memory("peak_memory", "Peak resident memory of the process (asv, `peakmem_*`).")

PYPERF_TIME = _metric(
    "time", "s", "Median over a process's values of the seconds of one loop (pyperf).", headline=True, rounds="seconds"
)
PYPERF_MEMORY = memory("memory", "Median over a process's values (pyperf, unit byte).")

HYPERFINE_TIME = _metric(
    "time", "s", "Wall time of one run of the command, shell taken off (hyperfine).", headline=True, rounds="seconds"
)
HYPERFINE_USER = _metric("user_time", "s", "CPU time in user mode, mean over runs (hyperfine).", detail=True)
HYPERFINE_SYSTEM = _metric("system_time", "s", "CPU time in the kernel, mean over runs (hyperfine).", detail=True)
HYPERFINE_MEMORY = memory("peak_memory", "Peak resident memory of one run of the command (hyperfine).")

LATENCY = _metric(
    "latency", "s", "Mean over iterations of the seconds of one (optimum-benchmark).", headline=True, rounds="seconds"
)
THROUGHPUTS = {
    unit: rate(f"{unit.partition('/')[0].removesuffix('s')}_throughput", unit, f"As optimum-benchmark gives {unit}.")
    for unit in ("samples/s", "tokens/s", "images/s", "steps/s")
}
MEMORIES = {
    "max_ram": memory("peak_memory", "Peak resident memory of the process, sampled (optimum-benchmark, max_ram)."),
    "max_global_vram": memory("global_vram", "Peak memory in use on the GPUs (optimum-benchmark, max_global_vram)."),
    "max_process_vram": memory("process_vram", "Peak GPU memory of the process (optimum-benchmark, max_process_vram)."),
    "max_reserved": memory(
        "reserved_memory", "Peak that torch's allocator reserved (optimum-benchmark, max_reserved)."
    ),
    "max_allocated": memory("allocated_memory", "Peak that torch allocated (optimum-benchmark, max_allocated)."),
}
ENERGIES = {
    part: _metric(f"{part}_energy", "kWh", f"Energy of one iteration, {part} (optimum-benchmark with codecarbon).")
    for part in ("cpu", "gpu", "ram", "total")
}
EFFICIENCIES = {
    unit: rate(f"{unit.partition('/')[0].removesuffix('s')}_efficiency", unit, f"As optimum-benchmark gives {unit}.")
    for unit in ("samples/kWh", "tokens/kWh", "images/kWh", "steps/kWh")
}

OTHER_TOOLS: dict[str, tuple[Metric, ...]] = {
    "pytest-benchmark": (ROUND_TIME, MEAN_ROUND_TIME, MIN_ROUND_TIME),
    "google-benchmark": (
        *(REAL_TIME, CPU_TIME, BYTES_PER_SECOND, ITEMS_PER_SECOND),
        *(REAL_COEFFICIENT, CPU_COEFFICIENT, RMS),
    ),
    "llama-bench": (PROMPT_RATE, GENERATION_RATE, MIXED_RATE),
    "asv": (ASV_TIME, ASV_MEMORY, ASV_PEAK),
    "pyperf": (PYPERF_TIME, PYPERF_MEMORY),
    "hyperfine": (HYPERFINE_TIME, HYPERFINE_USER, HYPERFINE_SYSTEM, HYPERFINE_MEMORY),
    "optimum-benchmark": (
        LATENCY,
        *THROUGHPUTS.values(),
        *MEMORIES.values(),
        *ENERGIES.values(),
        *EFFICIENCIES.values(),
    ),
}
"""By measure, what its numbers are. A counter that a benchmark gives under a name of its own is not here: what nobody
declares is taken for a time."""
