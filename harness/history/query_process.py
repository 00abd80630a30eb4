"""The process that answers a query: started by `query.py`, and ended by it after a while.

It reads what is asked and the tables from stdin, holds them in memory, and writes the answer to stdout. DuckDB is told
to touch no file, no extension and no configuration; where the kernel can hold it to that, it does, before DuckDB is
loaded (`harness.fences`). A process of its own, because single functions of DuckDB can neither be interrupted nor are
counted by its memory limit.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from harness import strict_json
from harness.errors import told
from harness.fences.enclosure import Unfenced, available, shut_in
from harness.fences.limits import Limits, set_limits
from harness.history.query_frames import MOST_BYTES, Asked, Head, read_head, read_tables

if TYPE_CHECKING:
    import duckdb

SETTINGS = {
    **dict.fromkeys(
        ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"), "false"
    ),
    **{"python_enable_replacements": "false", "temp_directory": "", "max_temp_directory_size": "0B"},
}
COUNTED = ("/proc/self/cgroup", "/proc/self/mountinfo", "/proc/meminfo", "/sys/fs/cgroup", "/sys/devices/system/cpu")
"""Where DuckDB looks how much memory and how many processors there are."""
ROWS_AT_ONCE = 10_000
ONE_SELECT = "a query is one SELECT, which changes nothing"


def main() -> None:
    """Answer one query."""
    given, out = sys.stdin.buffer, sys.stdout.buffer
    head = read_head(given)
    _fence(head)
    answer(head, given, out)


def answer(head: Head, given: BinaryIO, out: BinaryIO) -> None:
    """The answer, or one sentence why there is none. given: the tables, behind the head."""
    import duckdb
    import pyarrow as pa

    try:
        _answer(Asked(head, read_tables(head, given)), out)
    except duckdb.TransactionException:  # of the read-only transaction: a WITH that writes
        _say(out, {"error": f"{ONE_SELECT}; this one would change something"})
    except duckdb.Error as error:
        _say(out, {"error": _sentence(error)})
    except (MemoryError, pa.ArrowException, OverflowError) as error:
        _say(out, {"error": f"the answer can't be given ({told(error)})"})


def _fence(head: Head) -> None:
    """From here on no file but those of Python's packages can be read, none written, and nothing reaches the network:
    where the kernel has Landlock, without which nothing could be imported any more."""
    limits = Limits(cpu_seconds=head.seconds * head.threads + 60, memory_bytes=head.address_bytes, open_files=256)
    if available().landlock:
        with suppress(Unfenced):
            shut_in(None, limits, readable=[str(Path(__file__).parents[2]), *sys.path, *COUNTED])
            return
    set_limits(limits)


def _answer(asked: Asked, out: BinaryIO) -> None:
    import duckdb
    import pyarrow as pa

    settings = SETTINGS | {"memory_limit": f"{asked.head.memory_bytes}B", "threads": str(asked.head.threads)}
    connection = duckdb.connect(":memory:", config=dict(settings))
    for name, table in asked.tables.items():
        connection.register("given", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        connection.unregister("given")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    statements = connection.extract_statements(asked.head.sql)
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        which = "nothing is asked" if not statements else f"{len(statements)} statements"
        kind = which if len(statements) != 1 else f"{statements[0].type.name} is none"
        _say(out, {"error": f"{ONE_SELECT}; {kind}"})
        return
    connection.execute("BEGIN TRANSACTION READ ONLY")  # `WITH x AS (DELETE … RETURNING *) SELECT …` is a SELECT, too
    done: Any = connection.execute(statements[0])
    named = "to_arrow_reader" if hasattr(done, "to_arrow_reader") else "fetch_record_batch"  # before DuckDB 2
    reader = getattr(done, named)(ROWS_AT_ONCE)
    batches, size = [], 0
    for batch in reader:
        batches.append(batch)
        size += batch.nbytes
        if size > MOST_BYTES:
            _say(out, {"error": f"the answer is larger than {MOST_BYTES >> 20} MiB; ask for less, with LIMIT say"})
            return
    _say(out, {})
    with pa.ipc.new_stream(out, reader.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _say(out: BinaryIO, told_of: dict[str, str]) -> None:
    out.write(strict_json.dumps(told_of).encode() + b"\n")


def _sentence(error: duckdb.Error) -> str:
    """What DuckDB says, without the excerpt of the query and settings that can't be changed here."""
    said = str(error).partition("\n\nLINE ")[0].partition("\nPossible solutions")[0]
    return "; ".join(line.strip() for line in said.splitlines() if line.strip())


if __name__ == "__main__":
    main()
