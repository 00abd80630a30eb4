"""Rows of Parquet, and of Arrow as `datasets` writes it: values with the types of their columns.

A whole number stays one beside a null, a decimal keeps its digits, a date is a date, bytes are bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reference_impl.files.arrow_sizes import DamagedMetadata, is_file, size_of_batches
from reference_impl.files.bounds import DEEPEST, MOST_COLUMNS, TOO_MUCH, check_rows, most_unpacked, refuse_endless
from reference_impl.files.compression import COMPRESSIONS, whole
from reference_impl.files.error import TextError
from reference_impl.files.parquet_pages import DamagedPages, unpacked_size

OPTIONS = frozenset({"columns"})
"""What a reader may be told; `columns`: only these."""
CHANGE_NOTHING = frozenset({"batch_size"})
_ROWS = 1024
"""Rows that are made at once."""
_FEW_ROWS, _LARGE = 8, 4 << 20
"""Rows where a column has values that are stored once and are perhaps larger than so many bytes."""


def parquet_rows(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row from 1, row) of a Parquet file, read as they are needed. Raises TextError."""
    import pyarrow as pa
    from pyarrow import parquet

    with _damage_told(path, "Parquet"):
        content = _content(path)
        with parquet.ParquetFile(pa.BufferReader(content)) as table:
            columns = _wanted(path, table.schema_arrow, options.get("columns"))
            number = 0
            for batch in _parquet_batches(path, table, memoryview(content), columns):
                for row in _plain(batch):
                    number += 1
                    yield number, row


def whole_parquet(path: Path, table: Any, content: memoryview) -> Any:
    """All rows of an open Parquet file of these bytes, as a table. Raises TextError, and as pyarrow does."""
    import pyarrow as pa

    columns = _wanted(path, table.schema_arrow, None)
    return pa.Table.from_batches(_parquet_batches(path, table, content, columns), table.schema_arrow)


def _parquet_batches(path: Path, table: Any, content: memoryview, columns: list[str]) -> Iterator[Any]:
    """Its rows, some at a time: equal values are stored once and may be large together."""
    unpacked = 0
    for batch in table.iter_batches(batch_size=_rows_at_once(path, table.metadata, content), columns=columns):
        unpacked += batch.nbytes
        if unpacked > most_unpacked(len(content)):
            raise TextError(path, TOO_MUCH)
        yield batch


def _rows_at_once(path: Path, metadata: Any, content: memoryview) -> int:
    """How many rows of a Parquet file are made at once: few where each may be large (equal values are stored once).
    Raises TextError for one that unpacks to too much, DamagedPages for one that is damaged."""
    size = len(content)
    check_rows(path, metadata.num_rows, size)
    unpacked = largest = 0
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            unpacked += (of_chunk := unpacked_size(content, chunk))
            if any("DICTIONARY" in encoding for encoding in chunk.encodings):
                largest = max(largest, of_chunk)
            if unpacked > most_unpacked(size):
                raise TextError(path, TOO_MUCH)
    return _ROWS if largest <= _LARGE else _FEW_ROWS


def arrow_rows(path: Path, options: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row from 1, row) of an Arrow file or stream. Raises TextError."""
    with _damage_told(path, "Arrow"):
        table = _arrow_table(path)
        columns = _wanted(path, table.schema, options.get("columns"))
        number = 0
        for batch in table.select(columns).to_batches(max_chunksize=_ROWS):
            for row in _plain(batch):
                number += 1
                yield number, row


def class_names(path: Path, suffix: str) -> dict[str, list[str]]:
    """The names of classes that `datasets` writes beside columns of class numbers: column -> names. No row is read."""
    import pyarrow as pa
    from pyarrow import parquet

    with _damage_told(path, "Parquet" if suffix == ".parquet" else "Arrow"):
        content = _content(path)
        if suffix == ".parquet":
            schema = parquet.read_schema(pa.BufferReader(content))
        else:
            with _arrow_reader(content) as reader:
                schema = reader.schema
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    if not isinstance(described, dict):
        return {}
    return {
        name: list(map(str, feature["names"]))
        for name, feature in described.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
    }


def _arrow_reader(content: Any) -> Any:
    """What reads a buffer of Arrow: one ending stands for two formats, files and streams."""
    import pyarrow as pa

    return (pa.ipc.open_file if is_file(content) else pa.ipc.open_stream)(pa.BufferReader(content))


def _arrow_table(path: Path) -> Any:
    content = _content(path)
    size = content.size
    if size_of_batches(content, most_unpacked(size)) > most_unpacked(size):
        raise TextError(path, TOO_MUCH)
    with _arrow_reader(content) as reader:
        batches = (
            (reader.get_batch(number) for number in range(reader.num_record_batches)) if is_file(content) else reader
        )
        table = _together(reader.schema, batches)
    check_rows(path, table.num_rows, size)
    return table


@contextmanager
def _damage_told(path: Path, kind: str) -> Iterator[None]:
    """Whatever pyarrow, or what reads its metadata, says of a damaged file becomes a TextError."""
    import pyarrow as pa

    damage = (pa.ArrowException, EOFError, OSError, MemoryError, OverflowError, UnicodeError)
    try:
        yield
    except (*damage, DamagedMetadata, DamagedPages) as error:
        raise TextError(path, f"not a whole {kind} file ({_first(error)}); fetch or write it again") from error


def _together(schema: Any, batches: Iterable[Any]) -> Any:
    """A table of batches."""
    import pyarrow as pa

    found = []
    for batch in batches:
        batch.validate(full=True)  # first: asked anything else, a damaged one crashes the process
        found.append(batch)
    return pa.Table.from_batches(found, schema)


def _content(path: Path) -> Any:
    """A file's bytes as a pyarrow buffer, which holds them or maps them."""
    import pyarrow as pa

    if path.suffix in COMPRESSIONS:
        return pa.py_buffer(whole(path))
    refuse_endless(path)
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _wanted(path: Path, schema: Any, columns: Sequence[str] | None) -> list[str]:
    names: list[str] = list(schema.names)
    if len(names) > MOST_COLUMNS:
        raise TextError(path, f"has {len(names):,} columns, and {MOST_COLUMNS:,} is the most")
    if any(str(field.type).count("<") > DEEPEST for field in schema):
        raise TextError(path, "lists and structures are nested too deeply")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TextError(path, f"has the column '{twice[:80]}' twice; rename one of them")
    if columns is not None and not isinstance(columns, list | tuple):
        raise TextError(path, "`columns` is a list of names of columns")
    for name in columns or ():
        if name not in names:
            raise TextError(path, f"there is no column '{name}' (there are: {', '.join(names)})")
    return names if columns is None else list(columns)


def _plain(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows of a batch, with Python's own types."""
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        if pa.types.is_float16(column.type):  # numpy's, else
            column = column.cast(pa.float32())
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":  # pandas' own type, else
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        columns.append(column.to_pylist())
    names = batch.schema.names
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
