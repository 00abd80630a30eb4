"""Values between two processes: what is written is what is read, and a table of anybody's is read or refused."""

import datetime
import json
import math
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.programs import changes
from harness.tasks.programs.subclasses import plain_base
from harness.tasks.programs.values import Malformed, Reader, Writer

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary()
    | st.fractions() | st.dates() | st.datetimes() | st.timedeltas() | st.times()
)  # fmt: skip
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=3) | st.sets(HASHABLE, max_size=3)
        | st.tuples(inner) | st.builds(deque, st.lists(inner, max_size=3))
        | st.builds(bytearray, st.binary()) | st.builds(OrderedDict, st.dictionaries(HASHABLE, inner, max_size=3))
    ),
    max_leaves=12,
)  # fmt: skip


def through(value: Any) -> Any:
    """The value, written as text and read again."""
    writer = Writer(unwritten, {})
    root = writer.write(value)
    nodes, root = json.loads(json.dumps([writer.nodes, root]))
    return reading(nodes, root)


def unwritten(value: Any, writer: Any) -> Any:
    raise AssertionError(f"not plain: {value!r}")


def reading(nodes: Any, root: Any) -> Any:
    reader = Reader(nodes, unread, lambda index: unread([], None))
    reader.read()
    return reader.value(root)


def unread(node: Any, read: Any) -> Any:
    raise Malformed("nobody's")


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types, NaN too; the order of a set may differ."""
    if type(one) is not type(other):
        return False
    return one == other if isinstance(one, int) else sorted(repr(one)) == sorted(repr(other))


def repr_or_size(value: Any) -> str:
    return f"{value.bit_length()} bits" if isinstance(value, int) else type(value).__name__


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert same(through(value), value)


@pytest.mark.parametrize(
    "value",
    [1 << 30000, -(1 << 30000), -0.0, "\ud800", Decimal("1e400"), Fraction(1, 3), range(3), slice(None, 3), ...,
     NotImplemented, deque([1, 2], 2), Counter("aab"), datetime.time(1, 2, 3), [[]] * 3, (((),),), {(1, (2,)): {3}}],
    ids=repr_or_size,
)  # fmt: skip
def test_edges(value: Any) -> None:
    assert same(through(value), value)


def test_shape_is_kept() -> None:
    inner: list[Any] = [1]
    ring: list[Any] = [inner, inner, (inner,)]
    ring.append(ring)
    read = through(ring)
    assert read[0] is read[1] is read[2][0] and read[3] is read
    assert through({1: 2}.keys()) == {1} and list(through({1: 2}.items())) == [(1, 2)]


def test_depth_is_no_matter() -> None:
    deep: Any = []
    for _ in range(50_000):
        deep = [deep] if len(deep) % 2 else (deep,)
    read, depth = through(deep), 0
    while read:
        read, depth = read[0], depth + 1
    assert depth == 50_000


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.zeros((0, 3)), np.array(1.5), np.array(["a", "ü"]), np.array([True]),
     np.float32(2.5), np.array([1 + 2j]), np.array(["2020-01-01"], dtype="M8[D]"), np.arange(6)[::2],
     np.array([1, "a", None], dtype=object)],
)  # fmt: skip
def test_arrays(array: Any) -> None:
    read = through(array)
    assert type(read) is type(array) and read.dtype == array.dtype and read.shape == array.shape
    assert read.tolist() == array.tolist()


def test_a_subclass_is_read_past_its_own_methods() -> None:
    class Text(str):
        def __getitem__(self, key: Any) -> str:
            return "forged"

        def __str__(self) -> str:
            return "forged"

    class Number(float):
        def __float__(self) -> float:
            return 9.0

        def __pos__(self) -> float:
            return 9.0

    class Endless(list[int]):
        def __iter__(self) -> Any:
            while True:
                yield 1

    class Table(dict[str, int]):
        def keys(self) -> Any:
            return ["x"]

    assert plain_base(Text("abc")) == "abc" and type(plain_base(Text("a"))) is str
    assert plain_base(Number(1.5)) == 1.5 and math.isnan(plain_base(Number("nan")))
    assert plain_base(Endless([1, 2])) == [1, 2] and plain_base(Table(a=1)) == {"a": 1}
    assert plain_base(object()) is NotImplemented


def test_changes_are_seen_and_made() -> None:
    for before, after in [
        ([1, 2], [2]), ({"a": 1}, {"b": 2, "a": 1}), ({1}, {2, 3}), (bytearray(b"a"), bytearray(b"bc")),
        (deque([1]), deque([2, 3])), (np.array([1, 2]), np.array([3, 4])), ([(1,)], [(1,)]),
    ]:  # fmt: skip
        mine, theirs = before.copy(), before.copy()  # type: ignore[attr-defined]
        assert changes.is_mutable(mine)
        was = changes.snapshot(theirs)
        assert changes.snapshot(theirs) == was
        changes.refill(theirs, changes.content(after))
        changes.refill(mine, changes.content(theirs))
        assert list(mine) == list(after) and type(mine) is type(before)
    assert not changes.is_mutable((1,)) and not changes.is_mutable("a")


_WORDS = st.sampled_from(
    ["list", "dict", "tuple", "set", "frozenset", "int", "bytes", "range", "Decimal", "date", "view", "keys", "array",
     "objects", "scalar", "<f8", "O", "same", "singleton", "...", "known", "deque", "defaultdict", "", "zz"]
)  # fmt: skip
_JUNK = st.recursive(
    _WORDS | st.integers(-3, 8) | st.none() | st.floats(), lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@given(st.lists(st.builds(lambda tag, rest: [tag, *rest], _WORDS, st.lists(_JUNK, max_size=4)), max_size=6), _JUNK)
def test_a_table_of_anybodys_is_read_or_refused(nodes: Any, root: Any) -> None:
    reader = Reader(nodes, unread, lambda index: unread([], None))
    try:
        reader.read()
        reader.value(root)
    except (Malformed, ValueError, TypeError, IndexError):
        pass


@pytest.mark.parametrize(
    "nodes",
    [[["tuple", [[0]]]], [["tuple", [[1]]], ["tuple", [[0]]]], [["list", [[7]]]], [["frozenset", [[1]]], ["list", []]],
     [[]], [None], ["list"], [["array", "O", [1], ""]], [["array", "<f8", [9], "AAAA"]], [["int", "x"]],
     [["nobody", 1]]],
)  # fmt: skip
def test_what_no_peer_writes_is_refused(nodes: Any) -> None:
    with pytest.raises(Malformed):
        reading(nodes, [0])
