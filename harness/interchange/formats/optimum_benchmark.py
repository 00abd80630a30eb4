"""optimum-benchmark: `benchmark_report.json` with `benchmark_config.json`, or `benchmark.json`, which holds both.

A report has targets (load_model, prefill, decode, …), each with memory, latency, throughput, energy and efficiency. A
benchmark runs in one process (a launcher's several ranks are one launch too), so that its values are one launch.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, place_in, read_as
from harness.interchange.machine import gpus_named, system_of
from harness.interchange.names import text_of
from harness.measures.other_tools import EFFICIENCIES, ENERGIES, LATENCY, MEMORIES, THROUGHPUTS
from harness.results.record import Metric, Scalar

NAME = "optimum-benchmark"
PARTS = ("memory", "latency", "throughput", "energy", "efficiency")
BYTES = {"MB": 1_000_000}
"""optimum-benchmark divides by 1e6."""
Number = Annotated[float, Field(ge=0, lt=1e24)]
_NO_SETTINGS = {
    *("model", "device", "processor", "version", "model_kwargs", "processor_kwargs", "hub_kwargs"),
    *("memory", "latency", "energy"),
}
"""Keys of backend and scenario that are told elsewhere, are software, or say what is measured."""


class Latency(Foreign):
    """`latency` of a target."""

    unit: str
    values: list[Number] | None = None
    mean: Number | None = None


class Valued(Foreign):
    """`throughput` or `efficiency` of a target."""

    unit: str
    value: Number


class Memory(Foreign):
    """`memory` of a target."""

    unit: str
    max_ram: Number | None = None
    max_global_vram: Number | None = None
    max_process_vram: Number | None = None
    max_reserved: Number | None = None
    max_allocated: Number | None = None


class Energy(Foreign):
    """`energy` of a target."""

    unit: str
    cpu: Number
    ram: Number
    gpu: Number
    total: Number


class Target(Foreign):
    """What was measured of one target."""

    memory: Memory | None = None
    latency: Latency | None = None
    throughput: Valued | None = None
    energy: Energy | None = None
    efficiency: Valued | None = None


class Config(Foreign):
    """What of the configuration tells one benchmark from another."""

    name: str | None = None
    backend: dict[str, Any] = Field(default={})
    scenario: dict[str, Any] = Field(default={})
    launcher: dict[str, Any] = Field(default={})
    environment: dict[str, Any] = Field(default={})


def is_mine(file: ForeignFile) -> bool:
    """Whether it is a report, a configuration, or both."""
    found = None if file.is_archive else file.json
    if not isinstance(found, dict):
        return False
    return _is_report(found) or _is_config(found) or _is_both(found)


def _is_report(found: Mapping[str, Any]) -> bool:
    return bool(found) and all(isinstance(one, dict) and {"memory", "latency"} <= one.keys() for one in found.values())


def _is_config(found: Mapping[str, Any]) -> bool:
    return {"backend", "scenario", "launcher"} <= found.keys()


def _is_both(found: Mapping[str, Any]) -> bool:
    return {"config", "report"} <= found.keys() and isinstance(found["report"], dict)


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each report, with the configuration of its folder, or the only one that there is. Raises
    UserError."""
    configs = [file for file in files if _is_config(file.json)]
    reports = [file for file in files if not _is_config(file.json)]
    if not reports:
        raise UserError(
            "this is the configuration of a benchmark: name its benchmark_report.json too", place=files[0].name
        )
    found = []
    for file in reports:
        if _is_both(file.json):
            found.append(_content(file, None, file.json["report"], file.json["config"]))
            continue
        near = [one for one in configs if Path(one.name).parent == Path(file.name).parent]
        mine = near or (configs if len(configs) == len(reports) == 1 else [])
        found.append(_content(file, mine[0] if mine else None, file.json, mine[0].json if mine else {}))
    return found


def _content(file: ForeignFile, beside: ForeignFile | None, report: Any, given: Any) -> Content:
    config = read_as(Config, given, (beside or file).name, at=() if beside or not given else ("config",))
    environment = config.environment
    version = environment.get("optimum_benchmark_version")
    tool = f"{NAME} {text_of(version, 40)}" if isinstance(version, str) else NAME
    if not report:
        raise UserError("the report has no target", place=file.name)
    model, settings, axes = _asked(config)
    notes = [] if given else ["its configuration is not there: name benchmark_config.json beside the report"]
    benchmarks = []
    for name, one in report.items():
        at = ("report", name) if given and beside is None else (name,)
        target = read_as(Target, one, file.name, at=at, tool=NAME)
        values, rows, metrics = _values(target, place_in(file.name, at))
        if values:
            benchmarks.append(
                Benchmark(
                    measure=NAME,
                    model=model,
                    place=place_in(file.name, at),
                    settings={"target": text_of(name, 100), **settings},
                    axes=axes,
                    metrics=metrics,
                    launches=(Launch(values, rows),),
                    notes=notes,
                )
            )
    if not benchmarks:
        raise UserError("none of its targets has a number", place=file.name)
    return Content(tool, (file,), benchmarks, machine=_machine(environment), beside=() if beside is None else (beside,))


def _asked(config: Config) -> tuple[str, dict[str, Any], dict[str, Scalar]]:
    """Model, settings and axes: what the backend and the scenario say, without folders and what is not set."""
    backend, scenario = config.backend, config.scenario
    model = backend.get("model")
    named = model if isinstance(model, str) and model else config.name or "unnamed"
    settings: dict[str, Any] = {}
    for where, told in (("backend", backend), ("scenario", scenario)):
        for name, value in told.items():
            if name.startswith("_") or name in _NO_SETTINGS or value is None or value is False or value in ({}, []):
                continue
            if isinstance(value, Mapping):
                settings |= {f"{name}.{key}": one for key, one in value.items() if one not in (None, False)}
            else:
                settings[where if name == "name" else name] = value
    device = backend.get("device")
    return text_of(named), settings, {"device": text_of(device, 100)} if isinstance(device, str) else {}


def _values(target: Target, place: str) -> tuple[dict[str, float], list[dict[str, float]], list[Metric]]:
    """By metric, then every iteration."""
    found: dict[str, float] = {}
    metrics: list[Metric] = []

    def told(metric: Metric, value: float) -> None:
        found[metric.name] = value
        metrics.append(metric)

    rows: list[dict[str, float]] = []
    if (latency := target.latency) is not None:
        _known(latency.unit, ("s",), f"{place}.latency.unit")
        rows = [{"round": at, "seconds": value} for at, value in enumerate(latency.values or ())]
        mean = statistics.fmean(latency.values) if latency.values else latency.mean
        if mean is not None:
            told(LATENCY, mean)
    for metric, value in (*_of_units(target, place), *_of_memory(target, place), *_of_energy(target, place)):
        told(metric, value)
    return found, rows, metrics


def _of_units(target: Target, place: str) -> Iterator[tuple[Metric, float]]:
    if (one := target.throughput) is not None:
        _known(one.unit, THROUGHPUTS, f"{place}.throughput.unit")
        yield THROUGHPUTS[one.unit], one.value
    if (other := target.efficiency) is not None:
        _known(other.unit, EFFICIENCIES, f"{place}.efficiency.unit")
        yield EFFICIENCIES[other.unit], other.value


def _of_memory(target: Target, place: str) -> Iterator[tuple[Metric, float]]:
    if (memory := target.memory) is None:
        return
    _known(memory.unit, BYTES, f"{place}.memory.unit")
    for name, metric in MEMORIES.items():
        if (value := getattr(memory, name)) is not None:
            yield metric, value * BYTES[memory.unit]


def _of_energy(target: Target, place: str) -> Iterator[tuple[Metric, float]]:
    if (energy := target.energy) is not None:
        _known(energy.unit, ("kWh",), f"{place}.energy.unit")
        yield from ((metric, getattr(energy, name)) for name, metric in ENERGIES.items())


def _known(unit: str, units: Sequence[str] | Mapping[str, Any], place: str) -> None:
    if unit not in units:
        raise UserError(f"the unit is {' or '.join(units)}, not {text_of(unit, 40)!r}", place=place)


def _machine(environment: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in environment.items() if isinstance(value, str)}
    cores, memory = environment.get("cpu_count"), environment.get("cpu_ram_mb")
    libraries = {
        name.removesuffix("_version").replace("_", "-"): value
        for name, value in told.items()
        if name.endswith("_version") and name != "python_version"
    }
    return {
        "cpu_model": told.get("cpu"),
        "cores": cores if type(cores) is int else None,
        "memory_bytes": int(memory * 1e6) if isinstance(memory, int | float) and 0 < memory < 1e12 else None,
        "gpus": gpus_named(environment.get("gpu")),
        "system": system_of(told.get("system"), told.get("machine")),
        "python": told.get("python_version"),
        "packages": libraries,
    }


OPTIMUM_BENCHMARK = Format(NAME, "benchmark_report.json with benchmark_config.json, or benchmark.json", is_mine, read)
