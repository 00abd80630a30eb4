"""`--format` of the commands that measure: data alone on stdout, all else on stderr, the exit code as ever."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

import harness
from harness.cli.app import app
from harness.conclusion import Concluded
from harness.execution.events import OnEvent, Planned
from harness.report.making import of_run
from harness.results.run import Run

LINES = {
    "run": ["run", "quickstart"],
    "perplexity": ["perplexity", "nano", "--corpus", "microworld/test"],
    "eval": ["eval", "nano", "--tasks", "microworld_facts"],
    "bench": ["bench", "nano", "--no-compare"],
}


@pytest.fixture(autouse=True)
def measured(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Whatever is asked, this run is what was measured, in which a cell failed."""
    monkeypatch.chdir(tmp_path)
    run: Run = builders.write_run(tmp_path / "results/runs/done", cells=builders.full_cells(tmp_path / "done"))

    def run_and_report(*_: Any, on_event: OnEvent, **__: Any) -> Concluded:
        on_event(Planned(folder=str(run.folder), cells=3, done=0, cached=0))
        return Concluded(run, of_run(run))

    monkeypatch.setattr("harness.api.runs.run_and_report", run_and_report)
    return run


def called(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize("command", list(LINES))
def test_stdout_is_the_data_alone(command: str, measured: Run) -> None:
    plain = called(*LINES[command])
    assert "3 cells" in plain.stdout and "next  harness" in plain.stdout
    found = {form: called(*LINES[command], "--format", form) for form in ("json", "csv", "md", "html")}
    rows = json.loads(found["json"].stdout)
    jsonschema.validate(rows, harness.schema(command))
    assert rows == json.loads(called("show", str(measured.folder), "--format", "json").stdout)
    numbers = harness.show(measured).numbers()["value"].dropna().tolist()
    assert [row["value"] for row in rows if row["value"] is not None] == numbers
    assert found["csv"].stdout == called("show", str(measured.folder), "--format", "csv").stdout
    assert found["md"].stdout.startswith("# ") and found["html"].stdout.startswith("<!doctype html>")
    for done in found.values():
        assert done.exit_code == plain.exit_code == 2
        assert "3 cells" in done.stderr and "3 cells" not in done.stdout


@pytest.mark.parametrize("command", list(LINES))
def test_a_format_is_looked_at_before_anything_is_measured(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.api.runs.run_and_report", None)
    done = CliRunner().invoke(app, [*LINES[command], "--format", "htm"])
    assert str(done.exception).startswith("--format: is one of table, csv, json, md, html, not 'htm'; did you mean")


def test_a_report_that_could_not_be_made_leaves_the_tables(measured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.api.runs.run_and_report", lambda *_, **__: Concluded(measured, None))
    done = called("run", "quickstart", "--format", "md")
    assert "perplexity" in done.stdout and "Made by" not in done.stdout
