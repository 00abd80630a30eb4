"""What the batches of an Arrow file would take in memory, read off their metadata before anything is unpacked.

A packed buffer begins with the size that it unpacks to, and pyarrow asks for that much memory at once. The metadata of
a message is a flatbuffer (https://flatbuffers.dev/internals; `Message.fbs` and `File.fbs` of Apache Arrow): a table
begins with the distance back to its list of fields, which holds the place of each field in the table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DICTIONARY, _BATCH = 2, 3
"""Kinds of message that have a body."""
_STORED = -1
"""In place of a size: this buffer is not packed."""
_MAGIC = b"ARROW1"
_DICTIONARIES, _BATCHES = 2, 3
"""Fields of a file's footer: where those messages begin."""


class DamagedMetadata(ValueError):
    """The metadata are no flatbuffer of a batch."""

    def __init__(self) -> None:
        super().__init__("its metadata are damaged")


@dataclass(frozen=True)
class _Table:
    """A table of a flatbuffer, by the place where it begins."""

    data: memoryview
    place: int

    def field(self, number: int) -> int | None:
        """The place of a field; None where it is left out."""
        fields = self.place - self.number("<i", self.place)
        at = 4 + 2 * number
        if at >= self.number("<H", fields):
            return None
        inside = self.number("<H", fields + at)
        return self.place + inside if inside else None

    def table(self, number: int) -> _Table | None:
        """A field that is a table."""
        return None if (at := self.field(number)) is None else _Table(self.data, at + self.number("<I", at))

    def structs(self, number: int, form: str) -> Iterator[tuple[Any, ...]]:
        """A field that is a list of structs of this form."""
        if (at := self.field(number)) is None:
            return
        at += self.number("<I", at)
        size, count = struct.calcsize(form), self.number("<I", at)
        if at + 4 + size * count > len(self.data):
            raise DamagedMetadata
        yield from struct.iter_unpack(form, self.data[at + 4 : at + 4 + size * count])

    def number(self, form: str, at: int) -> int:
        """The number at a place. Raises DamagedMetadata beyond the end."""
        if not 0 <= at <= len(self.data) - struct.calcsize(form):
            raise DamagedMetadata
        (found,) = struct.unpack_from(form, self.data, at)
        return int(found)


def _root(data: memoryview) -> _Table:
    return _Table(data, _Table(data, 0).number("<I", 0))


def is_file(content: Any) -> bool:
    """Whether a pyarrow buffer holds an Arrow file, which has a footer; else it is a stream."""
    return bytes(content[: len(_MAGIC)]) == _MAGIC


def size_of_batches(content: Any, most: int) -> int:
    """Bytes that the batches and dictionaries in a pyarrow buffer take in memory; counted until it is more than `most`.
    Raises DamagedMetadata, and as pyarrow does."""
    size = 0
    for message in _messages(content):
        size += _size_of_message(memoryview(message.metadata).cast("B"), memoryview(message.body or b"").cast("B"))
        if size > most:
            break
    return size


def _size_of_message(metadata: memoryview, body: memoryview) -> int:
    """0 for messages that have no batch."""
    message = _root(metadata)
    kind = message.field(1)
    batch = message.table(2)
    if kind is None or batch is None or metadata[kind] not in (_DICTIONARY, _BATCH):
        return 0
    if metadata[kind] == _DICTIONARY and (batch := batch.table(1)) is None:
        return 0
    packed = batch.field(3) is not None
    return sum(_bytes_of_buffer(body, offset, length, packed) for offset, length in batch.structs(2, "<qq"))


def _bytes_of_buffer(body: memoryview, offset: int, length: int, packed: bool) -> int:
    if not packed or length < 8 or not 0 <= offset <= len(body) - 8:
        return max(0, length)
    (size,) = struct.unpack_from("<q", body, offset)
    return length if size == _STORED else max(0, int(size))


def _messages(content: Any) -> Iterator[Any]:
    """The messages of a stream, or those that the footer of a file names."""
    import pyarrow as pa

    if not is_file(content):
        yield from pa.ipc.MessageReader.open_stream(pa.BufferReader(content))
        return
    data = memoryview(content).cast("B")
    end = len(data) - len(_MAGIC) - 4
    begin = end - _Table(data, 0).number("<i", end)
    if not 0 <= begin <= end:
        raise DamagedMetadata
    footer = _root(data[begin:end])
    for field in (_DICTIONARIES, _BATCHES):
        for offset, _, _ in footer.structs(field, "<qi4xq"):
            if not 0 <= offset <= end:
                raise DamagedMetadata
            yield pa.ipc.read_message(pa.BufferReader(content.slice(offset)))
