"""google/benchmark: `--benchmark_format=json` and `--benchmark_out`, json_schema_version 1 and files before it.

A file is of one process, so that its repetitions are one launch. Rows of aggregates are made of the repetitions, and
are read only where those are not in the file (`--benchmark_report_aggregates_only`), and for BigO and RMS, which are a
number of the whole family.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, as_float, place_in, read_as
from harness.interchange.names import text_of, utc
from harness.measures.other_tools import CPU_COEFFICIENT, CPU_TIME, OTHER_TOOLS, REAL_COEFFICIENT, REAL_TIME, RMS
from harness.results.record import Direction, Metric, Status

NAME = "google-benchmark"
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_AGGREGATES = ("mean", "median", "stddev", "cv", "BigO", "RMS")
_DECLARED = {metric.name: metric for metric in OTHER_TOOLS[NAME]}


class Row(Foreign):
    """`benchmarks[]`."""

    name: str
    run_name: str | None = None
    run_type: str | None = None
    family_index: int | None = None
    repetition_index: int | None = None
    threads: Annotated[int, Field(ge=0, lt=1 << 31)] | None = None
    aggregate_name: str | None = None
    iterations: float | None = None
    real_time: Annotated[float, Field(ge=0, lt=1e24)] | None = None
    cpu_time: Annotated[float, Field(ge=0, lt=1e24)] | None = None
    time_unit: str = "ns"
    real_coefficient: float | None = None
    cpu_coefficient: float | None = None
    big_o: str | None = None
    rms: float | None = None
    error_occurred: bool = False
    error_message: str | None = None
    skipped: bool = False
    skip_message: str | None = None
    label: str | None = None

    @property
    def of(self) -> str:
        """The benchmark's name without what an aggregate adds to it."""
        return self.run_name or (self.name[: -len(self.aggregate) - 1] if self.aggregate else self.name)

    @property
    def aggregate(self) -> str | None:
        """Which aggregate it is; None of a repetition. Files before 1.5 tell it by the name alone."""
        if self.run_type is not None:
            return (self.aggregate_name or "unknown") if self.run_type == "aggregate" else None
        return next((one for one in _AGGREGATES if self.name.endswith(f"_{one}")), None)


class File(Foreign):
    """The file."""

    context: dict[str, Any]
    benchmarks: list[dict[str, Any]]


_NO_COUNTERS = {*Row.model_fields, "repetitions", "per_family_instance_index", "aggregate_unit"}


def is_mine(file: ForeignFile) -> bool:
    """Whether it has the file's own keys."""
    return not file.is_archive and isinstance(file.json, dict) and {"context", "benchmarks"} <= file.json.keys()


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    found = read_as(File, file.json, file.name)
    context = found.context
    if context.get("json_schema_version", 1) != 1:
        raise UserError(
            f"json_schema_version {text_of(context['json_schema_version'], 40)} is not read, only 1",
            place=f"{file.name}: context",
        )
    version = context.get("library_version")
    tool = f"{NAME} {text_of(version, 40)}" if isinstance(version, str) else NAME
    rows = [
        (
            read_as(Row, one, file.name, at=("benchmarks", place), tool=tool),
            one,
            place_in(file.name, ("benchmarks", place)),
        )
        for place, one in enumerate(found.benchmarks)
    ]
    if not rows:
        raise UserError("`benchmarks` is empty: no benchmark ran", place=file.name)
    return Content(tool, (file,), list(_benchmarks(rows)), _time(context), _machine(context))


_Told = tuple[Row, Mapping[str, Any], str]


def _benchmarks(rows: Sequence[_Told]) -> Iterator[Benchmark]:
    groups: dict[str, list[_Told]] = {}
    for told in rows:
        groups.setdefault(told[0].of, []).append(told)
    for name, mine in groups.items():
        fits = [told for told in mine if told[0].aggregate in ("BigO", "RMS")]
        if fits:
            yield _fit(name, fits)
        repeated = [told for told in mine if told[0].aggregate is None]
        summed = [told for told in mine if told[0].aggregate in ("median", "mean")]
        if repeated or summed:
            yield _timed(name, repeated or summed[-1:], aggregated=not repeated)


def _timed(name: str, rows: Sequence[_Told], *, aggregated: bool) -> Benchmark:
    first, _, place = rows[0]
    axes = {} if first.threads is None else {"threads": first.threads}
    families = {(row.family_index, row.repetition_index) for row, _, _ in rows}
    if len({family for family, _ in families}) > 1 or (
        len(families) < len(rows) and first.repetition_index is not None
    ):
        raise UserError(f"two benchmarks are called {text_of(name, 100)}: rename one", place=rows[-1][2])
    failed = next((row for row, _, _ in rows if row.error_occurred or row.skipped), None)
    if failed is not None:
        status = Status.FAILED if failed.error_occurred else Status.SKIPPED
        why = failed.error_message or failed.skip_message or "the benchmark gives no reason"
        return Benchmark(NAME, text_of(name), place, axes=axes, status=status, reason=text_of(why))
    samples = [_sample(*told) for told in rows]
    names = list(dict.fromkeys(key for sample in samples for key in sample if key != "iterations"))
    values = {key: statistics.median([sample[key] for sample in samples if key in sample]) for key in names}
    conditions = {"label": first.label} if first.label else {}
    note = f"only the {first.aggregate} over repetitions is in the file"
    return Benchmark(
        measure=NAME,
        model=text_of(name),
        place=place,
        axes=axes,
        metrics=[_metric(key) for key in names],
        launches=(Launch(values, [{"round": at, **sample} for at, sample in enumerate(samples)]),),
        conditions=conditions,
        notes=(note,) if aggregated else (),
    )


def _sample(row: Row, given: Mapping[str, Any], place: str) -> dict[str, float]:
    if row.real_time is None or row.cpu_time is None:
        raise UserError("real_time and cpu_time are missing", place=place)
    seconds = _seconds(row, place)
    found = {REAL_TIME.name: row.real_time * seconds, CPU_TIME.name: row.cpu_time * seconds}
    if row.iterations is not None:
        found["iterations"] = row.iterations
    for name, value in given.items():
        if name not in _NO_COUNTERS and type(value) in (int, float):
            counter = as_float(value)
            if counter is None or not math.isfinite(counter):
                raise UserError(
                    f"the counter {text_of(name, 60)} is {text_of(value, 40)}, which is no number", place=place
                )
            told = text_of(name, 100)
            found[told if told not in found else f"{told}_"] = counter
    return found


def _seconds(row: Row, place: str) -> float:
    if row.time_unit not in UNITS:
        raise UserError(f"time_unit is one of {', '.join(UNITS)}, not {text_of(row.time_unit, 40)!r}", place=place)
    return UNITS[row.time_unit]


def _metric(name: str) -> Metric:
    """The declaration of what is called so: one of the library's, or a counter of the benchmark's own."""
    return _DECLARED.get(name) or Metric(
        name=name,
        unit="",
        direction=Direction.NONE,
        definition=f"The counter {name} of the benchmark, median over repetitions (google/benchmark).",
    )


def _fit(name: str, rows: Sequence[_Told]) -> Benchmark:
    """The complexity of a family of benchmarks."""
    values: dict[str, float] = {}
    big_o = ""
    for row, _, place in rows:
        big_o = row.big_o or big_o
        told = {RMS.name: row.rms}
        if row.aggregate == "BigO":
            seconds = _seconds(row, place)
            pairs = ((REAL_COEFFICIENT, row.real_coefficient), (CPU_COEFFICIENT, row.cpu_coefficient))
            told = {metric.name: None if one is None else one * seconds for metric, one in pairs}
        values |= {key: value for key, value in told.items() if value is not None}
    return Benchmark(
        measure=NAME,
        model=text_of(name),
        place=rows[0][2],
        settings={"big_o": text_of(big_o)},
        metrics=[_DECLARED[key] for key in values],
        launches=(Launch(values),),
    )


def _time(context: Mapping[str, Any]) -> str | None:
    date = context.get("date")
    return utc(date) if isinstance(date, str) else None


def _machine(context: Mapping[str, Any]) -> dict[str, Any]:
    """The file names no processor: a machine is told from another by its host, its processors and their caches."""
    host, caches = context.get("host_name"), context.get("caches")
    if not isinstance(host, str) or not host:
        return {}
    sizes = [
        f"L{cache.get('level')} {cache.get('type')} {cache.get('size')}"
        for cache in (caches if isinstance(caches, list) else ())
        if isinstance(cache, Mapping)
    ]
    told = ", ".join([f"not told, host {text_of(host, 100)}", *(text_of(one, 60) for one in sizes[:8])])
    count = context.get("num_cpus")
    return {"cpu_model": told, "cores": count if type(count) is int else None}


GOOGLE_BENCHMARK = Format(NAME, "JSON of --benchmark_format=json or --benchmark_out", is_mine, read)
