"""The times of a run as pytest-benchmark's JSON, as `pytest-benchmark compare` reads it.

A benchmark is a metric of a cell that has rounds (`Metric.rounds`); the rounds of all launches stand one after the
other, as the format knows one process alone. A step's list of seconds is one round, of their mean, as our measures sum
it up.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from harness import strict_json
from harness.errors import UserError
from harness.evidence.selection import coordinates
from harness.interchange.round_statistics import round_statistics
from harness.measures.registry import metrics_of
from harness.notice import notice
from harness.results.record import CellResult, Metric, Scalar, Status
from harness.results.run import Run
from harness.results.samples import reading_samples

VERSION = "5.3.1"
"""Of pytest-benchmark whose format this is."""


def pytest_benchmark_json(run: Run) -> str:
    """The text of the file. Raises UserError where no cell of the run has rounds."""
    benchmarks = [one for cell in run.cells for one in _benchmarks(run, cell)]
    if not benchmarks:
        raise UserError("no cell of this run has times of single rounds, which the file is made of", place=run.name)
    manifest = run.manifest
    told = {
        "machine_info": _machine(manifest.fingerprint),
        "commit_info": _commit(manifest.git, manifest.suite),
        "benchmarks": benchmarks,
        "datetime": manifest.started,
        "version": VERSION,
    }
    return strict_json.dumps(told, indent=4) + "\n"


def _benchmarks(run: Run, cell: CellResult) -> Iterator[dict[str, Any]]:
    if cell.status is not Status.OK:
        return
    there = {record.metric for record in cell.records if record.value is not None}
    timed = [metric for metric in metrics_of(cell.measure) if metric.rounds is not None and metric.name in there]
    if not timed:
        return
    samples = run.samples_of(cell)
    with reading_samples(run.samples_file(cell)):
        for metric in timed:
            if metric.rounds not in samples.columns:
                notice(f"{cell.model}: the run has no single rounds of {metric.name}, so it is left out")
                continue
            rows = samples[~samples["warmup"].astype(bool)] if "warmup" in samples.columns else samples
            data = [_seconds(value) for value in rows[metric.rounds].dropna()]
            if data:
                yield _benchmark(cell, metric, data, alone=len(timed) == 1)


def _seconds(value: Any) -> float:
    """A round's time; of a list of steps their mean."""
    return float(value) if isinstance(value, int | float) else statistics.fmean(map(float, value))


def _benchmark(cell: CellResult, metric: Metric, data: list[float], *, alone: bool) -> dict[str, Any]:
    """alone: whether the cell has no other times, so that its name needs no metric's."""
    params = {name: value for name, value in coordinates(cell).items() if name not in ("model", "measure")}
    params = {name: value for name, value in params.items() if value is not None}
    base = cell.model if alone else f"{cell.model} {metric.name}"
    own = cell.conditions.get("name") if cell.measure == "pytest-benchmark" else None
    param = "-".join(_word(name, value, cell) for name, value in params.items()) or None
    ending = f"[{param}]" if param else ""
    iterations = cell.conditions.get("iterations")
    return {
        "group": cell.conditions.get("group") or (None if alone else metric.name),
        "name": own or f"{base.rpartition('::')[2]}{ending}",
        "fullname": f"{base}{ending}",
        "params": params or None,
        "param": param,
        "extra_info": cell.conditions.get("extra_info") or {},
        "options": {},
        "stats": {
            **round_statistics(data),
            "data": data,
            "iterations": iterations if type(iterations) is int and cell.measure == "pytest-benchmark" else 1,
        },
    }


def _word(name: str, value: Scalar, cell: CellResult) -> str:
    """A parameter in a benchmark's name: as pytest has it of its own, with its name of ours."""
    return str(value) if cell.measure == "pytest-benchmark" else f"{name}={value}"


def _machine(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    system, _, machine = str(fingerprint.get("system") or "").partition("-")
    python = str(fingerprint.get("python") or "")
    cpu = {"brand_raw": fingerprint.get("cpu_model"), "count": fingerprint.get("cores"), "arch_string_raw": machine}
    return {
        "node": "",
        "processor": str(fingerprint.get("cpu_model") or ""),
        "machine": machine,
        "python_compiler": str(fingerprint.get("python_compiler") or ""),
        "python_implementation": "CPython",
        "python_implementation_version": python,
        "python_version": python,
        "python_build": ["", ""],
        "release": str(fingerprint.get("kernel") or ""),
        "system": system,
        "cpu": {name: value for name, value in cpu.items() if value},
    }


def _commit(git: Mapping[str, Any], suite: str) -> dict[str, Any]:
    return {
        "id": git.get("commit") or "unversioned",
        "time": git.get("commit_time"),
        "author_time": None,
        "dirty": git.get("dirty"),
        "project": suite,
        "branch": git.get("branch") or "(unknown)",
    }
