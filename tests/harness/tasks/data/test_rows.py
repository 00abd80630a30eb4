"""The stand-in for `datasets.Dataset`: what helper code relies on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.data.rows import Rows, concatenated


def three() -> Rows:
    return Rows([{"n": 1, "c": ["a", "b"]}, {"n": 2, "c": ["c"]}, {"n": 3, "c": []}])


def test_a_row_that_is_read_is_a_copy() -> None:
    rows = three()
    for row in rows:
        row["c"].append("changed")
    rows[0]["c"].clear()
    rows["c"][0].clear()
    rows.map(lambda row: row["c"].clear())
    rows.filter(lambda row: row["c"].append("changed"))
    assert rows.plain == three().plain


def test_map_puts_what_is_returned_over_the_row() -> None:
    rows = three().map(lambda row: {"n": row["n"] + 1, "new": (1, np.int64(2), np.array([3.0]))}, remove_columns=["c"])
    assert rows[0] == {"n": 2, "new": [1, 2, [3.0]]}
    assert type(rows[0]["new"][1]) is int
    assert three().map(lambda row, index: {"n": index}, with_indices=True)["n"] == [0, 1, 2]
    assert three().map(lambda n, by: {"n": n * by}, input_columns="n", fn_kwargs={"by": 2})["n"] == [2, 4, 6]
    assert three().map(lambda row: None).plain == three().plain


@given(st.lists(st.integers()), st.integers(1, 4))
def test_batched_map_may_change_the_number_of_rows(values: list[int], size: int) -> None:
    def twice(columns: dict[str, list[int]]) -> dict[str, list[int]]:
        return {"v": [value for value in columns["v"] for _ in range(2)]}

    rows = Rows([{"v": value} for value in values])
    mapped = rows.map(twice, batched=True, batch_size=size)
    assert [row["v"] for row in mapped] == [value for value in values for _ in range(2)]


def test_filter_select_sort_and_columns() -> None:
    rows = three()
    assert rows.filter(lambda row: row["n"] > 1)["n"] == [2, 3]
    assert rows.filter(lambda row, index: index == 0, with_indices=True)["n"] == [1]
    assert rows.select([2, 0])["n"] == [3, 1]
    assert Rows([{"n": None}, {"n": 2}, {"n": 1}]).sort("n")["n"] == [1, 2, None]
    assert rows.sort("n", reverse=True)["n"] == [3, 2, 1]
    assert rows.column_names == list(rows.features) == ["n", "c"]
    assert rows[:2] == {"n": [1, 2], "c": [["a", "b"], ["c"]]}
    assert rows[-1]["n"] == 3 and len(rows) == rows.num_rows == 3
    assert rows.remove_columns("c").column_names == ["n"] == rows.select_columns("n").column_names
    assert rows.rename_column("n", "m")["m"] == [1, 2, 3]
    assert rows.add_column("m", [4, 5, 6])["m"] == [4, 5, 6]
    assert rows.unique("n") == [1, 2, 3]
    assert concatenated([rows, rows.take(1)])["n"] == [1, 2, 3, 1]
    with pytest.raises(KeyError, match="there is no column 'x'"):
        rows["x"]


def test_other_ways_to_make_them() -> None:
    assert Rows.from_dict({"a": [1, 2], "b": ["x", "y"]}).plain == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert Rows.from_generator(lambda: iter([{"a": 1}])).plain == [{"a": 1}]
    assert Rows.from_pandas(three().to_pandas())["n"] == [1, 2, 3]
    with pytest.raises(ValueError, match="different lengths"):
        Rows.from_dict({"a": [1], "b": []})


def test_shuffles_are_those_of_the_original() -> None:
    """Indices that datasets 4.x gives for `Dataset.shuffle(seed=42)` of ten rows: numpy's default generator."""
    rows = Rows([{"n": n} for n in range(10)])
    assert rows.shuffle(seed=42)["n"] == list(np.random.default_rng(42).permutation(10))
    parts = rows.train_test_split(test_size=0.25, seed=42)
    assert sorted(parts["train"]["n"] + parts["test"]["n"]) == list(range(10)) and len(parts["test"]) == 3
