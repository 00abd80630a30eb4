"""Plain values as JSON that keeps their types: what the process that scores and one that runs task code tell each
other.

Tuples, bytes, sets, dates, numbers that JSON lacks and numpy's values are mappings with the key `!`. Reading makes
nothing but these, whatever the bytes say, so that a process may read what another one wrote that it doesn't trust.
Objects of other classes aren't values: a document can't hold them; where one is an answer, what is read is a
`ForeignObject` that only tells what it was.
"""

from __future__ import annotations

import base64
import datetime
import json
import math
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from harness.errors import UserError, printable

DEPTH = 64
"""How deep values may be nested."""
_TAG = "!"
_WHOLE = 1 << 63
_SCALARS = frozenset({str, int, float, bool, type(None)})
_EXPONENT = 4000
_BITS = 14_000  # some 4,200 decimal digits; Python writes out 4,300
_MOST_EMPTY = 1 << 16
"""Places that an array that holds nothing may have: going through a shape of (10**10, 0) would take all memory."""
_TOLD = 200  # characters of an object's own text
_ARRAYS = "biufcSUmM"  # numpy's kinds of plain numbers, texts and times

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class ForeignObject:
    """Stands for an object of a class that only its own process knows."""

    def __init__(self, told: str) -> None:
        self.told = told
        """Its `repr`."""

    def __repr__(self) -> str:
        return self.told


def dumps(value: Any, *, objects: bool = False) -> bytes:
    """One line of JSON.

    objects: whether an object of another class may be told in its place. Raises UserError otherwise, and for what is
    nested too deeply.
    """
    text = _encode(_packed(value, DEPTH, objects))
    return text.encode("utf-8", "surrogatepass")


def loads(text: bytes) -> Any:
    """What `dumps` wrote. Raises ValueError for everything else."""
    try:
        return _unpacked(json.loads(text.decode("utf-8", "surrogatepass"), parse_constant=_refused), DEPTH)
    except ValueError:
        raise
    except Exception as error:  # whatever constructors say of arguments that don't fit
        raise ValueError(f"no value of ours: {type(error).__name__}") from None


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _packed(value: Any, depth: int, objects: bool) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int:
        return value if -_WHOLE < value < _WHOLE else {_TAG: "int", "of": _pack_int(value)}
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "of": repr(value)}
    if not depth:
        raise UserError(f"a value is nested deeper than {DEPTH} levels")
    depth -= 1
    if kind is dict:
        if _TAG not in value and all(type(key) is str for key in value):
            return {key: one if type(one) is str else _packed(one, depth, objects) for key, one in value.items()}
        pairs = [[_packed(key, depth, objects), _packed(one, depth, objects)] for key, one in value.items()]
        return {_TAG: "dict", "of": pairs}
    if kind is list:
        return [one if type(one) is str else _packed(one, depth, objects) for one in value]
    if kind is tuple:
        return {_TAG: "tuple", "of": [_packed(one, depth, objects) for one in value]}
    return _unusual(value, depth, objects)


def _unusual(value: Any, depth: int, objects: bool) -> Any:
    if (found := _of_numpy(value, depth, objects)) is not None:
        return found
    for kind, pack in _PACKERS.items():
        if type(value) is kind:
            return {_TAG: kind.__name__, "of": pack(value)}
    for own in (set, frozenset):
        if isinstance(value, own):
            return {_TAG: own.__name__, "of": [_packed(one, depth, objects) for one in value]}
    if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "value") and hasattr(value, "tz"):
        return {_TAG: "Timestamp", "of": [int(value.value), None if value.tz is None else str(value.tz)]}
    # subclasses: what they are besides stays with their class
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return _packed(int.__add__(value, 0), depth, objects)
    if isinstance(value, float):
        return _packed(float.__add__(value, 0.0), depth, objects)
    if isinstance(value, bytes | bytearray):
        return {_TAG: "bytes", "of": _pack_bytes(bytes(value))}
    if isinstance(value, tuple):
        return _packed(tuple(value), depth + 1, objects)
    if isinstance(value, list):
        return _packed(list(value), depth + 1, objects)
    if isinstance(value, Mapping):
        return _packed(dict(value), depth + 1, objects)
    for kind, pack in _PACKERS.items():
        if isinstance(value, kind):
            return {_TAG: kind.__name__, "of": pack(value)}
    if not objects:
        raise UserError(
            f"an object of the class {type(value).__name__} can't be kept in a document: give texts, numbers, lists, "
            "mappings, dates or arrays"
        )
    return {_TAG: "object", "of": [type(value).__name__[:80], _told(value)]}


def _told(value: Any) -> str:
    try:
        return repr(value)[:_TOLD]
    except Exception:  # an object whose own text fails
        return "?"


def _of_numpy(value: Any, depth: int, objects: bool) -> Any:
    np = sys.modules.get("numpy")
    if np is None:
        return None
    if isinstance(value, np.generic) and value.dtype.kind in _ARRAYS:
        return {_TAG: "number", "of": [value.dtype.str, _pack_bytes(value.tobytes())]}
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in _ARRAYS:
        return {_TAG: "array", "of": [value.dtype.str, list(value.shape), _pack_bytes(value.tobytes())]}
    if value.dtype.kind == "O":
        cells = [_packed(one, depth, objects) for one in value.ravel()]
        return {_TAG: "array", "of": ["O", list(value.shape), cells]}
    return None


def _pack_int(value: int) -> str:
    if value.bit_length() > _BITS:
        raise UserError("a number has more digits than Python writes out")
    return hex(value)


def _int(of: str) -> int:
    if len(of) > _BITS // 4 + 3:
        raise ValueError("a number with more digits than Python writes out")
    return int(of, 16)


def _pack_bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _pack_zone(value: Any) -> list[Any] | None:
    offset = value.utcoffset()
    return None if offset is None else [_pack_delta(offset), value.tzname()]


def _pack_delta(value: datetime.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _pack_datetime(value: datetime.datetime) -> list[Any]:
    parts = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
    return [parts, value.fold, _pack_zone(value)]


def _pack_time(value: datetime.time) -> list[Any]:
    return [[value.hour, value.minute, value.second, value.microsecond], value.fold, _pack_zone(value)]


_PACKERS: dict[type, Callable[[Any], Any]] = {
    bytes: _pack_bytes,
    datetime.datetime: _pack_datetime,
    datetime.date: lambda value: [value.year, value.month, value.day],
    datetime.time: _pack_time,
    datetime.timedelta: _pack_delta,
    Decimal: str,
    Fraction: lambda value: [_pack_int(value.numerator), _pack_int(value.denominator)],
    UUID: lambda value: value.hex,
    complex: lambda value: [repr(value.real), repr(value.imag)],
}


def _unpacked(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if not depth:
        raise ValueError(f"nested deeper than {DEPTH} levels")
    depth -= 1
    if kind is list:
        return [one if type(one) in _SCALARS else _unpacked(one, depth) for one in value]
    if _TAG in value:
        return _untagged(value[_TAG], value["of"], depth)
    return {key: one if type(one) in _SCALARS else _unpacked(one, depth) for key, one in value.items()}


def _untagged(tag: str, of: Any, depth: int) -> Any:
    if tag == "dict":
        return {_unpacked(key, depth): _unpacked(one, depth) for key, one in of}
    if tag in _COLLECTIONS:
        return _COLLECTIONS[tag]([_unpacked(one, depth) for one in of])
    if tag == "array" and of[0] == "O":
        return _objects(of[1], [_unpacked(one, depth) for one in of[2]])
    return _READERS[tag](of)


def _objects(shape: list[int], cells: list[Any]) -> Any:
    import numpy as np

    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made.reshape(_shape(shape))


def _shape(of: list[int]) -> list[int]:
    if any(type(one) is not int or one < 0 for one in of):
        raise ValueError("no shape of an array")
    if 0 in of and math.prod(max(one, 1) for one in of) > _MOST_EMPTY:
        raise ValueError("an array of nothing but places")
    return of


def _array(of: list[Any]) -> Any:
    import numpy as np

    dtype = np.dtype(of[0])
    if dtype.kind not in _ARRAYS:
        raise ValueError("no array of numbers")
    return np.frombuffer(base64.b64decode(of[2]), dtype=dtype).reshape(_shape(of[1])).copy()


def _number(of: list[Any]) -> Any:
    return _array([of[0], [1], of[1]])[0]


def _zone(told: Any) -> datetime.timezone | None:
    if told is None:
        return None
    offset = datetime.timedelta(*told[0])
    return datetime.timezone(offset) if told[1] is None else datetime.timezone(offset, told[1])


def _timestamp(of: list[Any]) -> Any:
    import pandas as pd

    if of[1] is not None and of[1].startswith("dateutil"):  # the rest is taken for the path of a file, which is read
        raise ValueError("no zone by its name")
    return pd.Timestamp(of[0], tz=of[1])


def _decimal(of: str) -> Decimal:
    made = Decimal(of)
    if made.is_finite() and abs(made.adjusted()) > _EXPONENT:
        raise ValueError("a number too large to be written out")
    return made


def _object(of: list[Any]) -> Any:
    name = of[0] if isinstance(of[0], str) and of[0].isidentifier() else "object"
    return type(name, (ForeignObject,), {})(printable(str(of[1])[:_TOLD]))


_COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_READERS: dict[str, Callable[[Any], Any]] = {
    "int": _int,
    "float": lambda of: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[of],
    "bytes": base64.b64decode,
    "datetime": lambda of: datetime.datetime(*of[0]).replace(fold=of[1], tzinfo=_zone(of[2])),
    "date": lambda of: datetime.date(*of),
    "time": lambda of: datetime.time(*of[0]).replace(fold=of[1], tzinfo=_zone(of[2])),
    "timedelta": lambda of: datetime.timedelta(*of),
    "Decimal": _decimal,
    "Fraction": lambda of: Fraction(_int(of[0]), _int(of[1])),
    "UUID": UUID,
    "complex": lambda of: complex(float(of[0]), float(of[1])),
    "array": _array,
    "number": _number,
    "Timestamp": _timestamp,
    "object": _object,
}
