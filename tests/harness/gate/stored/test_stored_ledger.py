"""The ledger of stored runs of identical code: what is kept, and which of it tells of two runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness.evidence.selection import Point
from harness.gate.stored.stored_ledger import A_DAY, StoredPair, alike, entries, keep, pair_of, seconds_apart
from harness.results.run import Run
from tests.harness.gate.gate_runs import Makes


def pair(number: int = 0, **more: object) -> StoredPair:
    made = StoredPair(
        time="2026-01-01T00:00:00+00:00",
        machine="class",
        definition="d",
        metric="tpot@1",
        difference=0.01 * number,
        base=f"a{number}",
        head=f"b{number}",
        apart=600.0,
        launches=5,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    assert entries("class", tmp_path) == []
    kept = [pair(1), pair(2, metric="ttft@1"), pair(3, machine="other")]
    assert keep(kept, tmp_path) == 3
    assert entries("class", tmp_path) == kept[:2] and entries("other", tmp_path) == kept[2:]


def test_a_run_is_in_one_pair_of_a_metric_alone(tmp_path: Path) -> None:
    """Known bad: three runs make three pairs, of which one is made of the other two."""
    first = pair(base="x", head="y")
    assert keep([first, pair(base="y", head="z"), pair(base="z", head="x"), first], tmp_path) == 1
    assert keep([pair(base="y", head="z", metric="ttft@1"), pair(base="z", head="w")], tmp_path) == 2
    assert len(entries("class", tmp_path)) == 3


def test_a_damaged_line_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep([pair(1), pair(2), pair(3)], tmp_path)
    path = tmp_path / "class.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("0.02", "0.9"), lines[2][:40]]))
    assert entries("class", tmp_path) == [pair(1)]
    assert caplog.text.count("this line is left out") == 2


def test_a_cache_that_can_not_be_had_keeps_nothing_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    assert entries("class") == [] and keep([pair()]) == 0
    assert "could not be kept" in caplog.text


@pytest.fixture
def points(builders: ModuleType, tmp_path: Path) -> tuple[Point, Point]:
    make = Makes(builders, tmp_path)
    runs = make.run("base"), make.run("head", started="2026-11-24T04:10:00+00:00")
    return point(runs[0]), point(runs[1])


def point(run: Run) -> Point:
    cell = run.cells[4]
    return Point(run, cell, next(one for one in cell.records if one.metric == "tpot"))


def test_only_pairs_like_these_two_tell_of_them(points: tuple[Point, Point]) -> None:
    assert seconds_apart(points[0].run, points[1].run) == 600
    like = pair_of(*points, 0.01)
    other = {"base": "p", "head": "q"}
    assert alike(*points, [replace(like, **other)]) == [0.01]
    assert alike(*points, [replace(like, **other, apart=A_DAY, launches=3)]) == [0.01], "noisier, if anything"
    for changed in (
        {"apart": 300.0},  # two runs that are closer differ less
        {"launches": 9},
        {"metric": "ttft@1"},
        {"definition": "of another cell"},
    ):
        assert alike(*points, [replace(like, **{**other, **changed})]) == []  # type: ignore[arg-type]
    for shared in ({"base": "base"}, {"head": "base"}, {"base": "head"}):
        assert alike(*points, [replace(like, **{**other, **shared})]) == [], "a run is not compared with itself"


def test_a_week_is_a_day(builders: ModuleType, tmp_path: Path) -> None:
    make = Makes(builders, tmp_path)
    week = point(make.run("base")), point(make.run("head", started="2026-12-01T04:00:00+00:00"))
    like = pair_of(*week, 0.01)
    assert alike(*week, [replace(like, base="p", head="q", apart=A_DAY)]) == [0.01]
    assert alike(*week, [replace(like, base="p", head="q", apart=A_DAY - 1)]) == []
    assert seconds_apart(make.run("odd", started="once upon a time"), week[1].run) == A_DAY
