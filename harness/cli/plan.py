"""`harness plan SUITE`: what would run, what is known already, and what it would take."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import completing
from harness.cli.formats import FormatName, Where, put
from harness.cli.options import RUNS, AllowCodeExecution, AllowTaskCode, Out, TasksPath

if TYPE_CHECKING:
    import pandas as pd

    from harness.report.table import Table


def plan(
    suite: Annotated[
        str, typer.Argument(help="A suite file or a shipped suite's name.", autocompletion=completing.suites)
    ],
    tasks_path: TasksPath = None,
    allow_task_code: AllowTaskCode = False,
    allow_code_execution: AllowCodeExecution = False,
    format_: FormatName = "table",
    where: Where = None,
    out: Out = RUNS,
) -> None:
    """Print the cells of a suite, what is cached, and an estimate of time and memory. Nothing is run."""
    import harness
    from harness.notice import notice
    from harness.report.output.choice import chosen_rows
    from harness.report.output.rows import rows_of
    from harness.report.output.shapes import PLAN
    from harness.report.output.written import Answer, Format, format_of

    format = format_of(format_)
    allowed = harness.Allowed(
        task_code=allow_task_code, code_execution=allow_code_execution, task_paths=tuple(tasks_path or ())
    )
    found = harness.preview(suite, allowed, out=out)
    for sentence in (*found.notes, *(found.warnings if format is not Format.TABLE else ())):
        notice(sentence)
    rows = chosen_rows(found.rows, where or ())
    declared = [field.name for field in PLAN.fields]
    axes = [name for row in rows for name in row if name not in declared]
    data = rows_of(PLAN, ["model", *axes, *declared], ({**row, "notes": _joined(row.get("notes"))} for row in rows))
    table = plan_table(replace(found, rows=tuple(rows)).frame, found.warnings)
    put(Answer(f"Plan of {found.suite}", [table], data), format)


def plan_table(frame: pd.DataFrame, may_fail: Sequence[str] = ()) -> Table:
    """The plan as a table, with totals. may_fail: what may go wrong with its cells, sentences."""
    from harness.number import duration, with_interval
    from harness.report.table import Column, Row, Table

    def number(value: object) -> float | None:
        return float(value) if isinstance(value, int | float) and value == value else None

    rows_of = [
        {name: value for name, value in row.items() if isinstance(value, list) or value == value}  # without NaN
        for row in frame.to_dict("records")
    ]
    rows = [
        Row(
            (
                str(row["cell"]),
                _what_comes(row),
                duration(number(row.get("seconds"))),
                with_interval(number(row.get("memory_bytes")), None, None, "bytes"),
            ),
            group=str(row["model"]),
            state="skipped" if row["cached"] or row.get("skipped") else "failed" if row.get("missing") else "",
        )
        for row in rows_of
    ]
    new = frame[~frame["cached"].astype(bool)]
    unknown = int(new["seconds"].isna().sum())
    cells = int((~frame["measure"].isin(["train", "fetch"])).sum())
    total = f"{cells} cells, {int(frame['cached'].sum())} known; about {duration(float(new['seconds'].sum()))} to run"
    of_row = ((row.get("skipped"), row.get("missing"), *(row.get("notes") or ())) for row in rows_of)
    told = [note for notes in of_row for note in notes if note]
    told += may_fail
    notes = (total + (f", and {unknown} steps whose time is not known" if unknown else ""), *dict.fromkeys(told))
    columns = (Column("cell"), Column("result"), Column("time", numeric=True), Column("memory", numeric=True))
    return Table("Plan", columns, tuple(rows), "estimates from counts and this machine's peaks", notes)


def _joined(notes: object) -> str | None:
    return "; ".join(map(str, notes)) or None if isinstance(notes, list) else None


def _what_comes(row: Mapping[Hashable, object]) -> str:
    """Of a cell: whether its result is known, will come, or can't."""
    if row["cached"]:
        return "known"
    return "skipped" if row.get("skipped") else "can't run" if row.get("missing") else str(row["estimate"])
