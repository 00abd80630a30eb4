"""pytest-benchmark: `--benchmark-json` and the files of its storage, of versions 3 to 5.

A file is of one session, that is of one process: its rounds are one launch. `stats.data` are seconds per call (a
round's time over its iterations), and are missing in storage that was saved without `--benchmark-save-data`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Foreign, Seconds, place_in, read_as
from harness.interchange.machine import system_of
from harness.interchange.names import settings_of, text_of, utc
from harness.measures.other_tools import MEAN_ROUND_TIME, MIN_ROUND_TIME, OTHER_TOOLS, ROUND_TIME

NAME = "pytest-benchmark"


class Stats(Foreign):
    """`benchmarks[].stats`."""

    min: Seconds
    mean: Seconds
    median: Seconds
    rounds: Annotated[int, Field(ge=1, lt=1 << 53)]
    iterations: Annotated[int, Field(ge=1, lt=1 << 53)] = 1
    data: list[Seconds] | None = None


class Entry(Foreign):
    """`benchmarks[]`."""

    name: str
    fullname: str | None = None
    group: str | None = None
    params: dict[str, Any] | None = None
    param: str | None = None
    extra_info: dict[str, Any] | None = None
    stats: Stats


class File(Foreign):
    """The file."""

    machine_info: dict[str, Any]
    commit_info: dict[str, Any] | None = None
    benchmarks: list[dict[str, Any]]
    datetime: str | None = None
    version: str | None = None


def is_mine(file: ForeignFile) -> bool:
    """Whether it has the file's own keys."""
    if file.is_archive or not isinstance(file.json, dict):
        return False
    return "benchmarks" in file.json and "machine_info" in file.json


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    found = read_as(File, file.json, file.name)
    tool = f"{NAME} {text_of(found.version, 40)}" if found.version else NAME
    entries = [
        read_as(Entry, one, file.name, at=("benchmarks", place), tool=tool)
        for place, one in enumerate(found.benchmarks)
    ]
    if not entries:
        raise UserError("`benchmarks` is empty: no benchmark ended well in that session", place=file.name)
    names = Counter(repr(_identity(one)) for one in entries)
    benchmarks = [
        _benchmark(one, place_in(file.name, ("benchmarks", place)), whole=names[repr(_identity(one))] > 1)
        for place, one in enumerate(entries)
    ]
    return Content(
        tool, (file,), benchmarks, utc(found.datetime), _machine(found.machine_info), _git(found.commit_info or {})
    )


def _identity(one: Entry) -> tuple[str, Mapping[str, Any]]:
    """What was measured, and with which parameters: `test_sum[10]` is `test_sum` with n = 10."""
    full = one.fullname or one.name
    if one.param is None or not full.endswith(f"[{one.param}]"):
        return full, {}
    base = full[: -len(one.param) - 2]
    told = one.params or {}
    plain = all(isinstance(value, str | int | float | bool | None) for value in told.values())
    if not told or not plain or any(str(value).startswith("UNSERIALIZABLE[") for value in told.values()):
        return base, {"parameters_": one.param}
    return base, settings_of(told)


def _benchmark(one: Entry, place: str, *, whole: bool) -> Benchmark:
    """whole: its parameters don't tell it from another one, so that its whole name has to."""
    model, settings = (one.fullname or one.name, {}) if whole else _identity(one)
    data = one.stats.data
    if data is not None and len(data) != one.stats.rounds:
        raise UserError(
            f"{len(data)} values and {one.stats.rounds} rounds: the file is damaged", place=f"{place}.stats"
        )
    values = {
        ROUND_TIME.name: one.stats.median if data is None else statistics.median(data),
        MEAN_ROUND_TIME.name: one.stats.mean if data is None else statistics.fmean(data),
        MIN_ROUND_TIME.name: one.stats.min if data is None else min(data),
    }
    rows = {"round": range(len(data)), "seconds": data} if data else {}
    conditions: dict[str, Any] = {"rounds": one.stats.rounds, "iterations": one.stats.iterations}
    conditions |= {"group": one.group, "extra_info": one.extra_info, "name": one.name}
    return Benchmark(
        measure=NAME,
        model=model,
        place=place,
        settings=settings,
        metrics=OTHER_TOOLS[NAME],
        launches=(Launch(values, rows),),
        conditions={name: value for name, value in conditions.items() if value is not None and value != {}},
        notes=() if rows else ("the file has no rounds, as it was saved without --benchmark-save-data",),
    )


def _machine(info: Mapping[str, Any]) -> dict[str, Any]:
    cpu = info.get("cpu") if isinstance(info.get("cpu"), Mapping) else {}
    assert isinstance(cpu, Mapping)
    python = info.get("python_version")
    other = info.get("python_implementation")
    return {
        "cpu_model": _text(cpu.get("brand_raw") or cpu.get("brand")),
        "cores": cpu.get("count") if type(cpu.get("count")) is int else None,
        "system": system_of(_text(info.get("system")), _text(info.get("machine"))),
        "kernel": _text(info.get("release")),
        "python": _text(python),
        "python_compiler": _text(info.get("python_compiler")),
        "packages": {} if other in (None, "CPython") else {"python": _text(other)},
    }


def _git(info: Mapping[str, Any]) -> dict[str, Any]:
    commit, branch, dirty = info.get("id"), _text(info.get("branch")), info.get("dirty")
    if not isinstance(commit, str) or commit in ("unversioned", "unknown", ""):
        return {}
    return {
        "commit": text_of(commit, 100),
        "dirty": dirty if isinstance(dirty, bool) else None,
        "branch": None if not branch or branch.startswith("(") else branch,
        "commit_time": utc(_text(info.get("time"))),
    }


def _text(value: Any) -> str:
    return text_of(value) if isinstance(value, str) else ""


PYTEST_BENCHMARK = Format(NAME, "JSON of --benchmark-json or of its storage", is_mine, read)
