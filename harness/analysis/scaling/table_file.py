"""A table of trained models from a CSV or Parquet file, packed or not.

pandas reads it, and does more than is wanted of a file that is not as it should be: of rows with one cell more than the
header it makes the first column an index and moves all others by one; a column that is named twice gets another name;
and it unpacks whatever it is given. So header and size are looked at first.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from harness.corpora import row_files
from harness.errors import UserError, shown, told

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 256 << 20
"""Unpacked: some millions of trained models."""
MOST_HEADER, MOST_COLUMNS = 1 << 20, 10_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_table(path: Path) -> pd.DataFrame:
    """All columns of a file, told by its name: `.parquet`, else CSV (`.tsv`: with tabs). Raises UserError."""
    try:
        size = path.stat().st_size
        content = row_files.bytes_of(path) if size <= MOST_BYTES else b""
    except OSError as error:
        raise UserError(f"can't be read ({told(error)})", place=str(path)) from None
    if max(size, len(content)) > MOST_BYTES:
        raise UserError(
            f"a table of trained models has {MOST_BYTES >> 20} MiB at most, and this file has more; give one row per "
            "model",
            place=str(path),
        )
    suffix = row_files.suffix_of(path)
    frame = _parquet(path, content) if suffix == ".parquet" else _csv(path, content, "\t" if suffix == ".tsv" else ",")
    if not len(frame):
        raise UserError("it has no rows", place=str(path))
    return frame


def _parquet(path: Path, content: bytes) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(io.BytesIO(content)) as file:
            _few_columns(list(file.schema_arrow.names), str(path))
            frame: pd.DataFrame = row_files.whole_parquet(path, file, content).to_pandas()
            return frame
    except (pa.ArrowException, OSError, ValueError, TypeError, MemoryError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"can't be read as a table: {told(error)}", place=str(path)) from None


def _csv(path: Path, content: bytes, separator: str) -> pd.DataFrame:
    import pandas as pd

    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    _check_header(content[:MOST_HEADER], encoding, separator, str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows that have more cells than the header
            return pd.read_csv(io.BytesIO(content), sep=separator, encoding=encoding, index_col=False, low_memory=False)
    except pd.errors.ParserError as error:
        why = _uneven(str(error)) or f"can't be read as a table: {told(error)}"
        raise UserError(why, place=str(path)) from None
    except pd.errors.ParserWarning:
        raise UserError("rows have more cells than the header; fix the header or the rows", place=str(path)) from None
    except (ValueError, OverflowError, MemoryError, csv.Error) as error:
        raise UserError(f"can't be read as a table: {told(error)}", place=str(path)) from None


def _uneven(message: str) -> str | None:
    """What pandas says of a row with more cells than the header, in plain words; None where it says something else."""
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found is None:
        return None
    return (
        f"line {found[2]} has more cells than the header ({found[3]}, not {found[1]}): this is no table, or fix the row"
    )


def _check_header(beginning: bytes, encoding: str, separator: str, place: str) -> None:
    """Raises UserError for a file without a header that can be one."""
    text = io.StringIO(beginning.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n"))
    if "\0" in text.getvalue():
        raise UserError("it has null characters in it: this is no table of text", place=place)
    if len(beginning) >= MOST_HEADER and "\n" not in text.getvalue():
        raise UserError(
            f"its first line is longer than {MOST_HEADER >> 20} MiB; a table begins with a line of column names",
            place=place,
        )
    csv.field_size_limit(1 << 30)  # one for the whole process: as the reader of data files has it
    try:
        names: list[str] = next((row for row in csv.reader(text, delimiter=separator) if row), [])
    except csv.Error as error:
        raise UserError(f"its header can't be read ({error}); it must be a line of column names", place=place) from None
    if not names:
        raise UserError("the file is empty; a table begins with a line of column names", place=place)
    _few_columns(names, place)


def _few_columns(names: list[str], place: str) -> None:
    if len(names) > MOST_COLUMNS or sum(map(len, names)) >= MOST_HEADER // 2:
        raise UserError(
            f"its header names {len(names):,} columns or long ones, and {MOST_COLUMNS:,} is the most; keep those that "
            "are needed",
            place=place,
        )
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise UserError(f"two columns are called '{shown(name)}'; keep one", place=place)
        seen.add(name)
