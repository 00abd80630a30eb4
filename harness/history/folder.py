"""The folder of the history: a Parquet file for each run that was added, and a JSON file for each verdict.

    DIR/suite=NAME/machine=CLASS/SHA256.parquet          the rows of one run
    DIR/suite=NAME/machine=CLASS/SHA256.verdict.json     one verdict, sealed

A file is named by the sha256 of its bytes, written whole under another name and renamed, and never changed: no locks,
nothing is replaced, nothing is appended. So it may be committed, be a branch of its own, or lie in a mounted bucket;
two writers add two files, and one that is killed adds none. The sha256 is compared before anything parses the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness import kept_file
from harness.errors import UserError, WrongArgument, no_room, told
from harness.history.partition import partition, safe
from harness.history.row import COLUMNS, VERSION, VERSION_KEY, Row, schema, table_of
from harness.history.verdict import KeptVerdict, LaterVerdict, parse_verdict
from harness.kept_file import Damaged

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

HISTORY = Path("results/history")
ROWS, VERDICT = ".parquet", ".verdict.json"


@dataclass(frozen=True)
class History:
    """What a folder of the history holds, as far as it can be believed."""

    folder: Path
    table: pa.Table
    """The rows, of `row.schema`."""
    damage: tuple[str, ...]
    """Files of rows that are left out, a sentence each."""
    notes: tuple[str, ...]
    """What else is to be said of the folder: files that nobody finished."""
    suite: str | None = None
    """The one suite that was read; None: all."""

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows as a DataFrame, a column for each field of `Row`."""
        frame: pd.DataFrame = self.table.to_pandas()
        return frame

    @property
    def verdicts(self) -> tuple[KeptVerdict, ...]:
        """What `gate`, `ci` and `ab` said, the oldest first."""
        return self._verdicts[0]

    @property
    def damage_of_verdicts(self) -> tuple[str, ...]:
        """Verdicts that are left out, a sentence each."""
        return self._verdicts[1]

    @cached_property
    def _verdicts(self) -> tuple[tuple[KeptVerdict, ...], tuple[str, ...]]:
        found, damage = [], []
        for path in _files(self.folder, VERDICT, self.suite):
            try:
                found.append(parse_verdict(kept_file.read_json(path)))
            except LaterVerdict as error:
                damage.append(f"{path}: {error}")
            except (OSError, ValueError) as error:
                damage.append(_left_out(path, error))
        return tuple(sorted(found, key=lambda one: (one.time, one.digest))), tuple(damage)


@dataclass(frozen=True)
class Added:
    """A file that the history has now."""

    path: Path
    is_new: bool
    """Whether it was not there before."""


def read_history(folder: str | Path = HISTORY, suite: str | None = None) -> History:
    """The history in a folder. suite: read this one's alone. Raises UserError where there is none."""
    import pyarrow as pa

    folder = Path(folder)
    if not folder.is_dir():
        what = "this is a file" if folder.exists() else "there is no history here"
        raise UserError(f"{what}; `harness history add RUN --history DIR` makes one", place=str(folder))
    tables, damage = _tables(folder, suite)
    if not tables and not damage:
        found = "no run of this suite" if suite is not None and any(_files(folder, ROWS, None)) else "no run"
        raise UserError(f"{found} is in this history; `harness history add RUN` adds one", place=str(folder))
    table = pa.concat_tables(_each_once(list(tables.values()))) if tables else schema().empty_table()
    return History(folder, table, tuple(damage), tuple(_unfinished(folder)), suite)


def check_history(folder: str | Path | None) -> None:
    """Where a history can't be, for who measures before it is written to. Raises UserError."""
    if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
        raise WrongArgument(f"{folder} is a file; name a folder", place="history")


def add_rows(rows: Sequence[Row], folder: str | Path = HISTORY) -> Added:
    """Add the rows of one run, filed by the suite and the machine of the first one. What is there already is not added
    twice. Raises UserError."""
    folder, first = Path(folder), rows[0]
    known = _tables(folder, None)[0] if folder.is_dir() else {}  # of every suite: they are numbered together
    mine = table_of(rows).drop_columns("sequence")
    ids = set(mine["run_id"].to_pylist())
    for path, table in known.items():
        if ids == set(table["run_id"].to_pylist()) and table.drop_columns("sequence").equals(mine):
            return Added(path, False)
    sequence = 1 + max((table["sequence"][0].as_py() for table in known.values() if len(table)), default=0)
    content = parquet(table_of([replace(row, sequence=sequence) for row in rows]))
    place = folder / partition(first.suite, first.machine_class)
    return _written(folder, lambda: kept_file.write_named(_made(place), content, ROWS))


def add_verdict(verdict: KeptVerdict, folder: str | Path = HISTORY) -> Added:
    """Keep what `gate`, `ci` or `ab` said. Raises UserError."""
    folder = Path(folder)
    place = folder / partition(verdict.suite, verdict.machine_class)

    def write() -> tuple[Path, bool]:
        path = _made(place) / f"{verdict.digest}{VERDICT}"
        if path.is_file():
            try:
                kept_file.read_json(path)
            except Damaged:
                pass  # and written again
            else:
                return path, False
        kept_file.write_json(path, verdict.model_dump_json())
        return path, True

    return _written(folder, write)


def parquet(table: pa.Table) -> bytes:
    """A table as a file of the history, the same bytes for the same rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_statistics=False)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _tables(folder: Path, suite: str | None) -> tuple[dict[Path, pa.Table], list[str]]:
    """The rows of each file, and what is left out."""
    tables, damage = {}, []
    for path in _files(folder, ROWS, suite):
        try:
            tables[path] = _parsed(kept_file.read_named(path))
        except UserError as error:
            damage.append(f"{path}: {error.message}")
        except (OSError, ValueError) as error:
            damage.append(_left_out(path, error))
    return tables, damage


def _parsed(content: bytes) -> pa.Table:
    """The rows of a file. Raises UserError for one of a later version, and ValueError as pyarrow for what is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(content))
    version = (file.metadata.metadata or {}).get(VERSION_KEY, b"").decode("ascii", "replace")
    if not version.isdigit() or not int(version):
        raise ValueError("it has no version of the history in it")
    if int(version) > VERSION:
        raise UserError(
            f"written by a later version of harness (history {version}; this one reads up to {VERSION}): update it to "
            "read this file"
        )
    wanted, there = schema(), set(file.schema_arrow.names)
    table = file.read(columns=[name for name in COLUMNS if name in there], use_threads=False)
    if table.schema.equals(wanted):
        return table
    for field in wanted:
        if field.name not in there:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(list(COLUMNS)).cast(wanted)


def _each_once(tables: list[pa.Table]) -> list[pa.Table]:
    """The tables without rows of runs that a later one has again: a run that was added before it was finished, and
    after that."""
    import pyarrow as pa

    owners: dict[str, list[int]] = {}
    for place, table in enumerate(tables):
        for run in table["run_id"].unique().to_pylist():
            owners.setdefault(run, []).append(place)
    twice = {run: places for run, places in owners.items() if len(places) > 1}
    if not twice:
        return tables

    def lateness(place: int) -> tuple[int, str, int]:
        table = tables[place]
        times = [str(time) for time in table["time"].to_pylist() if time is not None]
        return max(table["sequence"].to_pylist()), max(times, default=""), place

    seen: set[tuple[str, str, str]] = set()
    kept: dict[int, pa.Table] = {}
    for place in sorted({place for places in twice.values() for place in places}, key=lateness, reverse=True):
        table = tables[place]
        keys = list(zip(*(table[name].to_pylist() for name in ("run_id", "cell", "kind")), strict=True))
        kept[place] = table.filter(pa.array([key not in seen for key in keys], pa.bool_()))
        seen.update(keys)
    return [kept.get(place, table) for place, table in enumerate(tables)]


def _files(folder: Path, ending: str, suite: str | None) -> Iterator[Path]:
    """The files of one kind, in an order that depends on nothing but their names."""
    suites = "suite=*" if suite is None else f"suite={safe(suite)}"
    for path in sorted(folder.glob(f"{suites}/machine=*/*{ending}")):
        if not path.name.startswith(".") and path.is_file():
            yield path


def _unfinished(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("suite=*/machine=*/.*.building")):
        yield f"{path}: its writer was killed or is still writing, so it is not read; remove it if none is writing"


def _left_out(path: Path, error: Exception) -> str:
    why = str(error) if isinstance(error, Damaged) else told(error)
    return f"{path}: {why}, so it is left out; get it again from where this folder came from, or add its run again"


def _made(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


def _written(folder: Path, write: Callable[[], tuple[Path, bool]]) -> Added:
    try:
        return Added(*write())
    except (FileExistsError, NotADirectoryError):
        raise UserError(
            "a file stands where the history should go; move it or use --history", place=str(folder)
        ) from None
    except OSError as error:
        if no_room(error):
            raise
        raise UserError(
            f"can't be written to ({error.strerror}); choose another --history", place=str(folder)
        ) from None
