"""How much of a file is read: what never ends, and what unpacks to a thousand times its size, is refused."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from reference_impl.files.error import TextError

SMALL = 256 << 20
"""Bytes that any packed file may unpack to."""
RATIO = 200
"""How many times its size a packed file may unpack to, beyond that: text packs 3 to 20 times, tables up to 100."""
LONGEST_LINE = 512 << 20
"""Bytes of a line."""
LARGEST_WHOLE = 1 << 30
"""Bytes of what must be in memory as a whole: JSON, and packed Parquet and Arrow."""
MOST_COLUMNS = 10_000
"""Of a table."""
MOST_ROWS, MOST_VALUES = 5_000_000, 50_000_000
"""Rows, and rows times columns, of a table that is in memory as a whole: some gigabytes."""
DEEPEST = 100
"""Lists and objects of a row within each other: whoever copies or prints a row recurses at each."""
MOST_FILES = 200_000
"""Files and folders that are looked through for data."""
ROWS_PER_BYTE = 100
"""Rows that a byte of Parquet or Arrow may stand for, beyond a million: equal ones take next to none."""

_AT_ONCE = 1 << 20
_ENDLESS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def refuse_endless(path: Path) -> None:
    """Raises TextError for a pipe or a device, which may never end; OSError where there is no such file."""
    mode = os.stat(path).st_mode  # noqa: PTH116 - follows links, as opening does
    kind = next((name for is_kind, name in _ENDLESS if is_kind(mode)), None)
    if kind is not None:
        raise TextError(path, f"this is {kind}, and data are read from regular files; save what it gives to a file")


class Unpacked(io.RawIOBase):
    """What a packed file unpacks to, up to what it may: a file of a kilobyte can hold a terabyte of one letter."""

    def __init__(self, stream: BinaryIO, path: Path, packed: int) -> None:
        super().__init__()
        self._stream, self._path = stream, path
        self._left = most_unpacked(packed)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer. Raises TextError where the file unpacks to too much."""
        data = self._stream.read(min(len(buffer), _AT_ONCE))
        self._left -= len(data)
        if self._left < 0:
            raise TextError(self._path, TOO_MUCH)
        buffer[: len(data)] = data
        return len(data)


TOO_MUCH = (
    f"it unpacks to more than {SMALL >> 20} MiB and more than {RATIO} times its size: that is no data set; unpack it "
    "yourself if it is one"
)


def is_too_deep(value: Any, left: int = DEEPEST) -> bool:
    """Whether lists and objects are nested too deeply."""
    if isinstance(value, dict):
        return left == 0 or any(is_too_deep(inner, left - 1) for inner in value.values())
    if isinstance(value, list):
        return left == 0 or any(is_too_deep(inner, left - 1) for inner in value)
    return False


def check_rows(path: Path, rows: int, size: int) -> None:
    """Raises TextError where a file of `size` bytes says that it has more rows than anyone puts into so few."""
    if rows > max(1_000_000, ROWS_PER_BYTE * size):
        raise TextError(path, f"it says that it has {rows:,} rows in {size:,} bytes: that is no data set")


def most_unpacked(packed: int) -> int:
    """Bytes that a file of `packed` bytes may unpack to."""
    return max(SMALL, RATIO * packed)
