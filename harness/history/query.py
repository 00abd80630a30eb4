"""SQL over the history: `query("SELECT …")`, answered by DuckDB in a process of its own, which reads no file.

history    the rows (`row.Row`): times are UTC, `where` and `verdicts.said` are JSON
verdicts   what `gate`, `ci` and `ab` said
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from harness import strict_json
from harness.errors import UserError, WrongArgument, shown, signal_name
from harness.history.folder import HISTORY, History, read_history
from harness.history.query_frames import Asked, Head, write_asked
from harness.history.verdict import KeptVerdict
from harness.threads import default_threads

if TYPE_CHECKING:
    import pyarrow as pa

SECONDS, MOST_SECONDS = 30, 86_400
MEMORY_BYTES, ADDRESS_BYTES = 1 << 30, 3 << 30
MOST_THREADS = 4
LONGEST = 1_000_000
"""Characters of a query."""


def query(sql: str, history: History | str | Path = HISTORY, *, seconds: int = SECONDS) -> pa.Table:
    """The answer to one SELECT over `history` and `verdicts`, in memory, for `seconds` at most.

    Raises UserError for what is no such query, for what DuckDB says against it, and where it is not installed.
    """
    import pyarrow as pa

    if seconds < 1:
        raise WrongArgument("at least one second is needed", place="seconds")
    if seconds > MOST_SECONDS:
        raise WrongArgument(f"{MOST_SECONDS:,} seconds (a day) at most", place="seconds")
    if find_spec("duckdb") is None:
        raise UserError("a query needs DuckDB, which is not installed: pip install 'gpt-harness[history]'")
    if len(sql) > LONGEST:
        raise UserError(f"a query has {LONGEST:,} characters at most; this one has {len(sql):,}", place="query")
    found = history if isinstance(history, History) else read_history(history)
    tables = {"history": found.table, "verdicts": verdict_table(found.verdicts)}
    threads = min(default_threads(), MOST_THREADS)
    head = Head(sql, seconds, MEMORY_BYTES, ADDRESS_BYTES, threads, tuple(tables))
    answer = _answer(Asked(head, {name: _without_zones(table) for name, table in tables.items()}))
    said, _, rest = answer.partition(b"\n")
    if "error" in (told := json.loads(said)):
        raise UserError(told["error"], place="query")
    return _names_once(pa.ipc.open_stream(rest).read_all())


def verdict_table(verdicts: tuple[KeptVerdict, ...]) -> pa.Table:
    """Verdicts as a table: a row each, what was said as JSON."""
    import pyarrow as pa

    text, when = pa.string(), pa.timestamp("us", "UTC")
    types = {"time": when, "dirty": pa.bool_(), "exit_code": pa.int64(), "version": pa.int64()}
    schema = pa.schema([(name, types.get(name, text)) for name in KeptVerdict.model_fields])
    return pa.Table.from_pylist([vars(one) | {"said": strict_json.dumps(one.said)} for one in verdicts], schema=schema)


def _answer(asked: Asked) -> bytes:
    """What the process says. Raises UserError where it has to be ended, or dies."""
    command = [sys.executable, "-P", "-m", "harness.history.query_process"]
    given = write_asked(asked)
    path = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=asked.head.seconds, check=False, env=_environment(path)
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"it was not answered in {asked.head.seconds} s; ask for less", place="query") from None
    except OSError as error:
        raise UserError(f"the process that answers can't be started ({error.strerror})", place="query") from None
    if done.returncode or not done.stdout:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = (
            signal_name(-done.returncode)
            if done.returncode < 0
            else shown(last[-1] if last else "it said nothing", 200)
        )
        raise UserError(
            f"the process that answers ended ({why}): did it need too much memory? ask for less", place="query"
        )
    return done.stdout


def _environment(path: str) -> dict[str, str]:
    """That of the process: nothing of ours but where modules are, and one thread of what only has to be imported."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    paths = os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": paths, "HOME": "/nonexistent", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _without_zones(table: pa.Table) -> pa.Table:
    """The same with times as UTC without saying so, so that dates are those of UTC on every machine."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)).replace_schema_metadata(None)


def _names_once(table: pa.Table) -> pa.Table:
    """The same with a number behind names that come twice."""
    names: list[str] = []
    for name in table.column_names:
        names.append(name if name not in names else f"{name}_{sum(one.startswith(name) for one in names) + 1}")
    return table.rename_columns(names)
