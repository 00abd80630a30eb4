"""What goes from `query.py` to the process that answers, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa

MOST_BYTES = 256 << 20
"""Of an answer."""


@dataclass(frozen=True)
class Head:
    """A query and its limits."""

    sql: str
    seconds: int
    memory_bytes: int
    """That DuckDB may use by its own count."""
    address_bytes: int
    """That the process may have addresses of."""
    threads: int
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A query with its tables, by name."""

    head: Head
    tables: Mapping[str, pa.Table]


def write_asked(asked: Asked) -> bytes:
    """A line of JSON, then each table as an Arrow stream behind its length."""
    import pyarrow as pa

    written = BytesIO()
    written.write(json.dumps(asdict(asked.head), allow_nan=False).encode() + b"\n")
    for name in asked.head.tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, asked.tables[name].schema) as writer:
            writer.write_table(asked.tables[name])
        content = sink.getvalue().to_pybytes()
        written.write(len(content).to_bytes(8, "big") + content)
    return written.getvalue()


def read_head(given: BinaryIO) -> Head:
    """The first line of what `write_asked` wrote."""
    told = json.loads(given.readline())
    return Head(**told | {"tables": tuple(told["tables"])})


def read_tables(head: Head, given: BinaryIO) -> dict[str, pa.Table]:
    """What follows it."""
    import pyarrow as pa

    return {
        name: pa.ipc.open_stream(given.read(int.from_bytes(given.read(8), "big"))).read_all() for name in head.tables
    }
