"""A file of another tool: its bytes and the JSON in it, with bounds on both, as it may be of anybody."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import UserError, printable, shown
from harness.input_file import bytes_of_file

MOST_BYTES = 128 << 20
"""Of a file, and of what a compressed one unpacks to."""
MOST_VALUES = 5_000_000
"""Of JSON: each takes up to 100 bytes of memory."""
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"


@dataclass(frozen=True)
class ForeignFile:
    """One file, read once."""

    path: Path
    name: str
    """The path as it was given, for sentences."""
    content: bytes
    """Unpacked where it was compressed by gzip."""
    sha256: str
    """Of the bytes on the disk."""

    @property
    def is_archive(self) -> bool:
        """Whether it is a zip archive, which has no JSON of its own."""
        return self.content.startswith(ZIP)

    @property
    def may_be_json(self) -> bool:
        """Whether it begins as JSON that anybody writes, is an archive, or has a sentence of its own."""
        start = text_of(self.content[:4096], self.name, cut=True).lstrip("\ufeff \t\r\n")
        return self.is_archive or start[:1] in ("", "{", "[", "<")

    @cached_property
    def json(self) -> Any:
        """What it holds: a value, or a list of those of its lines where it is JSON Lines. Raises UserError."""
        return json_of(self.content, self.name)

    @property
    def is_lines(self) -> bool:
        """Whether it is JSON Lines: several objects, one after the other."""
        return isinstance(self.json, Lines)


class Lines(list[Any]):
    """The objects of JSON Lines."""


def foreign_file(path: Path) -> ForeignFile:
    """Read a file. Raises UserError where it can't be read, is too large or unpacks to too much."""
    name = printable(str(path))
    content = bytes_of_file(path, MOST_BYTES, "a file of results")
    sha256 = hashlib.sha256(content).hexdigest()
    return ForeignFile(path, name, unpacked(content, name) if content.startswith(GZIP) else content, sha256)


def unpacked(content: bytes, name: str) -> bytes:
    """What gzip packed, `MOST_BYTES` at most. Raises UserError for more, and for what is cut short or damaged."""
    found = io.BytesIO()
    rest = content
    try:
        while rest.startswith(GZIP):  # of several members, as `cat` joins them
            unpacking = zlib.decompressobj(wbits=31)
            found.write(unpacking.decompress(rest, MOST_BYTES + 1 - found.tell()))
            if found.tell() > MOST_BYTES:
                raise UserError(f"it unpacks to more than {MOST_BYTES >> 20} MiB, which is the most", place=name)
            if not unpacking.eof:
                raise UserError("it is cut short: the compressed data have no end", place=name)
            rest = unpacking.unused_data
    except zlib.error as error:
        raise UserError(f"it can't be unpacked ({error}); it is damaged", place=name) from None
    return found.getvalue()


def json_of(content: bytes, name: str) -> Any:
    """The JSON in a file, or its `Lines`. Raises UserError with the line where it is none."""
    text = text_of(content, name)
    if (why := why_no_json(text)) is not None:
        raise UserError(why, place=name)
    check_values(text, name)
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError("its JSON is nested too deeply", place=name) from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].lstrip().startswith("{"):
            return Lines(lines_of(text, name))
        is_cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        told = "it is cut short" if is_cut else f"it is no JSON ({error.msg})"
        raise UserError(f"{told}; write the file again", place=f"{name}:{error.lineno}") from None
    except ValueError as error:  # a number of thousands of digits
        raise UserError(f"it is no JSON that can be read ({shown(error)})", place=name) from None


def lines_of(text: str, name: str) -> Iterator[Any]:
    """The objects of JSON Lines. Raises UserError with the line that is none."""
    for number, line in enumerate(text.split("\n"), start=1):  # other line ends may stand in texts
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            value = json.loads(line)
        except RecursionError:
            raise UserError("its JSON is nested too deeply", place=place) from None
        except ValueError as error:
            raise UserError(f"this line is no JSON ({shown(error)}); write the file again", place=place) from None
        if not isinstance(value, dict):
            raise UserError("a line of JSON Lines is an object, {…}", place=place)
        yield value


def text_of(content: bytes, name: str, *, cut: bool = False) -> str:
    """The text of a file: UTF-8, or UTF-16 as PowerShell writes it. cut: it is the beginning of one. Raises
    UserError."""
    try:
        return content.decode(json.detect_encoding(content), "replace" if cut else "strict")
    except UnicodeDecodeError as error:
        raise UserError(f"it is no text (byte {error.start} is no UTF-8)", place=name) from None


def why_no_json(text: str) -> str | None:
    """Why a text can't be JSON, where a person would see that at once; None where it may be."""
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        return "the file is empty"
    if start.startswith("<"):
        return "this is a web page or XML, not JSON: an error page was saved in the file's place"
    return None


def check_values(text: str, name: str) -> None:
    """Raise UserError for JSON of more values than memory may hold."""
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise UserError(f"it holds more than {MOST_VALUES:,} values, which is the most", place=name)
