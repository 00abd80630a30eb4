"""Instances of subclasses of plain types, and named tuples: the plain value in them, read past what they override."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

PLAIN_BASES: tuple[Any, ...] = (int, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset)


def plain_base(value: Any) -> Any:
    """The value of an instance of a subclass of a plain type as that type, read past every method that it overrides.

    Returns NotImplemented where it is none.
    """
    for base in PLAIN_BASES:
        if base in type(value).__mro__:
            if base in (int, float, complex):
                return base.__pos__(value)
            if base in (str, bytes):
                return base.__getitem__(value, slice(None)) + base()
            if base is dict:
                return dict(zip(dict.keys(value), dict.values(value), strict=True))
            return base(base.__iter__(value))
    return NotImplemented


def named_tuple_fields(value: Any) -> tuple[str, ...] | None:
    """The names of a named tuple's fields; None for what isn't one."""
    fields = type(value).__dict__.get("_fields") if isinstance(value, tuple) else None
    if isinstance(fields, tuple) and all(type(name) is str for name in fields) and len(fields) == tuple.__len__(value):
        return fields
    return None


def named_tuple(name: str, fields: list[str], values: list[Any]) -> Any:
    """A named tuple of a class of its own."""
    return namedtuple(name, fields)(*values)
