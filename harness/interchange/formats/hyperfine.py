"""hyperfine: `--export-json`.

Every run of the command is a process, that is a launch, though all of one session; `times` has them one by one. The
file names no machine and no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import UserError
from harness.interchange.content import Benchmark, Content, Format, Launch
from harness.interchange.foreign_file import ForeignFile
from harness.interchange.foreign_model import Count, Foreign, Seconds, place_in, read_as
from harness.interchange.names import text_of
from harness.measures.other_tools import HYPERFINE_MEMORY, HYPERFINE_SYSTEM, HYPERFINE_TIME, HYPERFINE_USER, OTHER_TOOLS

NAME = "hyperfine"


class Result(Foreign):
    """`results[]`."""

    command: str
    mean: Seconds
    user: Seconds
    system: Seconds
    times: list[Seconds] | None = None
    memory_usage_byte: list[Count] | None = None
    exit_codes: list[int | None] | None = None
    parameters: dict[str, Any] | None = None


class File(Foreign):
    """The file."""

    results: list[dict[str, Any]]


def is_mine(file: ForeignFile) -> bool:
    """Whether its results are of commands."""
    found = None if file.is_archive else file.json
    if not isinstance(found, dict) or not isinstance(results := found.get("results"), list):
        return False
    return found.keys() == {"results"} or (bool(results) and isinstance(results[0], dict) and "command" in results[0])


def read(files: Sequence[ForeignFile]) -> list[Content]:
    """A content for each file. Raises UserError."""
    return [_content(file) for file in files]


def _content(file: ForeignFile) -> Content:
    found = read_as(File, file.json, file.name)
    if not found.results:
        raise UserError("`results` is empty: no command was measured", place=file.name)
    benchmarks = [
        _benchmark(
            read_as(Result, one, file.name, at=("results", place), tool=NAME), place_in(file.name, ("results", place))
        )
        for place, one in enumerate(found.results)
    ]
    return Content(NAME, (file,), benchmarks)


def _benchmark(one: Result, place: str) -> Benchmark:
    codes = one.exit_codes or []
    failed = [code for code in codes if code != 0]
    for what, given in (("exit_codes", one.exit_codes), ("memory_usage_byte", one.memory_usage_byte)):
        if one.times and given and len(given) != len(one.times):
            raise UserError(f"{len(given)} {what} and {len(one.times)} times: the file is damaged", place=place)
    notes = []
    if failed:
        notes.append(f"{len(failed)} of {len(codes)} runs did not end with exit code 0 (the first: {failed[0]})")
    if not one.times:
        notes.append("the file has no times of single runs, only their mean")
    return Benchmark(
        measure=NAME,
        model=text_of(one.command),
        place=place,
        settings=one.parameters or {},
        metrics=OTHER_TOOLS[NAME],
        launches=_launches(one, codes),
        notes=notes,
        conditions={"user_s": one.user, "system_s": one.system},
    )


def _launches(one: Result, codes: Sequence[int | None]) -> list[Launch]:
    """CPU times are known as means over all runs alone, and stand with the first."""
    found = []
    for place, seconds in enumerate(one.times or [one.mean]):
        values = {HYPERFINE_TIME.name: seconds}
        row: dict[str, Any] = {"seconds": seconds} if one.times else {}
        if place == 0:
            values |= {HYPERFINE_USER.name: one.user, HYPERFINE_SYSTEM.name: one.system}
        if one.memory_usage_byte and one.times:
            values[HYPERFINE_MEMORY.name] = row["memory_bytes"] = float(one.memory_usage_byte[place])
        if place < len(codes) and one.times:
            row["exit_code"] = codes[place]
        found.append(Launch(values, [row] if row else []))
    return found


HYPERFINE = Format(NAME, "JSON of --export-json", is_mine, read)
