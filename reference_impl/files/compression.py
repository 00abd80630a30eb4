"""Files as bytes, whatever they are packed with: gzip, bzip2, xz and Zstandard, told by the file's ending."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from reference_impl.files.bounds import LARGEST_WHOLE, Unpacked, refuse_endless
from reference_impl.files.error import TextError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}
"""Ending -> name of the compression."""

_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}


def packed_as(head: bytes) -> str | None:
    """The ending that a file with these first bytes should have; None where they are of no known compression."""
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), None)


def bare_name(name: str) -> str:
    """A file's name without the ending of its compression: `a.jsonl.zst` -> `a.jsonl`."""
    return name.removesuffix(Path(name).suffix) if Path(name).suffix in COMPRESSIONS else name


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked as they are read. Raises OSError, and inside the block what `damaged` knows."""
    refuse_endless(path)
    with path.open("rb") as raw:
        stream: BinaryIO
        match path.suffix:
            case ".gz":
                stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw))
            case ".bz2":
                stream = cast(BinaryIO, bz2.BZ2File(raw))
            case ".xz":
                stream = cast(BinaryIO, lzma.LZMAFile(raw))  # noqa: SIM115
            case ".zst":
                import pyarrow as pa

                stream = cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(raw), "zstd"))
            case _:
                yield raw
                return
        yield io.BufferedReader(Unpacked(stream, path, os.fstat(raw.fileno()).st_size))


def damaged(path: Path, error: Exception) -> str | None:
    """What is wrong with the packed data where reading them raised `error`; None where it is another error."""
    kind = COMPRESSIONS.get(path.suffix)
    if kind is None:
        return None
    of_data = isinstance(error, EOFError | zlib.error | gzip.BadGzipFile | lzma.LZMAError)
    if of_data or (isinstance(error, OSError) and error.errno is None):  # bzip2 and Zstandard raise a bare OSError
        return f"the {kind} data is cut off or broken here ({error}); fetch the file again"
    return None


def whole(path: Path) -> bytes:
    """All bytes of a file, unpacked. Raises TextError for packed data that is damaged, and OSError."""
    try:
        with opened(path) as stream:
            content = stream.read(LARGEST_WHOLE + 1)
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if (told := damaged(path, error)) is None:
            raise
        raise TextError(path, told) from error
    if len(content) > LARGEST_WHOLE:
        raise TextError(
            path, f"it must be in memory as a whole, and has more than {LARGEST_WHOLE >> 20} MiB; unpack or split it"
        )
    return content
