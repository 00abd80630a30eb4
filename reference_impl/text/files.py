"""Documents from local files: one text each, with the place of what is wrong.

| suffix | documents |
|---|---|
| `.txt` | the whole file, or its parts where lines that hold only `<|endoftext|>` divide it |
| `.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, `.parquet`, `.arrow` | one per row; its `field` is the text |
| any other, or none | of a file that is named itself: as `.txt`; binary data are refused |

Each may be packed (`.gz`, `.bz2`, `.xz`, `.zst`). Text is UTF-8, or what the byte-order mark says (it is dropped), and
line ends stay as they are. Documents without any text are left out. Everything is read as it is needed: only a whole
`.txt` document must fit in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from reference_impl.files.error import TextError as TextError
from reference_impl.files.folder import Listing, listing, refuse_twins
from reference_impl.files.lines import text_lines
from reference_impl.files.plain import refuse_binary
from reference_impl.files.rows import is_known, known_endings, read_rows, suffix_of
from reference_impl.text.tokenizer import END_OF_TEXT

_SOMETHING = re.compile(r"[^\s\0]")


def read_documents(path: str | os.PathLike[str], field: str = "text") -> Iterator[str]:
    """The documents of a file, or of every file of a known suffix under a folder in the order of their paths.

    `field` names the column or key that holds the text, where the format has some. Raises TextError: at once if there
    is nothing to read at `path`, and on the way for a line that is broken, naming `file:line`.
    """
    return _documents(Path(path), files_of(path).data, field)


def files_of(path: str | os.PathLike[str]) -> Listing:
    """The files whose documents are read, and those of a folder that are passed over. Raises TextError where there is
    nothing to read."""
    path = Path(path)
    if path.is_dir():
        found = listing(path, deep=True)
        if not found.data:
            others = f" ({_few(path, found.passed_over)} can't be read)" if found.passed_over else ""
            raise TextError(
                path, f"no text in this folder{others}; put files there that end in one of {known_endings()}"
            )
        refuse_twins(found.data)
        return found
    if not path.exists():
        raise TextError(path, "no such file or folder; check the path")
    if not is_known(path):
        refuse_binary(path)
    return Listing([path], [])


def is_blank(document: str) -> bool:
    """Whether there is nothing to read in a document: white space, and the NUL characters of a file with a hole."""
    return _SOMETHING.search(document) is None


def passed_over(path: str | os.PathLike[str]) -> str | None:
    """A sentence on the files of a folder that are not read; None where there are none."""
    found = files_of(path).passed_over
    return f"not read, of an unknown format: {_few(Path(path), found)} in {path}" if found else None


def _few(folder: Path, files: list[Path], most: int = 10) -> str:
    names = [file.relative_to(folder).as_posix() for file in files]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _documents(path: Path, files: list[Path], field: str) -> Iterator[str]:
    found, what = False, "no text"
    for file in files:
        for document in _field(file, field) if _has_columns(file) else _txt(file):
            if document:
                if not found and not (found := not is_blank(document)):
                    what = "nothing but NUL characters" if "\0" in document else "only white space"
                yield document
    if not found:
        raise TextError(path, f"there is {what} in it; put some text there, or give another path")


def _has_columns(file: Path) -> bool:
    return is_known(file) and suffix_of(file.name) != ".txt"


def _txt(file: Path) -> Iterator[str]:
    parts: list[str] = []
    for _, line in text_lines(file):
        if line.strip() == END_OF_TEXT:
            # The line end before a dividing line belongs to the division, not to the document.
            yield "".join(parts).removesuffix("\n").removesuffix("\r")
            parts = []
        else:
            parts.append(line)
    yield "".join(parts)


def _field(file: Path, field: str) -> Iterator[str]:
    typed = suffix_of(file.name) in (".parquet", ".arrow")
    for number, row in read_rows(file, {"columns": [field]} if typed else None):
        yield _text(f"{file}:{number}", field, row)


def _text(place: str, field: str, row: dict[str, object]) -> str:
    """The field if it is text; else says which field is missing or wrong, and what there is."""
    value = row.get(field)
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
    if field not in row:
        raise TextError(place, f"there is no field {field!r}, only {', '.join(row)}; name one of them as `field`")
    raise TextError(
        place, f"the field {field!r} holds {'nothing' if value is None else type(value).__name__}; it must hold text"
    )
