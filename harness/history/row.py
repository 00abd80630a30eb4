"""A row of the history: one metric of one cell of one run, with the commit that it was measured at.

Declared once, here. The schema of the Parquet files, the DataFrame of `History.rows` and the view `history` of
`harness query` are derived from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
"""Of what the history keeps. A column that was added since a file was written is null in its rows."""
VERSION_KEY = b"harness.history"
"""Where a Parquet file has it, in its metadata."""

Kind = Literal["value", "ratio"]
DependsOn = Literal["time", "memory"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one cell of one run."""

    suite: str
    """The suite's name; `ab` of a comparison that no suite asked for."""
    suite_hash: str | None = None
    """Of the suite's text, includes merged."""
    machine_class: str
    """Hash of the hardware (`Fingerprint.machine_class`)."""
    run: str
    """Name of the run, or of the folder of `harness ci` or `harness ab`."""
    run_id: str
    """What tells this run from every other one of any name."""
    sequence: int = 0
    """How many entries the history had when this one was added. Two that were added at once may share one."""
    time: datetime | None = None
    """When it was measured (UTC)."""
    commit: str | None = None
    """Of the project that was measured; None outside of git."""
    parents: tuple[str, ...] | None = None
    """Of the commit; None where nobody knew them."""
    branch: str | None = None
    """Which was checked out, or which a CI job said that it builds."""
    dirty: bool | None = None
    """Whether there were changes beside the commit; None where nobody knew."""
    commit_time: datetime | None = None
    """When the commit was made (UTC), as its author's clock had it: no order goes by it."""
    model: str | None = None
    measure: str | None = None
    where: str = "{}"
    """Axes and settings as one JSON object, its keys sorted."""
    part: str | None = None
    """Of a cell with several values of one metric, which: a task of a group."""
    cell: str
    """Hash of what is asked for (`harness.comparison.definition`): two rows of one cell can be compared."""
    model_entry: str | None = None
    """Hash of what the suite says of the model: another one is another model of the same name."""
    reads: str | None = None
    """Hash of the texts and tasks that were read."""
    metric: str | None = None
    """Its name; None in the one row of a cell that gave no numbers."""
    metric_version: int | None = None
    unit: str | None = None
    """`ratio` of a ratio, whatever the metric's own is."""
    direction: str = "none"
    """Which way it is better: lower, higher or none. Of a ratio lower: it is one of times."""
    definition: str | None = None
    """The metric's, in words."""
    depends_on: DependsOn | None = None
    """What of the machine decides its value. What depends on time has no steps, unless it is a ratio."""
    kind: Kind = "value"
    """`ratio`: time of this commit over time of `pinned`, both measured in lockstep; above 1 is slower."""
    pinned: str | None = None
    """The commit that a ratio is taken to. None of a value, and of a ratio of two arms of one commit."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    interval: str | None = None
    """How the interval was made."""
    n: int | None = None
    n_unit: str | None = None
    launches: int | None = None
    """Of processes, where the number comes from several; None where that was not kept."""
    status: str = "ok"
    """ok, failed, oom or skipped."""
    reason: str | None = None
    source: str = "measured"
    """`cache`: an earlier run measured it with the same code, and this one took it from the cache."""


COLUMNS = tuple(one.name for one in fields(Row))


@cache
def schema() -> pa.Schema:
    """Of the Parquet files: a column for each field of `Row`."""
    import pyarrow as pa

    text = pa.string()
    types = {
        **{"str": text, "Kind": text, "DependsOn": text, "tuple[str, ...]": pa.list_(text)},
        **{"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "datetime": pa.timestamp("us", "UTC")},
    }
    columns = [pa.field(one.name, types[str(one.type).removesuffix(" | None")]) for one in fields(Row)]
    return pa.schema(columns, metadata={VERSION_KEY: str(VERSION)})


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Rows as a table of `schema`."""
    import pyarrow as pa

    return pa.Table.from_pylist([asdict(row) for row in rows], schema=schema())
