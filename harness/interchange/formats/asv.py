"""asv: a file of its results (`results/MACHINE/COMMIT-ENV.json`, format 2), with `results/benchmarks.json` for names of
parameters and units.

asv pools the samples of its processes and does not tell them apart, so that a file is one launch. `version` is a hash
of the benchmark's code: with another one it is another benchmark. A result of null failed, one of NaN was skipped.
"""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, place_in, read_as
from harness.interchange.machine import bytes_of
from harness.interchange.names import text_of, utc_of_milliseconds
from harness.measures.other_tools import ASV_MEMORY, ASV_PEAK, ASV_TIME
from harness.results.record import Direction, Metric, Read, Status

NAME = "asv"
VERSION = 2
MOST_COMBINATIONS = 100_000
_KINDS = (
    (ASV_TIME, re.compile(r"^(Time[A-Z_].+)|(time_.+)|(Timeraw[A-Z_].+)|(timeraw_.+)$")),
    (ASV_PEAK, re.compile(r"^(PeakMem[A-Z_].+)|(peakmem_.+)$")),
    (ASV_MEMORY, re.compile(r"^(Mem[A-Z_].+)|(mem_.+)$")),
)
"""By the last part of a benchmark's name, as asv_runner tells kinds."""
_BY_TYPE = {"time": ASV_TIME, "peakmemory": ASV_PEAK, "memory": ASV_MEMORY}


class File(Foreign):
    """A file of results. Whether its numbers are finite is asked of each, as asv writes NaN for what it skipped."""

    model_config = ConfigDict(allow_inf_nan=True)

    version: Any = None
    commit_hash: str
    date: float | None = None
    params: dict[str, Any]
    requirements: dict[str, Any] | None = None
    python: str = ""
    env_name: str = ""
    result_columns: list[str]
    results: dict[str, list[Any]]


class Declared(Foreign):
    """A benchmark in `benchmarks.json`."""

    type: str
    unit: str = ""
    param_names: list[str] = Field(default=[])


class Told(Foreign):
    """The columns of one benchmark's results."""

    model_config = ConfigDict(allow_inf_nan=True)

    result: list[float | None] | None = None
    params: list[list[str]] = Field(default=[])
    version: str | None = None
    started_at: float | None = None
    samples: list[list[float | None] | None] | None = None
    stats_number: list[float | None] | None = None


def is_mine(file: ForeignFile) -> bool:
    """Whether it is a file of results, or `benchmarks.json`."""
    found = None if file.is_archive else file.json
    return isinstance(found, dict) and (_has_results(found) or _declares(found))


def _has_results(found: Mapping[str, Any]) -> bool:
    return {"commit_hash", "results", "params"} <= found.keys()


def _declares(found: Mapping[str, Any]) -> bool:
    others = [one for name, one in found.items() if name != "version"]
    return "version" in found and bool(others) and all(isinstance(one, dict) and "type" in one for one in others)


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file of results. Raises UserError."""
    declared: dict[str, Declared] = {}
    beside = [file for file in files if not _has_results(file.json)]
    for file in beside:
        for name, one in file.json.items():
            if name != "version":
                declared[name] = read_as(Declared, one, file.name, at=(name,), tool=NAME)
    found = [_content(file, declared) for file in files if _has_results(file.json)]
    if not found:
        raise UserError(
            "this says what asv's benchmarks are and holds no result: name a file of results/MACHINE/ too",
            place=files[0].name,
        )
    return [replace(one, beside=tuple(beside)) for one in found]


def _content(file: ForeignFile, declared: Mapping[str, Declared]) -> Content:
    version = file.json.get("version", 1)
    if version != VERSION or isinstance(version, bool):
        how = "`asv update` rewrites it" if version == 1 else f"only {VERSION}"
        raise UserError(f"asv's format {text_of(version, 40)} is not read, {how}", place=f"{file.name}: version")
    found = read_as(File, file.json, file.name, tool=NAME)
    benchmarks: list[Benchmark] = []
    for name, values in found.results.items():
        columns = dict(zip(found.result_columns, values, strict=False))
        told = read_as(
            Told, {key: value for key, value in columns.items() if value is not None}, file.name, at=("results", name)
        )
        benchmarks += _benchmarks(name, told, declared.get(name), place_in(file.name, ("results", name)))
    if not benchmarks:
        raise UserError("`results` is empty", place=file.name)
    started = [one.measured for one in benchmarks if one.measured]
    return Content(
        NAME,
        (file,),
        benchmarks,
        min(started, default=None),
        _machine(found),
        {"commit": text_of(found.commit_hash, 100), "commit_time": utc_of_milliseconds(found.date)},
    )


def _benchmarks(name: str, told: Told, declared: Declared | None, place: str) -> Iterator[Benchmark]:
    """One for each combination of parameters."""
    count = math.prod(len(values) for values in told.params)
    if count > MOST_COMBINATIONS:
        raise UserError(f"its parameters have {count:,} combinations, {MOST_COMBINATIONS:,} is the most", place=place)
    combinations = list(itertools.product(*told.params))
    results = told.result if told.result is not None else [None] * len(combinations)
    if len(results) != len(combinations):
        raise UserError(f"{len(results)} results and {len(combinations)} combinations of parameters", place=place)
    metric = _metric(name, declared)
    names = declared.param_names if declared else []
    read = () if told.version is None else (Read(kind="task", name=text_of(name), digest=text_of(told.version, 100)),)
    for at, (values, result) in enumerate(zip(combinations, results, strict=True)):
        settings = {
            names[number] if number < len(names) else f"param{number + 1}": _parameter(value)
            for number, value in enumerate(values)
        }
        benchmark = Benchmark(
            measure=NAME,
            model=text_of(name),
            place=f"{place}.result[{at}]",
            settings=settings,
            metrics=(metric,),
            read=read,
            measured=utc_of_milliseconds(told.started_at),
        )
        if result is None or math.isnan(result):
            status = Status.FAILED if result is None else Status.SKIPPED
            why = (
                "asv has null, which says that it failed" if result is None else "asv has NaN: the benchmark skipped it"
            )
            yield replace(benchmark, status=status, reason=why)
            continue
        if abs(result) >= 1e24 or (result < 0 and metric.depends_on is not None):
            raise UserError(f"a {metric.name.replace('_', ' ')} of {result}", place=benchmark.place)
        yield replace(benchmark, launches=(Launch({metric.name: result}, _rows(told, at, metric, benchmark.place)),))


def _rows(told: Told, at: int, metric: Metric, place: str) -> list[dict[str, Any]]:
    samples = told.samples[at] if told.samples is not None and at < len(told.samples) else None
    column = "seconds" if metric is ASV_TIME else "value"
    for value in samples or ():
        if value is None or not math.isfinite(value):
            raise UserError(f"a sample is {value}, which is no number", place=place)
    return [{"round": number, column: value} for number, value in enumerate(samples or ())]


def _metric(name: str, declared: Declared | None) -> Metric:
    """By what `benchmarks.json` says, else by the benchmark's name as asv itself tells its kind."""
    last = name.rpartition(".")[2]
    if declared is not None and declared.type in _BY_TYPE:
        return _BY_TYPE[declared.type]
    if declared is None:
        for metric, kind in _KINDS:
            if kind.match(last):
                return metric
    return Metric(
        name="tracked",
        unit=text_of(declared.unit, 40) if declared is not None else "",
        direction=Direction.NONE,
        definition="The number that the benchmark returns (asv, `track_*`); asv takes less for better.",
    )


def _parameter(text: str) -> Any:
    """A parameter as it was: asv writes its `repr`."""
    if len(text) <= 100:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text
        if isinstance(value, str | int | float | bool):
            return value
    return text


def _machine(found: File) -> dict[str, Any]:
    told = {name: value for name, value in found.params.items() if isinstance(value, str)}
    system, _, kernel = told.get("os", "").partition(" ")
    cores = told.get("num_cpu", "")
    packages = {name: value for name, value in (found.requirements or {}).items() if isinstance(value, str) and value}
    return {
        "cpu_model": told.get("cpu"),
        "cores": int(cores) if cores.isascii() and cores.isdigit() and len(cores) < 6 else None,
        "memory_bytes": bytes_of(told.get("ram")) or None,
        "system": f"{system}-{told['arch']}" if system and told.get("arch") else "",
        "kernel": kernel,
        "python": found.python if re.fullmatch(r"[\d.]+", found.python) else "",
        "packages": packages,
    }


ASV = Format(NAME, "results/MACHINE/*.json with results/benchmarks.json", is_mine, read)
