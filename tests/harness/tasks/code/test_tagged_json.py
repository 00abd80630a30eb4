"""Values keep their types on the way to another process and back; what isn't one of ours is refused."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tasks.code.tagged_json import DEPTH, ForeignObject, dumps, loads

ZONES = st.one_of(st.none(), st.integers(-1439, 1439).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m))))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**60), 10**60),
    st.floats(),
    st.text(st.characters()),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.uuids(),
    st.dates(),
    st.timedeltas(),
    st.complex_numbers(allow_nan=False),
    st.datetimes(timezones=ZONES),
    st.times(),
    st.just("!"),
    st.text(st.characters(categories=["Cs"])),
)
KEYS = st.one_of(st.text(max_size=4), st.just("!"), st.integers(), st.none(), st.tuples(st.integers()))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(st.integers(), max_size=3),
        st.frozensets(st.text(max_size=2), max_size=3),
    ),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    told = dumps(value)
    assert b"\n" not in told and same(loads(told), value)


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.1),
        np.float32("nan"),
        np.int8(-3),
        np.bool_(True),
        np.str_("ü"),
        np.datetime64("2020-01-02T03"),
        np.arange(6).reshape(2, 3),
        np.array([1.5, math.nan]),
        np.array(["a", "bc"]),
        np.array([b"x"]),
        np.zeros((0, 3)),
    ],
    ids=repr,
)
def test_numpys_values_come_back_as_they_were(value: Any) -> None:
    made = loads(dumps([value]))[0]
    assert type(made) is type(value) and made.dtype == value.dtype and made.shape == value.shape
    assert made.tobytes() == value.tobytes()


def test_arrays_of_objects_and_of_lists() -> None:
    made = loads(dumps(np.array([{"a": 1}, None, (1, 2)], dtype=object)))
    assert made.tolist() == [{"a": 1}, None, (1, 2)]


class Color(enum.IntEnum):
    RED = 3


class Point(collections.namedtuple("Point", "x y")):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Color.RED, 3),
        (Point(1, 2), (1, 2)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (type("S", (str,), {"__str__": lambda self: "other"})("x"), "x"),
        (type("L", (list,), {})([1]), [1]),
        (bytearray(b"x"), b"x"),
    ],
)
def test_subclasses_come_back_as_what_they_are_besides(value: Any, plain: Any) -> None:
    assert same(loads(dumps(value)), plain)


def test_an_object_is_told_or_refused() -> None:
    with pytest.raises(UserError, match="an object of the class generator"):
        dumps({"x": (n for n in ())})
    made = loads(dumps({"x": len}, objects=True))["x"]
    assert isinstance(made, ForeignObject) and type(made).__name__ == "builtin_function_or_method"
    assert repr(made) == "<built-in function len>"
    with pytest.raises(UserError):
        dumps(made)


def test_too_deep_and_too_long() -> None:
    value: Any = 1
    for _ in range(DEPTH):
        value = [value]
    assert loads(dumps(value)) == value
    with pytest.raises(UserError, match="nested deeper"):
        dumps([value])
    with pytest.raises(ValueError, match="nested"):
        loads(b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1))
    with pytest.raises(UserError, match="digits"):
        dumps(10**5000)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"{",
        b"[" * 100000,
        b'{"!":"nothing","of":1}',
        b'{"!":"int"}',
        b'{"!":"int","of":[1]}',
        b'{"!":["int"],"of":1}',
        b'{"!":"dict","of":[[[],1]]}',
        b'{"!":"dict","of":5}',
        b'{"!":"set","of":[[]]}',
        b'{"!":"array","of":["O8",[1],""]}',
        b'{"!":"array","of":["f8",[1000000000],""]}',
        b'{"!":"array","of":["V8",[1],"AAAAAAAAAAA="]}',
        b'{"!":"array","of":["f8",[10000000000,0],""]}',
        b'{"!":"array","of":["O",[100000,0,100000],[]]}',
        b'{"!":"array","of":["f8",[-1],"AAAAAAAAAAA="]}',
        b'{"!":"Timestamp","of":[0,"dateutil//usr/share/zoneinfo/UTC"]}',
        b'{"!":"number","of":["f8","AA=="]}',
        b'{"!":"Decimal","of":"1e999999999"}',
        b'{"!":"Fraction","of":["zz","1"]}',
        b'{"!":"Fraction","of":["1","0"]}',
        b'{"!":"date","of":[0,0,0]}',
        b'{"!":"timedelta","of":[999999999999,0,0]}',
        b'{"!":"int","of":"' + b"f" * 100000 + b'"}',
        b'{"!":"float","of":"1"}',
        b'{"!":"bytes","of":"\xff"}',
        b"\xff\xfe",
        b'{"!":"datetime","of":[[1],0,null]}',
        b'{"!":"UUID","of":"x"}',
        b"1" * 10000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_what_is_no_value_of_ours_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_refused(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        loads(text)


def test_known_values() -> None:
    assert dumps({"a": (1, b"x"), 2: math.inf}) == (
        b'{"!":"dict","of":[["a",{"!":"tuple","of":[1,{"!":"bytes","of":"eA=="}]}],[2,{"!":"float","of":"inf"}]]}'
    )
    assert (
        loads(b'{"!":"Decimal","of":"2.50"}') == Decimal("2.50")
        and str(loads(b'{"!":"Decimal","of":"2.50"}')) == "2.50"
    )
    assert loads(dumps([Fraction(1, 3), UUID(int=5)])) == [Fraction(1, 3), UUID(int=5)]
