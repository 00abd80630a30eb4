"""A file's text line by line, so that what can't be decoded has a place.

Text is UTF-8 unless the file begins with the byte-order mark of another Unicode encoding, or the caller names one. A
byte-order mark is dropped; line ends stay as they are.
"""

from __future__ import annotations

import codecs
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from reference_impl.files.bounds import LARGEST_WHOLE, LONGEST_LINE
from reference_impl.files.compression import damaged, opened, packed_as
from reference_impl.files.error import TextError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte-order marks; UTF-32's little one begins with UTF-16's."""


def text_lines(path: Path, encoding: str | None = None, errors: str | None = None) -> Iterator[tuple[int, str]]:
    """(number from 1, line with its end) of every line of a file; a line ends with a line feed.

    encoding: where the caller knows it; else UTF-8, or what the byte-order mark says. errors: what becomes of bytes
    that it can't decode (`strict`, `replace`, `ignore`). Raises TextError with `file:line`, and OSError.
    """
    number, errors = 0, errors or "strict"
    try:
        codec, _ = codecs.lookup(encoding or "utf-8"), codecs.lookup_error(errors)
        if not getattr(codec, "_is_text_encoding", True):  # zlib, rot13, hex: of bytes
            raise LookupError(f"{encoding} is no encoding of text")
    except (LookupError, TypeError, ValueError) as error:
        raise TextError(path, f"{error}; name an encoding that Python knows, such as utf-8 or latin-1") from None
    try:
        with opened(path) as stream:
            head, stream = _head(stream)
            known = encoding or next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
            if codecs.lookup(known).name.startswith(("utf-16", "utf-32")):
                wrapper = io.TextIOWrapper(stream, known, errors, newline="\n")
                for line in _lines(wrapper, path, number):
                    number += 1
                    yield number, line.removeprefix("\ufeff") if number == 1 else line
                return
            for raw in _lines(stream, path, number):
                number += 1
                if number == 1 and encoding is None and is_utf16(raw):
                    raise TextError(f"{path}:1", "this is UTF-16 without a byte-order mark; convert the file to UTF-8")
                text = _decoded(path, number, raw, known, errors)
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeError as error:
        raise TextError(f"{path}:{number + 1}", f"not {known} ({error}); convert the file to UTF-8") from error
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if (told := damaged(path, error)) is None:
            raise
        raise TextError(f"{path}:{number + 1}", told) from error


def whole_text(path: Path, encoding: str | None = None, errors: str | None = None) -> str:
    """The text of a file. Raises as `text_lines`, and for one that is too large to be in memory."""
    lines, size = [], 0
    for _, line in text_lines(path, encoding, errors):
        lines.append(line)
        size += len(line)
        if size > LARGEST_WHOLE:
            raise TextError(
                path, f"it is read as a whole, and has more than {LARGEST_WHOLE >> 20} MiB; write JSON lines (.jsonl)"
            )
    return "".join(lines)


def _lines(stream: Any, path: Path, number: int) -> Iterator[Any]:
    """The lines of a file, of bytes or of text, none of them endless."""
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise TextError(
                f"{path}:{number}", f"this line is longer than {LONGEST_LINE >> 20} MiB; break it into lines"
            )
        yield line


def _head(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes, and a stream that still has them."""
    buffered: Any = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(Any, stream))
    return buffered.peek(4)[:4], buffered


def begins_with_mark(head: bytes) -> bool:
    """Whether these first bytes of a file have a byte-order mark."""
    return any(head.startswith(mark) for mark, _ in _MARKS)


def is_utf16(line: bytes) -> bool:
    """Whether every second byte is 0 and no other: ASCII as UTF-16 has it."""
    return len(line) >= 6 and any(not any(line[at : len(line) & ~1 : 2]) and all(line[1 - at :: 2]) for at in (0, 1))


def _decoded(path: Path, number: int, line: bytes, encoding: str, errors: str) -> str:
    try:
        return line.decode(encoding, errors)
    except UnicodeDecodeError as error:
        if number == 1 and (packed := packed_as(line)):
            raise TextError(path, f"this is packed; give the file a name that ends in {packed}") from None
        named = "UTF-8" if encoding.startswith("utf-8") else encoding
        raise TextError(
            f"{path}:{number}",
            f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not {named}; "
            "convert the file, e.g. with `iconv -f latin1 -t utf8`, or fix the line",
        ) from error
