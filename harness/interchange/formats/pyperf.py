"""pyperf: JSON of one benchmark or a suite, also compressed by gzip, of format versions 5, 6 and 1.0.

Every run of a benchmark is a process, that is a launch; its values are rounds. Metadata of the file hold for all
benchmarks, those of a benchmark for all its runs. Runs that only calibrate have no values.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, as_float, place_in, read_as
from harness.interchange.machine import system_of
from harness.interchange.names import text_of, utc
from harness.measures.other_tools import PYPERF_MEMORY, PYPERF_TIME
from harness.results.record import Direction, Metric

NAME = "pyperf"
VERSIONS = ("1.0", 6, 5)
_COUNT = Metric(
    name="count",
    unit="",
    direction=Direction.NONE,
    definition="Median over a process's values (pyperf, unit integer).",
)
METRICS = {"second": PYPERF_TIME, "byte": PYPERF_MEMORY, "integer": _COUNT}
"""By `unit` in the metadata."""
Value = Annotated[float, Field(ge=0, lt=1e24)]


class Process(Foreign):
    """`benchmarks[].runs[]`."""

    metadata: dict[str, Any] | None = None
    values: list[Value] | None = None
    samples: list[Value] | None = None
    """The same in version 5."""
    warmups: list[Any] | None = None


class Entry(Foreign):
    """`benchmarks[]`."""

    metadata: dict[str, Any] | None = None
    common_metadata: dict[str, Any] | None = None
    """The same in version 5."""
    runs: list[Process]


class File(Foreign):
    """The file."""

    version: Any = None
    metadata: dict[str, Any] | None = None
    benchmarks: list[dict[str, Any]]


def is_mine(file: ForeignFile) -> bool:
    """Whether its benchmarks have runs."""
    found = None if file.is_archive else file.json
    if not isinstance(found, dict) or not isinstance(found.get("benchmarks"), list) or "context" in found:
        return False
    return "version" in found and "machine_info" not in found


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    found = read_as(File, file.json, file.name)
    if found.version not in VERSIONS or isinstance(found.version, bool):
        known = ", ".join(map(str, VERSIONS))
        raise UserError(
            f"pyperf's format {text_of(found.version, 40)} is not read, only {known}", place=f"{file.name}: version"
        )
    entries = [
        read_as(Entry, one, file.name, at=("benchmarks", place), tool=NAME)
        for place, one in enumerate(found.benchmarks)
    ]
    if not entries:
        raise UserError("`benchmarks` is empty", place=file.name)
    benchmarks, first = [], dict[str, Any]()
    dates: list[str] = []
    for place, entry in enumerate(entries):
        whole = {**(found.metadata or {}), **(entry.metadata or entry.common_metadata or {})}
        runs = [({**whole, **(run.metadata or {})}, run) for run in entry.runs]
        dates += [date for told, _ in runs if (date := utc(_text(told.get("date"))))]
        first = first or (runs[0][0] if runs else whole)
        benchmarks.append(_benchmark(runs, whole, place_in(file.name, ("benchmarks", place))))
    version = _text(first.get("perf_version"))
    return Content(
        f"{NAME} {version}" if version else NAME, (file,), benchmarks, min(dates, default=None), _machine(first)
    )


def _benchmark(runs: Sequence[tuple[Mapping[str, Any], Process]], whole: Mapping[str, Any], place: str) -> Benchmark:
    first = runs[0][0] if runs else whole
    name, unit = _text(first.get("name")) or "unnamed", _text(first.get("unit")) or "second"
    if unit not in METRICS:
        raise UserError(f"the unit is one of {', '.join(METRICS)}, not {unit!r}", place=place)
    metric = METRICS[unit]
    launches = []
    for told, run in runs:
        values = run.values if run.values is not None else run.samples
        if not values:
            continue  # it calibrates
        loops = {
            key: told[key]
            for key in ("loops", "inner_loops")
            if type(told.get(key)) is int and abs(told[key]) < 1 << 53
        }
        warmups = [_warmup(one, f"{place}.runs") for one in run.warmups or ()]
        rows = [{"round": at, "value": value, "warmup": True, **loops} for at, value in enumerate(warmups)]
        rows += [{"round": at, "value": value, "warmup": False, **loops} for at, value in enumerate(values)]
        launches.append(Launch({metric.name: statistics.median(values)}, [_named(row, unit) for row in rows]))
    if not launches:
        raise UserError("none of its runs has values, they only calibrate", place=place)
    return Benchmark(
        measure=NAME,
        model=name,
        place=place,
        metrics=(metric,),
        launches=launches,
    )


def _named(row: dict[str, Any], unit: str) -> dict[str, Any]:
    """Seconds in a column of that name, as all formats have it."""
    return {"seconds" if unit == "second" and key == "value" else key: value for key, value in row.items()}


def _warmup(given: Any, place: str) -> float:
    """The value of a warmup, (loops, value)."""
    value = as_float(given[-1]) if isinstance(given, list) and len(given) == 2 else None
    if value is None:
        raise UserError("a warmup is a pair of loops and value", place=place)
    return value


def _machine(told: Mapping[str, Any]) -> dict[str, Any]:
    platform, python = _text(told.get("platform")), _text(told.get("python_version"))
    system = re.match(r"([A-Za-z]+)-(.+?)-(x86_64|aarch64|arm64|AMD64|i686|ppc64le|s390x|riscv64)\b", platform)
    cores = told.get("cpu_count")
    return {
        "cpu_model": _text(told.get("cpu_model_name")),
        "cores": cores if type(cores) is int else None,
        "system": system_of(system[1], system[3]) if system else "",
        "kernel": system[2] if system else "",
        "python": python.split(" ")[0],
        "python_compiler": _text(told.get("python_compiler")),
    }


def _text(value: Any) -> str:
    return text_of(value) if isinstance(value, str) else ""


PYPERF = Format(NAME, "JSON of --output, also .json.gz", is_mine, read)
