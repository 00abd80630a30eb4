"""A baseline moves by `set_baseline` alone, whole or not at all, and its log says who moved it and why."""

from __future__ import annotations

import ast
import contextlib
import multiprocessing
import os
import shutil
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import harness
from harness import kept_file
from harness.baselines import replacing
from harness.baselines.listing import baseline_log, list_baselines
from harness.baselines.setting import set_baseline
from harness.comparison.compare import compare
from harness.conclusion import report_again
from harness.errors import UserError
from harness.results.baseline import LOG, Baseline, find_baseline
from harness.results.find import find_cells
from harness.results.journal import Journal
from harness.results.record import Status
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST
from tests.harness.gate.gate_runs import Makes, broken
from tests.stored import run as stored

HOME = Path("results/baselines/quickstart")


@pytest.fixture
def make(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Makes:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Makes(builders, tmp_path / "results/runs")


def put(run: Run | str, **options: Any) -> Baseline:
    return set_baseline(run, **{"why": "a test", "by": "me"} | options)


def test_the_log_says_who_moved_it_and_why_and_what_it_was(make: Makes) -> None:
    first, second = make.run("first"), make.run("second", shift=0.1)
    made = put(first, why=" the first ", by="Jane Doe")
    assert (made.folder, made.name) == (HOME, "quickstart")
    (move,) = made.moves
    assert (move.number, move.who, move.why, move.before) == (1, "Jane Doe", "the first", None)
    assert (move.run, move.run_id, move.commit, move.dirty) == ("first", "first", "first0000000000000", False)
    assert (move.suite, move.suite_hash) == ("quickstart", "0123456789abcdef")
    made = put("second", why="int8 is in")
    assert [move.number for move in made.moves] == [1, 2]
    before = made.moves[1].before
    assert before is not None and (before.run, before.commit) == ("first", "first0000000000000")
    assert find_cells("baseline:quickstart", make.folder).manifest.id == second.manifest.id
    assert made.log_damage == [] and made.why_not is None and not made.run.damage
    assert sorted(path.name for path in HOME.parent.iterdir()) == ["quickstart"], "nothing is left beside it"
    frame, log = list_baselines(), baseline_log("quickstart")
    assert frame.loc[0, ["baseline", "run", "why", "moves", "problem"]].tolist() == [
        *("quickstart", "second", "int8 is in", 2, "")
    ]
    assert log[["run", "before", "who"]].values.tolist() == [["first", None, "Jane Doe"], ["second", "first", "me"]]


def test_git_says_who(make: Makes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Jane Doe\n\temail = jane@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert put(make.run("one"), by=None).moves[0].who == "Jane Doe <jane@example.org>"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOGNAME", "jane")
    assert put(make.run("two"), by=None).moves[1].who == "jane"


def test_python_lends_it(make: Makes) -> None:
    make.run("one")
    assert harness.set_baseline("one", why="first", name="ci").name == "ci"
    assert harness.open_run("baseline:ci").manifest.run == "one"
    assert harness.list_baselines()["baseline"].tolist() == ["ci"] and len(harness.baseline_log("ci")) == 1


def failed(make: Makes, name: str) -> Run:
    cells = make.cells(make.folder / name)
    return make.run(name, cells=[broken(cells[0], Status.FAILED, "no kernel"), *cells[1:]])


def damaged(make: Makes, name: str) -> Run:
    run = make.run(name)
    lines = (run.folder / CELLS).read_bytes().splitlines(keepends=True)
    (run.folder / CELLS).write_bytes(b"".join([lines[0].replace(b"nano", b"Nano"), *lines[1:]]))
    return Run(run.folder)


@pytest.mark.parametrize(
    ("run", "told", "allowed"),
    [
        (lambda make: failed(make, "x"), "1 of 6 cells of this run failed, the first: nano perplexity: no kernel", 1),
        (lambda make: make.run("x", status="interrupted"), "this run is interrupted, not finished", 1),
        (lambda make: make.run("x", status="running"), "this run is running, not finished", 1),
        (
            lambda make: make.run("x", git={"commit": "abc", "dirty": True}),
            "changes that are in no commit .after abc",
            1,
        ),
        (lambda make: make.run("x", suite="other"), "is of the suite quickstart, and this run of other", 1),
        (lambda make: damaged(make, "x"), "this run is damaged and makes no baseline .*this line is damaged", 0),
        (lambda make: make.run("x", cells=[]), "there is no cell in this run", 0),
        (lambda make: Run(HOME), "this is a baseline, not a run; name the run", 0),
        (lambda make: Run(make.folder / "first"), r"is this run already \(me set it on .*: a test\)", 0),
        (lambda make: Run(make.folder / "gone"), "not a run folder", 0),
    ],
)
def test_what_makes_no_baseline(make: Makes, run: Callable[[Makes], Run], told: str, allowed: int) -> None:
    put(make.run("first"))
    before = {path: path.read_bytes() for path in HOME.rglob("*") if path.is_file()}
    other = run(make)
    with pytest.raises(UserError, match=told):
        put(other, name="quickstart")
    assert {path: path.read_bytes() for path in HOME.rglob("*") if path.is_file()} == before
    if allowed:
        made = put(other, name="quickstart", incomplete=True, dirty=True, another_suite=True)
        assert len(made.moves) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"why": "  "}, "why: needs the reason"),
        ({"by": " "}, "by: needs a name"),
        ({"name": "latest"}, "name: `latest` is the latest run"),
        ({"name": "../x"}, r"name: a baseline's name has letters.*this is '../x'"),
        ({"name": ""}, "name: a baseline's name has"),
    ],
)
def test_what_is_typed_wrong(make: Makes, options: dict[str, Any], told: str) -> None:
    run = make.run("one")
    with pytest.raises(UserError, match=told):
        put(run, **options)
    assert not HOME.parent.exists() or not list(HOME.parent.iterdir())


def test_a_folder_that_can_not_be_written_to_is_told(make: Makes) -> None:
    run = make.run("one")
    HOME.parent.write_text("a file")
    with pytest.raises(UserError, match=r"results/baselines: can't be written to .*choose another --dir"):
        put(run)


def test_nothing_else_writes_into_it(make: Makes) -> None:
    suite = "name: quickstart\nmodels: {tiny: {reference: nano, train: {corpus: microworld, tokens: 1000}}}\n"
    put(make.run("one", suite_text=suite + "measures: [{memory: {context: 8}}]\n"))
    for write in (
        lambda: report_again(find_cells("baseline:quickstart", make.folder)),
        lambda: Journal.start(HOME / "run", Run(HOME).manifest),
        lambda: Journal(HOME),
    ):
        with pytest.raises(UserError, match="this is a baseline, which only `harness baseline set` moves"):
            write()


def test_no_other_code_moves_one() -> None:
    """Who can write: the module that sets, and it is called by the command and by nobody else."""
    folder = Path(harness.__file__).parent
    named = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if any(name in (text := path.read_text(encoding="utf-8")) for name in ("set_baseline", "replace_folder"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name | ast.alias | ast.Attribute) and _name(node) in ("set_baseline", "replace_folder")
    }
    assert named == {"__init__.py", "baselines/setting.py", "cli/baseline.py"}


def _name(node: ast.Name | ast.alias | ast.Attribute) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else node.name


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("after", range(4))
def test_a_kill_leaves_the_old_one_or_the_new_one(
    make: Makes, monkeypatch: pytest.MonkeyPatch, can_exchange: bool, after: int
) -> None:
    """A process that is killed before the first, second, third or fourth step that changes what others see."""
    first, second = make.run("first"), make.run("second", shift=0.1)
    put(first)
    if not can_exchange:
        monkeypatch.setattr(replacing, "_exchanged", lambda a, b: False)
    steps: list[str] = []

    def killed(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if len(steps) == after:
                raise KeyboardInterrupt  # nothing of the code may run after it
            steps.append(name)
            return real(*arguments, **named)

        return step

    monkeypatch.setattr(Path, "rename", killed("rename", Path.rename))
    monkeypatch.setattr(replacing, "_exchanged", killed("exchange", replacing._exchanged))
    monkeypatch.setattr(shutil, "rmtree", killed("rmtree", shutil.rmtree))
    with contextlib.suppress(KeyboardInterrupt):
        put(second)
    monkeypatch.undo()
    monkeypatch.chdir(make.folder.parents[1])
    monkeypatch.setenv("HARNESS_CACHE", str(make.folder.parents[1] / "cache"))
    found = find_cells("baseline:quickstart", make.folder)
    assert found.manifest.run in ("first", "second") and not found.damage
    assert find_baseline("quickstart").moves[-1].run == found.manifest.run
    if found.manifest.run == "first":
        put(second)
    assert [move.run for move in find_baseline("quickstart").moves] == ["first", "second"]


def _set_in_a_process(name: str, ready: Any) -> None:
    ready.wait()
    set_baseline(name, why=f"{name} was set", by="me")


def test_two_at_once_one_wins_and_the_log_tells_both(make: Makes) -> None:
    for name in ("first", "a", "b", "c"):
        make.run(name)
    put("first")
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    processes = [context.Process(target=_set_in_a_process, args=(name, ready)) for name in "abc"]
    for process in processes:
        process.start()
    ready.set()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    made = find_baseline("quickstart")
    assert [move.number for move in made.moves] == [1, 2, 3, 4]
    assert {move.run for move in made.moves} == {"first", "a", "b", "c"}
    assert made.run.manifest.run == made.moves[-1].run and made.why_not is None
    assert [move.before.run for move in made.moves[1:] if move.before] == [move.run for move in made.moves[:-1]]


def test_a_real_kill(make: Makes) -> None:
    """SIGKILL at many moments: each leaves a whole baseline."""
    put(make.run("first"))
    make.run("second", shift=0.1)
    context = multiprocessing.get_context("fork")
    for delay in (0.0, 0.02, 0.05, 0.08, 0.1, 0.12):
        ready = context.Event()
        process = context.Process(target=_set_in_a_process, args=("second", ready))
        process.start()
        ready.set()
        process.join(delay)
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = find_cells("baseline:quickstart", make.folder)
        assert found.manifest.run in ("first", "second") and not found.damage
        if found.manifest.run == "second":
            break


def test_a_damaged_baseline_is_repaired_by_setting_it(make: Makes) -> None:
    make.run("second")
    put(make.run("first"))
    lines = (HOME / LOG).read_bytes()
    (HOME / LOG).write_bytes(lines[:-30])
    (HOME / CELLS).write_bytes(b"")
    made = put("first")
    assert made.why_not is None and made.log_damage == []
    (move,) = made.moves
    assert move.number == 1 and move.before is not None and move.before.run == "first"
    assert "log.jsonl:1: this line is damaged" in move.damage[0] and "cut short" in move.damage[1]
    assert [one.number for one in put("second").moves] == [1, 2]


def test_a_log_of_a_later_version_is_not_gone_on_with(make: Makes) -> None:
    put(make.run("first"))
    kept_file.write_lines(HOME / LOG, ['{"schema_version": 99}'], LOG)
    with pytest.raises(UserError, match=r"log.jsonl:1: written by a later version of harness"):
        put(make.run("second"))


@pytest.mark.parametrize("version", [1, 2])
def test_a_run_of_an_earlier_version_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with tarfile.open(Path(stored.__file__).with_name(f"run-{version}.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    run = Run(tmp_path / "every")
    made = put(run, incomplete=True, dirty=True)
    assert made.run.manifest.schema_version == 2 and not made.run.unchecked and not made.run.damage
    assert made.why_not is None
    without = ["run", "schema_version"]
    pd.testing.assert_frame_equal(made.run.records.drop(columns=without), run.records.drop(columns=without))
    pd.testing.assert_frame_equal(compare(made.run, run), compare(run, run))


def test_the_manifest_is_damaged(make: Makes) -> None:
    put(make.run("first"))
    (HOME / MANIFEST).write_text("{}")
    with pytest.raises(UserError, match="the manifest is corrupted"):
        find_cells("baseline:quickstart", make.folder)
    assert "the manifest is corrupted" in list_baselines().loc[0, "problem"]
    assert "the manifest is corrupted" in put(make.run("second")).moves[-1].damage[0]
