"""Series: what is one line, where it breaks, what counts, and where it steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UserError
from harness.history.folder import read_history
from harness.history.printed import step_words
from harness.history.series import Found, Series, series
from harness.history.series_json import as_json
from harness.history.trend_chart import trend_values
from tests.harness.history.generated import MACHINE, commit_name, row, straight, write

NOISE = np.random.default_rng(5).normal(0, 0.01, 200)


def of(folder: Path, metric: str = "decode_rate", where: dict[str, Any] | None = None, **more: Any) -> Found:
    return series(read_history(folder), metric, where, folder=folder, **more)


def the_one(folder: Path, *words: Any, **more: Any) -> Series:
    (found,) = of(folder, *words, **more).series
    return found


def test_a_planted_step_is_found_at_its_commit(tmp_path: Path) -> None:
    found = the_one(
        straight(tmp_path, 60, lambda number: (1.2 if number >= 40 else 1.0) * float(np.exp(NOISE[number])))
    )
    (step,) = found.steps
    assert step.key == commit_name(40) and step.before == pytest.approx(1, abs=0.02) and step.after > 1.15
    assert [point.commit for point in found.points] == [commit_name(number) for number in range(60)]
    assert found.breaks == () and found.apart == () and found.machine_class == MACHINE


def test_noise_has_no_step(tmp_path: Path) -> None:
    assert the_one(straight(tmp_path, 60, lambda number: float(np.exp(NOISE[number])))).steps == ()


def test_absolute_times_never_have_steps(tmp_path: Path) -> None:
    def slower(number: int) -> float:
        return 2.0 if number >= 20 else 1.0

    absolute = {"kind": "value", "unit": "tokens/s", "pinned": None}
    found = the_one(straight(tmp_path / "time", 40, slower, **absolute))
    assert found.is_absolute_time and found.steps == ()
    found = the_one(straight(tmp_path / "quality", 40, slower, **absolute | {"depends_on": None}))
    assert len(found.steps) == 1 and found.machine_class is None


BREAKS = [
    ({"unit": "s"}, "unit (s, before ratio)"),
    ({"metric_version": 2}, "version of the metric (2, before 1)"),
    ({"definition": "another"}, "definition of the metric"),
    ({"pinned": "a" * 40}, "pinned commit (aaaaaaaaaa, before ffffffffff)"),
    ({"model_entry": "a"}, "what the suite says of the model"),
    ({"reads": "b"}, "texts or tasks that are read, or how"),
    ({"cell": "d", "where": '{"precision": "int8"}'}, "definition of the cell (precision int8, before int4)"),
]


@pytest.mark.parametrize(("change", "why"), BREAKS)
def test_a_change_of_what_numbers_mean_is_a_break_and_no_step(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    def facts(number: int) -> dict[str, Any]:
        return {"reads": "a", **(change if number >= 20 else {}), "value": 3.0 if number >= 20 else 1.0}

    found = the_one(write(tmp_path, [[row(number, **facts(number))] for number in range(40)]))
    (broken,) = found.breaks
    assert broken.key == commit_name(20) and broken.why == why
    assert found.steps == () and len(found.points) == 40


def test_values_behind_a_break_keep_their_unit(tmp_path: Path) -> None:
    def facts(number: int) -> dict[str, Any]:
        value = (1.5 if number < 20 else 2.0) if number < 40 else 2000.0
        return {"unit": "s" if number < 40 else "ms", "value": value, "low": value, "high": value, "kind": "value"}

    runs = [[row(number, depends_on="memory", **facts(number))] for number in range(60)]
    found = of(write(tmp_path, runs))
    (one,) = found.series
    assert (one.unit, one.unit_of_all, one.points[0].unit, one.points[-1].unit) == ("ms", None, "s", "ms")
    assert step_words(one, one.steps[0]).startswith(f"step at {commit_name(20)[:10]}: 1.500 s to 2 s (+33.3 %)")
    assert {(row["unit"], row["value"]) for row in trend_values(one)} == {("", 1.5), ("", 2.0), ("", 2000.0)}
    assert {row["told"] for row in trend_values(one)} == {"1.500 s", "2 s"}
    assert set(one.table["unit"]) == {"s", "ms"}
    assert [point["unit"] for point in as_json(found)["series"][0]["points"]] == ["s"] * 40 + ["ms"] * 20


def test_two_cells_of_one_run_are_two_lines(tmp_path: Path) -> None:
    cells = ({"cell": "a", "where": '{"batch": 1}'}, {"cell": "b", "where": '{"batch": 8}'})
    folder = write(tmp_path, [[row(number, **cell) for cell in cells] for number in range(3)])
    assert [one.at["batch"] for one in of(folder).series] == [1, 8]
    assert the_one(folder, "decode_rate", {"batch": 8}).at["batch"] == 8
    with pytest.raises(UserError, match="no cell has batch = 4; there are: 1, 8"):
        of(folder, "decode_rate", {"batch": 4})
    with pytest.raises(UserError, match="no metric 'decode_rat' in this history; did you mean 'decode_rate'"):
        of(folder, "decode_rat")
    assert len(of(folder, "decode_rate@1").series) == 2
    for wrong in ("decode_rate@2", "decode_rate@x"):
        with pytest.raises(UserError, match="no metric"):
            of(folder, wrong)


def test_a_call_that_replaces_another_is_no_break_of_it(tmp_path: Path) -> None:
    calls = [
        {"cell": name, "where": f'{{"call": "{name}"}}', "model": None, "measure": None} for name in ("old", "new")
    ]
    folder = write(tmp_path, [[row(number, **calls[number >= 3])] for number in range(6)])
    assert [(one.at["call"], len(one.points), one.breaks) for one in of(folder).series] == [
        ("old", 3, ()),
        ("new", 3, ()),
    ]


def test_two_suites_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    both = ({"suite_hash": "1" * 64, "model_entry": "x"}, {"suite_hash": "2" * 64, "model_entry": "y"})
    runs = [
        [row(number, **both[number % 2]), row(number, **both[number % 2], model=f"m{number % 2}", cell="z")]
        for number in range(8)
    ]
    found = of(write(tmp_path, runs), where={"model": "micro"})
    assert [len(one.points) for one in found.series] == [4, 4] and all(one.breaks == () for one in found.series)
    assert any(note.startswith("two suites are called 'ci' (11111111 with") for note in found.notes)


def test_an_edit_of_the_suite_that_changes_nothing_of_a_cell_is_no_break(tmp_path: Path) -> None:
    folder = write(tmp_path, [[row(number, suite_hash=str(number >= 3) * 8)] for number in range(6)])
    found = the_one(folder)
    assert found.breaks == ()
    assert found.edits == (f"the suite was edited at {commit_name(3)[:10]}, which changed nothing of this cell",)
    assert not any("two suites" in note for note in of(folder).notes)


def test_what_nobody_knew_then_is_no_break(tmp_path: Path) -> None:
    folder = write(tmp_path, [[row(number, reads="r" if number > 2 else None)] for number in range(6)])
    assert the_one(folder).breaks == ()


def test_dirty_runs_are_shown_and_do_not_count(tmp_path: Path) -> None:
    def rows(number: int) -> list[Any]:
        changed = row(number, dirty=True, value=9.0, run_id=f"dirty-{number}")
        return [row(number, value=float(np.exp(NOISE[number]))), *([changed] if number >= 25 else [])]

    found = the_one(write(tmp_path, [[one] for number in range(50) for one in rows(number)]))
    assert sum(point.dirty for point in found.points) == 25 and found.steps == ()
    assert found.points[-1].marks == ("with changes",) and not found.points[-1].counts


def test_several_runs_of_a_commit_are_one_point(tmp_path: Path) -> None:
    runs = [[row(0, value=value, run_id=f"r{value}", sequence=place)] for place, value in enumerate((3.0, 1.0, 2.5))]
    (point,) = the_one(write(tmp_path, runs)).points
    assert (point.value, point.low, point.high) == (2.5, 1.0, 3.0) and point.marks == ("3 runs",)
    assert [one.value for one in point.values] == [3.0, 1.0, 2.5]


def test_a_cell_that_failed_is_a_gap_with_its_reason(tmp_path: Path) -> None:
    value = {"kind": "value", "unit": "bits/byte", "depends_on": None, "pinned": None}
    failed = {"metric": None, "value": None, "status": "failed", "reason": "it broke", "unit": None, "definition": None}
    runs = [[row(number, **value | (failed if number == 1 else {}))] for number in range(3)]
    found = the_one(write(tmp_path, runs))
    assert [point.value for point in found.points] == [1.0, None, 1.0] and found.breaks == ()
    assert found.points[1].marks == ("failed: it broke",)


def test_machines_are_apart_where_they_count(tmp_path: Path) -> None:
    machines = ("a" * 12, "b" * 12)
    folder = write(tmp_path / "time", [[row(number, machine_class=machines[number % 2])] for number in range(6)])
    assert [one.machine_class for one in of(folder).series] == list(machines)
    assert the_one(folder, machine="b").machine_class == machines[1]
    with pytest.raises(UserError, match="no machine class 'c' here"):
        of(folder, machine="c")
    runs = [[row(number, machine_class=machines[number % 2], depends_on=None, kind="value")] for number in range(6)]
    assert len(the_one(write(tmp_path / "quality", runs)).points) == 6


def test_the_table_has_a_row_for_each_value(tmp_path: Path) -> None:
    runs = [[row(number, unit="s" if number else "ms")] for number in range(3)]
    table = the_one(write(tmp_path, [*runs, [row(9, branch="try", parents=(), unit="s")]])).table
    assert len(table) == 4 and list(table["break"].notna()) == [False, True, False, False]
    assert table["apart"].iloc[-1] == "of the branch try" and table["at_precision"].eq("int4").all()
