"""What the pages of a Parquet file unpack to, read off their headers before any is unpacked.

The footer says it too, of whole columns, and nothing holds it to the truth: memory is asked for by the header of each
page. A header is a struct of Thrift's compact protocol (`thrift-compact-protocol.md` of Apache Thrift; `PageHeader` in
`parquet.thrift` of Apache Parquet).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TRUE, _FALSE, _BYTE, _DOUBLE, _TEXT, _STRUCT = 1, 2, 3, 7, 8, 12
_NUMBERS = (4, 5, 6)
_DEEPEST = 16
_UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_2 = 2, 3, 5, 7, 8
"""Fields of a page header: sizes, and what follows by the kind of page."""
_VALUES = 1
"""Field of what follows: how many values."""


class DamagedPages(ValueError):
    """There is no page header where the footer says so."""

    def __init__(self) -> None:
        super().__init__("its page headers are damaged")


def unpacked_size(content: memoryview, chunk: Any) -> int:
    """Bytes that the pages of a column chunk (pyarrow's metadata of it) unpack to. Raises DamagedPages."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
        start = chunk.dictionary_page_offset
    end = max(0, start) + max(0, chunk.total_compressed_size)
    return sum(_sizes(content[:end].cast("B"), start, chunk.num_values))


def _sizes(content: memoryview, place: int, values: int) -> Iterator[int]:
    """The size of each page, up to that of the last value: no more are read."""
    seen = 0
    while seen < values and 0 <= place < len(content):
        try:
            header, place = _struct(content, place)
            unpacked, packed = header[_UNPACKED], header[_PACKED]
        except (IndexError, KeyError, TypeError):
            raise DamagedPages from None
        kept = _count(header, _DICTIONARY)
        if unpacked < 0 or packed < 0 or kept > unpacked:
            raise DamagedPages
        seen += _count(header, _DATA) + _count(header, _DATA_2)
        place += packed
        yield unpacked


def _count(header: Mapping[int, Any], kind: int) -> int:
    inner = header.get(kind)
    found = inner.get(_VALUES) if isinstance(inner, dict) else 0
    if not isinstance(found, int) or found < 0:
        raise DamagedPages
    return found


def _struct(content: memoryview, place: int, deep: int = 0) -> tuple[dict[int, Any], int]:
    """Whole numbers and structs of a struct by the number of their fields, and where it ends."""
    found: dict[int, Any] = {}
    number = 0
    while (head := content[place]) != 0:
        place += 1
        if head >> 4:
            number += head >> 4
        else:
            number, place = _zigzag(content, place)
        found[number], place = _value(content, place, head & 15, deep)
    return found, place + 1


def _value(content: memoryview, place: int, kind: int, deep: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):  # the kind is the value
        return None, place
    if kind == _BYTE:
        return None, place + 1
    if kind in _NUMBERS:
        return _zigzag(content, place)
    if kind == _DOUBLE:
        return None, place + 8
    if kind == _TEXT:
        length, place = _varint(content, place)
        return None, place + length
    if kind == _STRUCT and deep < _DEEPEST:
        return _struct(content, place, deep + 1)
    raise DamagedPages  # no header has lists or mappings


def _zigzag(content: memoryview, place: int) -> tuple[int, int]:
    number, place = _varint(content, place)
    return (number >> 1) ^ -(number & 1), place


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 70:
        byte = content[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
    raise DamagedPages
