"""The header of a safetensors file: what it says of its tensors, compared with the file before memory is allocated.

`safetensors.safe_open` reads it too. This stays because the file may be anybody's: safe_open takes headers of up to
100 MB (600,000 empty tensors: 6 s and 600 MB), and says `header too large` where a user needs to know which tensor is
wrong, or that the file is a pointer of git-lfs.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.bounded_files import refuse_no_file

MOST_HEADER = 32 << 20
"""Bytes of a header: some 250,000 tensors. The largest known have 5 MB."""
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Of one element of each type that safetensors knows."""


@dataclass(frozen=True)
class TensorHeader:
    """One tensor of a safetensors file, as its header describes it."""

    dtype: str
    """F32, BF16, F16, F8_E4M3, U8 …"""
    shape: tuple[int, ...]
    file: str


class _Unfit(ValueError):
    """A header that doesn't fit its file: says why."""


def read_header(path: Path) -> dict[str, TensorHeader]:
    """The tensors of a safetensors file. Raises UserError where it is cut off, no such file or not a file at all, and
    where the header describes other bytes than the file holds."""
    try:
        refuse_no_file(path)
        size = path.stat().st_size
        with path.open("rb") as file:
            first = file.read(8)
            if first == b"version ":
                raise UserError("this is a pointer of git-lfs, not the weights: run `git lfs pull`", place=str(path))
            length = struct.unpack("<Q", first)[0]
            if length > size:
                raise ValueError
            if length > MOST_HEADER:
                raise _Unfit(f"its header has {length:,} bytes, and at most {MOST_HEADER:,} are read")
            header = json.loads(file.read(length))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        found = {name: _tensor(entry, path.name) for name, entry in entries.items()}
        spans = sorted((*_span(entry), name) for name, entry in entries.items())
        whole = 8 + length + max((end for _, end, _ in spans), default=0)
    except FileNotFoundError:
        raise UserError("this file is missing: copy the whole model", place=str(path)) from None
    except OSError as error:
        raise UserError(
            f"the weights can't be read ({error.strerror}): copy the model again", place=str(path)
        ) from None
    except _Unfit as error:
        raise UserError(f"the weights are damaged: {error}; fetch or write them again", place=str(path)) from None
    except (ValueError, struct.error, KeyError, TypeError, AttributeError, IndexError, MemoryError, RecursionError):
        raise UserError(
            f"the weights are damaged (no header of safetensors in {size:,} bytes): fetch or write them again",
            place=str(path),
        ) from None
    if size != whole:
        raise UserError(
            f"the weights are damaged: {size:,} bytes are there and the header describes {whole:,}; fetch or copy them "
            "again",
            place=str(path),
        )
    _refuse_other_places(found, spans, path)
    return found


def _tensor(entry: dict[str, Any], file: str) -> TensorHeader:
    shape = tuple(entry["shape"])
    if not all(type(dim) is int and dim >= 0 for dim in shape):
        raise ValueError
    return TensorHeader(str(entry["dtype"]), shape, file)


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    start, end = entry["data_offsets"]
    if type(start) is not int or type(end) is not int:
        raise ValueError
    return start, end


def _refuse_other_places(tensors: dict[str, TensorHeader], spans: list[tuple[int, int, str]], path: Path) -> None:
    """UserError unless tensors lie one behind the other, each as long as its shape says: what safetensors demands."""
    before = 0
    for start, end, name in spans:
        tensor = tensors[name]
        bits = BITS.get(tensor.dtype)
        if start != before or end < start:
            why = f"{name} lies at bytes {start:,} to {end:,}, and should begin at {before:,}"
        elif bits is not None and (8 * (end - start)) != math.prod(tensor.shape) * bits:
            why = f"{name} is {tensor.dtype} {list(tensor.shape)}, and has {end - start:,} bytes"
        else:
            before = end
            continue
        raise UserError(f"the weights are damaged: {why}; fetch or write them again", place=str(path))
