"""Documents from local files: what stands in a file, and where it is wrong.

| suffix | documents |
|---|---|
| `.txt`, `.txt.gz` | the whole file, or its parts where lines that hold only `<|endoftext|>` divide it |
| `.jsonl`, `.jsonl.gz` | one JSON object per line; its `field` is the text |
| `.csv`, `.csv.gz` | one row each, under a header line; the column `field` is the text |
| `.parquet` | one row each; the column `field` is the text |

Text is UTF-8 (a byte-order mark is dropped) and line ends stay as they are. Documents without any text are
left out. Everything is read as it is needed: only a whole `.txt` document must fit in memory.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from reference_impl.text.tokenizer import END_OF_TEXT

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")


class TextError(ValueError):
    """A file that is not what its name says: names the place, what is wrong and the mend."""

    def __init__(self, place: str | os.PathLike[str], message: str) -> None:
        self.place = os.fspath(place)
        self.message = message
        super().__init__(f"{self.place}: {message}")


def read_documents(path: str | os.PathLike[str], field: str = "text") -> Iterator[str]:
    """The documents of a file, or of every file of a known suffix under a folder in the order of their paths.

    `field` names the column or key that holds the text (not used for txt). Raises TextError: at once if there
    is nothing to read at `path`, and on the way for a line that is broken, naming `file:line`.
    """
    files = _files(Path(path))
    return _documents(Path(path), files, field)


def _files(path: Path) -> list[Path]:
    known = ", ".join(SUFFIXES)
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.is_file() and file.name.endswith(SUFFIXES) and not file.name.startswith(".")
        )
        if not files:
            raise TextError(path, f"no text in this folder; put files there that end in one of {known}")
        return files
    if not path.exists():
        raise TextError(path, "no such file or folder; check the path")
    if not path.name.endswith(SUFFIXES):
        raise TextError(path, f"text of an unknown kind; the name must end in one of {known}")
    return [path]


def _documents(path: Path, files: list[Path], field: str) -> Iterator[str]:
    found = False
    for file in files:
        for document in _documents_of(file, field):
            if document:
                found = True
                yield document
    if not found:
        raise TextError(path, "there is no text in it; put some there, or give another path")


def _documents_of(file: Path, field: str) -> Iterator[str]:
    name = file.name.removesuffix(".gz")
    if name.endswith(".txt"):
        return _txt(file)
    if name.endswith(".jsonl"):
        return _jsonl(file, field)
    if name.endswith(".csv"):
        return _csv(file, field)
    return _parquet(file, field)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line with its end) of a file, decoded line by line so that errors have a place."""
    number = 0
    try:
        raw: BinaryIO = file.open("rb")
        with raw, cast(BinaryIO, gzip.open(raw)) if file.suffix == ".gz" else raw as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise TextError(
                        f"{file}:{number}",
                        f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8; "
                        "convert the file, e.g. with `iconv -f latin1 -t utf8`, or mend the line",
                    ) from error
                yield number, text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TextError(
            f"{file}:{number + 1}", f"the gzip data is cut off or broken here ({error}); fetch the file again"
        ) from error


def _txt(file: Path) -> Iterator[str]:
    parts: list[str] = []
    for _, line in _lines(file):
        if line.strip() == END_OF_TEXT:
            # The line end before a dividing line belongs to the division, not to the document.
            yield "".join(parts).removesuffix("\n").removesuffix("\r")
            parts = []
        else:
            parts.append(line)
    yield "".join(parts)


def _jsonl(file: Path, field: str) -> Iterator[str]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        place = f"{file}:{number}"
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise TextError(
                place, f"not JSON at column {error.colno} ({error.msg}); each line must be one JSON object"
            ) from error
        if not isinstance(entry, dict):
            raise TextError(
                place, f"a JSON {type(entry).__name__}; each line must be an object such as {{{field!r}: …}}"
            )
        yield _text(place, field, entry.get(field), present=list(entry))


def _csv(file: Path, field: str) -> Iterator[str]:
    csv.field_size_limit(1 << 30)  # documents are longer than the default of 128 KiB
    rows = csv.reader((line for _, line in _lines(file)), strict=True)
    header: list[str] | None = None
    try:
        for row in rows:
            if header is None:
                header = row
                _text(f"{file}:1", field, field if field in header else None, present=header)
            elif row:
                place = f"{file}:{rows.line_num}"
                if len(row) != len(header):
                    raise TextError(
                        place, f"{len(row)} columns where the header has {len(header)}; mend or quote the row"
                    )
                yield row[header.index(field)]
    except csv.Error as error:
        raise TextError(f"{file}:{rows.line_num}", f"not CSV ({error}); check the quotes of this row") from error


def _parquet(file: Path, field: str) -> Iterator[str]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as table:
            present = table.schema_arrow.names
            if field not in present:
                _text(str(file), field, None, present=present)
            row = 0
            for batch in table.iter_batches(batch_size=1024, columns=[field]):
                for text in batch.column(0).to_pylist():
                    row += 1
                    yield _text(f"{file}:{row}", field, text, present=[])
    except (pa.ArrowException, OSError) as error:
        raise TextError(file, f"not a whole Parquet file ({error}); fetch or write it again") from error


def _text(place: str, field: str, value: object, *, present: list[str]) -> str:
    """`value` if it is text; else says which field is missing or wrong, and what there is."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair, which is no character
            raise TextError(
                place,
                f"the field {field!r} holds half of a surrogate pair (\\u{ord(value[error.start]):04x}), which UTF-8 "
                "can't hold; take it out, or write the whole character",
            ) from error
        return value
    if value is None and field not in present and present:
        raise TextError(place, f"there is no field {field!r}, only {', '.join(present)}; name one of them as `field`")
    raise TextError(
        place, f"the field {field!r} holds {'nothing' if value is None else type(value).__name__}; it must hold text"
    )
