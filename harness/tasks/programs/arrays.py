"""Arrays and scalars of numpy as plain data, where numpy is loaded: this module never loads it."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterable
from typing import Any

_KINDS = "?biufcSUmM"
"""Kinds of numbers and texts; of objects the elements are written one by one."""


def kind_of(value: Any) -> str | None:
    """`array`, `objects` or `scalar`; None: it isn't of numpy, or of a kind that isn't passed on."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(value, numpy.ndarray):
        if value.dtype.kind in _KINDS:
            return "array"
        return "objects" if value.dtype.kind == "O" else None
    return "scalar" if isinstance(value, numpy.generic) and value.dtype.kind in _KINDS else None


def node(value: Any, parts: Callable[[Iterable[Any]], list[Any]]) -> list[Any] | None:
    """How an array or a scalar is written; None: it is none."""
    kind = kind_of(value)
    if kind is None:
        return None
    if kind == "objects":
        return ["objects", list(value.shape), parts(value.ravel().tolist())]
    return [kind, value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]


def made(tag: str, rest: list[Any], values: Callable[[list[Any]], list[Any]]) -> Any:
    """The array or scalar of a node. Raises ValueError."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        raise ValueError("an array, and no numpy")
    if tag == "objects":
        flat = numpy.empty(len(rest[1]), dtype=object)
        flat[:] = values(rest[1])
        return flat.reshape(rest[0])
    kind, shape, data = rest
    dtype = numpy.dtype(str(kind))
    if dtype.kind not in _KINDS:
        raise ValueError("an array of objects")
    array = numpy.frombuffer(base64.b64decode(data), dtype=dtype).reshape(shape).copy()
    return array[()] if tag == "scalar" else array
