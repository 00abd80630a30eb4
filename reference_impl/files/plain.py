"""Whether a file whose name says no format is text: by its first bytes, as there is nothing else to go by."""

from __future__ import annotations

import zlib
from lzma import LZMAError
from pathlib import Path

from reference_impl.files.compression import COMPRESSIONS, damaged, opened, packed_as
from reference_impl.files.error import TextError
from reference_impl.files.lines import begins_with_mark, is_utf16

HEAD = 1 << 16
"""Bytes that are looked at."""
_NAMED = {b"PAR1": ("Parquet", ".parquet"), b"ARROW1\0\0": ("Arrow", ".arrow")}
_OTHERS = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive, as .docx, .xlsx and .epub are",
    b"GGUF": "weights in GGUF",
    b"SQLite format 3\0": "a database of SQLite",
    b"{\\rtf": "RTF",
}


def refuse_binary(path: Path) -> None:
    """Raises TextError where a file is not text, with what it is where its first bytes tell; OSError where it can't be
    read."""
    try:
        with opened(path) as stream:
            head = stream.read(HEAD)
    except (EOFError, zlib.error, LZMAError, OSError) as error:
        if (told := damaged(path, error)) is None:
            raise
        raise TextError(path, told) from error
    is_packed = path.suffix in COMPRESSIONS
    if not is_packed and (ending := packed_as(head)):
        raise TextError(path, f"this is packed; give the file a name that ends in {ending}")
    for magic, (name, ending) in _NAMED.items():
        if head.startswith(magic):
            raise TextError(path, f"this is {name}; give the file a name that ends in {ending}")
    what = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), None)
    if what is None and b"\0" in head and not begins_with_mark(head) and not is_utf16(head):
        what = "binary data (it has NUL bytes)"
    if what is not None:
        raise TextError(path, f"this is {what}, and no text: name a file of UTF-8, or save its text as one")
