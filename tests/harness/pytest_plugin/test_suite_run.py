"""A suite run once by several processes of a session, which share a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import kept_file, workflow
from harness.errors import UserError
from harness.execution.events import Planned
from harness.pytest_plugin.options import Settings
from harness.pytest_plugin.suite_run import SuiteRun
from harness.results.run import Run


class Ran(list[str]):
    """What was run, and what comes of it."""

    error: BaseException | None = None

    def __call__(self, suite: str, *, out: Path, on_event: Any, **more: Any) -> Run:
        self.append(suite)
        on_event(Planned(str(out / "one"), 1, 0, 0))
        if self.error is not None:
            raise self.error
        return Run(out / "one")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    made = Ran()
    monkeypatch.setattr(workflow, "run", made)
    return made


def of_a_process(folder: Path, suite: str = "a.yaml", told: list[str] | None = None) -> SuiteRun:
    of = Settings((), True, (), folder / "runs", folder / "ab", "skip", False, (), False, False, False, folder)
    tell = [].append if told is None else told.append
    return SuiteRun(suite, of, fresh=False, shared=folder / "shared", tell=tell)


def test_the_second_process_takes_what_the_first_one_made(tmp_path: Path, ran: Ran) -> None:
    first = of_a_process(tmp_path).get()
    assert of_a_process(tmp_path).get().folder == first.folder == tmp_path / "runs/one"
    of_a_process(tmp_path, "b.yaml").get()
    assert ran == ["a.yaml", "b.yaml"]


def test_both_tell_why_there_is_none(tmp_path: Path, ran: Ran) -> None:
    ran.error = UserError("the disk is full", place="a.yaml")
    mine, other = of_a_process(tmp_path), of_a_process(tmp_path)
    for one in (mine, mine, other):
        with pytest.raises(UserError, match=r"^a\.yaml: the disk is full$"):
            one.get()
    assert ran == ["a.yaml"]


def test_a_process_that_was_killed_is_told_of_and_runs_nothing_again(tmp_path: Path, ran: Ran) -> None:
    ran.error = KeyboardInterrupt()
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        of_a_process(tmp_path, told=told).get()  # nothing is said at its end, as by one that is killed
    resume = f"go on with: harness run --resume {tmp_path / 'runs/one'}"
    assert told[-1] == f"harness: interrupted; {resume}"
    for _ in range(2):
        with pytest.raises(UserError) as error:
            of_a_process(tmp_path).get()
        assert str(error.value) == f"a.yaml: the process that ran it was ended before it was done; {resume}"
    assert ran == ["a.yaml"]


def test_a_time_limit_ends_it_for_all_items(tmp_path: Path, ran: Ran) -> None:
    ran.error = pytest.fail.Exception("Timeout")
    mine = of_a_process(tmp_path)
    with pytest.raises(pytest.fail.Exception):
        mine.get()
    with pytest.raises(UserError, match="the run was interrupted"):
        mine.get()
    assert ran == ["a.yaml"]


def test_a_damaged_note_is_made_again(tmp_path: Path, ran: Ran) -> None:
    of_a_process(tmp_path).get()
    (note,) = (tmp_path / "shared").glob("*.json")
    note.write_text("{")
    assert of_a_process(tmp_path).get().folder == tmp_path / "runs/one"
    assert ran == ["a.yaml"] * 2 and kept_file.kept_json(note) is not None
