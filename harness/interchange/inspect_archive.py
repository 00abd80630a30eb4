"""inspect's `.eval`: a zip archive of JSON, one member for each sample, compressed by deflate or zstandard.

Members are read one at a time and never written to disk, so that their names can lead nowhere; each is bounded as it
is unpacked, whatever the archive says of its size.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.errors import UserError, shown
from harness.interchange.foreign_file import ForeignFile, json_of

HEADER, SAMPLES = "header.json", "samples/"
MOST_MEMBER, MOST_IN_ALL, MOST_MEMBERS = 64 << 20, 2 << 30, 100_000
ZSTANDARD = 93
_LOCAL_HEADER = 30
"""Bytes of a member's own header before its name and extra field."""


@dataclass(frozen=True)
class Archive:
    """One archive."""

    file: ForeignFile

    @property
    def is_log(self) -> bool:
        """Whether it has what a log has. Raises UserError for a damaged archive."""
        names = {info.filename for info in self._zip.infolist()}
        return HEADER in names or "_journal/start.json" in names

    def header(self) -> Any:
        """The log without its samples. Raises UserError where the evaluation did not end."""
        if HEADER not in self._zip.NameToInfo:
            raise UserError("the evaluation did not end: the archive has no header.json", place=self.file.name)
        return self._member(HEADER)

    def samples(self) -> Iterator[tuple[Any, str]]:
        """Every sample with its place, in the order of their names. Raises UserError."""
        unpacked = 0
        for name in sorted(
            name for name in self._zip.NameToInfo if name.startswith(SAMPLES) and name.endswith(".json")
        ):
            content = self._bytes(name)
            unpacked += len(content)
            if unpacked > MOST_IN_ALL:
                raise UserError(f"its samples unpack to more than {MOST_IN_ALL >> 30} GiB", place=self.file.name)
            found = json_of(content, f"{self.file.name}: {shown(name, 100)}")
            yield _thin(found), f"{self.file.name}: {shown(name, 100)}"

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            found = zipfile.ZipFile(io.BytesIO(self.file.content))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
            raise UserError(f"the archive is damaged or cut short ({error})", place=self.file.name) from None
        if len(found.infolist()) > MOST_MEMBERS:
            raise UserError(f"the archive has more than {MOST_MEMBERS:,} members", place=self.file.name)
        return found

    def _member(self, name: str) -> Any:
        return json_of(self._bytes(name), f"{self.file.name}: {shown(name, 100)}")

    def _bytes(self, name: str) -> bytes:
        """A member, `MOST_MEMBER` at most."""
        info = self._zip.NameToInfo[name]
        place = f"{self.file.name}: {shown(name, 100)}"
        try:
            opened = self._zstandard(info) if info.compress_type == ZSTANDARD else self._zip.open(info)
            with opened as stream:
                content: bytes = stream.read(MOST_MEMBER + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise UserError(f"it can't be unpacked ({shown(error)}); the archive is damaged", place=place) from None
        if info.compress_type == ZSTANDARD and len(content) <= MOST_MEMBER and zlib.crc32(content) != info.CRC:
            raise UserError("its checksum is another than when it was written; the archive is damaged", place=place)
        if len(content) > MOST_MEMBER:
            raise UserError(f"it unpacks to more than {MOST_MEMBER >> 20} MiB, which is the most", place=place)
        return content

    def _zstandard(self, info: zipfile.ZipInfo) -> Any:
        """A stream of a member that zstandard packed, which Python's zipfile can't open."""
        import pyarrow

        start = info.header_offset
        header = self.file.content[start : start + _LOCAL_HEADER]
        if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\x03\x04"):
            raise ValueError("its header is damaged")
        start += _LOCAL_HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        packed = pyarrow.BufferReader(self.file.content[start : start + info.compress_size])
        return pyarrow.CompressedInputStream(packed, "zstd")


def _thin(sample: Any) -> Any:
    """A sample without what is large and not read: its events and messages."""
    if not isinstance(sample, dict):
        return sample
    return {name: value for name, value in sample.items() if name not in ("events", "messages", "store", "attachments")}
