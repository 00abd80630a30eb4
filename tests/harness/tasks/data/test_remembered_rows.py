"""When `datasets` takes two calls of `map` for the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.tasks.code.modules import Modules
from harness.tasks.config import Function
from harness.tasks.data.remembered_rows import RememberedRows, call_key
from harness.tasks.data.rows import Rows


def helper(folder: Path, code: str) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "u.py").write_text(code)
    modules = Modules(True)
    return lambda name: modules.load(Function(file=folder / "u.py", name=name), "process_docs")


CODE = """
import random, re
kept, other, rng, pattern = {"n": 0}, {"n": 0}, random.Random(1), re.compile("a")
def uses_kept(row): return {"x": kept["n"]}
def inner(row):
    def f(row): return {"x": kept["n"]}
    return f
def through(row): return uses_kept(row)
def draws(row): return {"x": rng.random()}
def again(row): return again(row) if pattern else None
def move(): kept["n"] += 1
def move_other(): other["n"] += 1
def move_generator(): rng.random()
"""


@pytest.mark.parametrize(
    ("asked", "moved", "same"),
    [
        ("uses_kept", "move", False),
        ("uses_kept", "move_other", True),
        ("through", "move", False),
        ("draws", "move_generator", False),
        ("draws", "move", True),
        ("again", "move", True),
    ],
)
def test_a_function_is_what_it_refers_to(tmp_path: Path, asked: str, moved: str, same: bool) -> None:
    load = helper(tmp_path / "lm_eval/tasks/t", CODE)
    before = call_key("rows", "map", (load(asked),), {})
    load(moved)()
    assert before is not None and (call_key("rows", "map", (load(asked),), {}) == before) is same


def test_a_function_at_the_top_of_a_file_outside_lm_evals_folder_is_its_name(tmp_path: Path) -> None:
    load = helper(tmp_path / "mine", CODE)
    before, inside = call_key("", "map", (load("uses_kept"),), {}), call_key("", "map", (load("inner")(0),), {})
    load("move")()
    assert call_key("", "map", (load("uses_kept"),), {}) == before
    assert call_key("", "map", (load("inner")(0),), {}) != inside


def test_other_rows_methods_and_arguments_are_other_calls(tmp_path: Path) -> None:
    f = helper(tmp_path, CODE)("uses_kept")
    keys = [
        call_key(*call)
        for call in (
            ("a", "map", (f,), {}),
            ("b", "map", (f,), {}),
            ("a", "filter", (f,), {}),
            ("a", "map", (f,), {"batched": True}),
        )
    ]
    assert len(set(keys)) == 4


def test_a_call_that_cannot_be_written_down_is_never_the_same() -> None:
    assert call_key("a", "map", (lambda row: row, (x for x in ())), {}) is None


def test_rows_that_a_helper_makes_come_from_nowhere() -> None:
    calls = []

    def count(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(row)
        return {}

    rows = RememberedRows.of(Rows([{"x": 1}]), {}, "split")
    made = type(rows).from_list([{"x": 1}])
    made.map(count), made.map(count)
    assert len(calls) == 2 and rows.select([0]).plain == [{"x": 1}]
