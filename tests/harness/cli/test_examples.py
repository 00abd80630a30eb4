"""The examples of help run, and not only parse: those that are cheap as they are, of those that measure the plan."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import harness
from harness.cli import main
from harness.results.run import Run
from tests.harness.cli.test_ab import Scripted
from tests.harness.cli.test_helping import ALL, examples
from tests.harness.interchange.foreign_files import pytest_benchmark

EXAMPLES = sorted({one for command in ALL.values() for one in examples(command)})
OF_TASKS = ("compare", "diff", "explain", "gate")
"""Their `latest` is a run of a task; the others' has times, too."""
MEASURE = ("run", "eval", "perplexity", "bench")
WITH_INPUTS = ("train", "generate", "chat", "ab", "import")
"""They run on inputs that are made here: a text, a tiny model in the place of an asset, arms that take no time."""
ELSEWHERE = ("ci", "bisect", "data get", "assets get", "assets verify")
"""They need an asset, a repository or a history with a step: `test_examples_elsewhere.py`."""
CHEAP = [one for one in EXAMPLES if not one.split(" ", 1)[1].startswith((*MEASURE, *WITH_INPUTS, *ELSEWHERE))]


@pytest.fixture(scope="module")
def folders(finished_run: Run, task_builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    b, made = task_builders, {}
    for kind in ("speed", "task"):
        made[kind] = folder = tmp_path_factory.mktemp(kind)
        out = folder / "results" / "runs"
        out.mkdir(parents=True)
        (folder / "runs.csv").write_text(
            "N,D,loss\n" + "".join(f"{n}e6,{d}e8,{1.7 + 9 / n + 2 / d}\n" for n in (7, 20, 60, 90) for d in (1, 3, 9))
        )
        for name, margin in (("20261130-171634", 1.0), ("20261130-181634", -1.0)):
            rows = [
                b.choice_row(n, f"Question {n}.", ["yes", "no"], [-2, -2 - (margin if n == 1 else 1)], task="arc_easy")
                for n in range(13)
            ]
            b.task_run(out / name, [b.task_cell(out / name, rows)])
    (made["speed"] / "results" / "runs" / "20261231-100000-tiny").symlink_to(finished_run.folder)
    for kind in made:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(made[kind])
            assert called(patch, "harness baseline set 20261130-171634 --name main --why first --dirty") == 0
            if kind == "speed":
                assert called(patch, "harness baseline set 20261130-171634 --name self --why first --dirty") == 0
                assert called(patch, "harness history add latest") == 0
    return made


def called(patch: pytest.MonkeyPatch, line: str) -> int:
    command, _, _ = line.partition(" > ")
    patch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("line", CHEAP)
def test_an_example_runs(
    line: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folders["task" if line.split()[1] in OF_TASKS else "speed"])
    dirty = (
        f" --dirty --name n{len(line)}" if line.startswith("harness baseline set") else ""
    )  # as a working copy may be
    code = called(monkeypatch, line + dirty)
    told = capsys.readouterr()
    assert code != 2 and (told.out or told.err), told.err


@pytest.fixture
def inputs(llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples name, tiny: a text and few steps, a model that is fetched, arms, a file of another tool."""
    (tmp_path / "notes.txt").write_text("the cat sat on the mat and the dog ran to the barn\n" * 40)
    (tmp_path / "benchmark.json").write_text(json.dumps(pytest_benchmark()))
    model = shutil.copytree(llama_folder, tmp_path / "model")
    turns = "{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}assistant:"
    (model / "chat_template.jinja").write_text(turns)
    load, train = harness.load_model, harness.train
    monkeypatch.setattr(harness, "load_model", lambda name, **options: load(model, **options))
    few = {"steps": 2, "context": 32, "vocabulary": 260}
    monkeypatch.setattr(harness, "train", lambda text, **given: train(text, **given | few))
    monkeypatch.setattr("harness.gate.lockstep.begun.ArmProcess", Scripted)
    monkeypatch.setattr("tests.harness.cli.test_ab.TIMES", {"kernels:base": 20e6, "kernels:head": 16e6})
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n/settings\n"))


@pytest.mark.parametrize("line", [one for one in EXAMPLES if one.split()[1] in WITH_INPUTS])
@pytest.mark.usefixtures("inputs")
def test_an_example_runs_on_inputs_that_are_made_for_it(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, line) == 0
    told = capsys.readouterr()
    assert told.out.strip() and "error" not in told.err, told.err


@pytest.mark.parametrize("line", [one for one in EXAMPLES if one.split()[1] in MEASURE])
def test_an_example_that_measures_names_what_there_is(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Any] = []

    def plan_alone(suite: Any, **options: Any) -> None:
        planned.append(harness.plan(suite))
        raise typer.Exit(0)

    monkeypatch.setattr("harness.api.runs.run_and_report", plan_alone)
    assert called(monkeypatch, line) == 0
    assert planned


def test_every_example_is_in_one_of_the_kinds() -> None:
    measured = [one for one in EXAMPLES if one.split()[1] in (*MEASURE, *WITH_INPUTS)]
    elsewhere = [one for one in EXAMPLES if re.match(f"harness ({'|'.join(ELSEWHERE)})\\b", one)]
    assert sorted([*CHEAP, *measured, *elsewhere]) == EXAMPLES
