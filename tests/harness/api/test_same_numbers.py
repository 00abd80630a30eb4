"""What commands print is what functions return: runs compared, suites planned, verdicts, histories, words, schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import harness
from harness.cli.app import app
from harness.results.journal import Journal
from harness.suite.schema import Suite

SUITE = """name: own
models: {nano: {reference: nano, train: {corpus: microworld, steps: 2}}}
measures: [{perplexity: {text: microworld/test, documents: 2}}]
expect: [{metric: perplexity, against: {run: "baseline:gone"}, at_most: 1.1}]
"""


@pytest.fixture(autouse=True)
def there(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name, slower in (("before", 1.0), ("after", 1.1)):
        folder = tmp_path / "results/runs" / name
        run = builders.write_run(folder, cells=builders.full_cells(folder, slower=slower))
        if name == "after":  # as of another tool's file: `report` asks no suite what to analyze
            Journal(folder).write_manifest(run.manifest.model_copy(update={"imported": {"file": "sha256"}}))


def called(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize("fail_on", [(), ("different",), ("worse", "incomparable")])
def test_two_runs(fail_on: tuple[str, ...]) -> None:
    found = harness.check_runs("before", "after", fail_on=fail_on)
    options = [word for one in fail_on for word in ("--fail-on", one)]
    done = called("compare", "before", "after", "--format", "json", *options)
    assert done.exit_code == found.exit_code
    assert [row["ratio"] for row in json.loads(done.stdout)] == [row["ratio"] for row in found.rows]
    assert harness.compare("before", "after").equals(found.frame)
    assert all(one.sentence in done.stderr for one in found.found) and len(found.found) == len(fail_on)
    assert found.exit_code == max([0, *(one.exit_code for one in found.found)])


def test_the_run_before() -> None:
    assert harness.check_runs().base.name == harness.run_before(harness.open_run("latest"), Path("results/runs")).name
    assert sorted(run.name for run in harness.open_runs()) == ["after", "before"]
    assert harness.open_cells("after").name == "after" and harness.open_runs("nowhere") == []


def test_a_plan_with_its_warnings() -> None:
    Path("own.yaml").write_text(SUITE)
    found = harness.preview("own.yaml", out="own.yaml")  # where no run can be
    done = called("plan", "own.yaml", "--out", "own.yaml", "--format", "json")
    assert [row["cell"] for row in json.loads(done.stdout)] == [row["cell"] for row in found.rows]
    assert found.suite == "own" and len(found.warnings) == 1 and "can't be run from here" in found.warnings[0]
    assert len(found.notes) == 1 and "gone" in found.notes[0]
    assert harness.plan("own.yaml").drop(columns="seconds").equals(found.frame.drop(columns="seconds"))
    assert not harness.preview("own.yaml").warnings


def test_a_baseline_a_verdict_and_where_it_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(harness.BaselineMissing, match="there is no baseline here"):
        harness.open_baseline()
    made = harness.set_baseline("before", why="a start", name="b", incomplete=True, dirty=True)
    assert harness.open_baseline().name == harness.open_baseline("baseline:b").name == made.name
    assert made.problem == "" and made.size > 0
    assert harness.list_baselines()["bytes"].tolist() == [made.size]
    head = harness.open_cells("after")
    base = harness.base_of(head, "baseline:b")
    result = harness.judge(head, base, accept_file=tmp_path / "accept.yaml")
    harness.telling(json=tmp_path / "mine.json", junit=tmp_path / "mine.xml").tell(result)
    done = called("gate", "after", "--baseline", "b", "--json", "typed.json", "--history", "kept")
    mine, typed = (json.loads((tmp_path / name).read_text()) for name in ("mine.json", "typed.json"))
    assert done.exit_code == result.exit_code and mine["verdict"] == typed["verdict"] == str(result.verdict)
    assert (tmp_path / "mine.xml").read_text().startswith("<?xml")
    kept = harness.add_to_history(harness.entry_of_gate(result, head, base), tmp_path / "own")
    assert [re.sub(r" \(.*", "", said) for said in kept.sentences] == re.findall(r"history: (.*?) \(", done.stderr)
    assert harness.read_history("own").table.num_rows == harness.read_history("kept").table.num_rows
    assert harness.entry_of("after").rows and not harness.add_to_history("after", "own").sentences[0].endswith("added")
    with pytest.raises(harness.UserError), harness.telling(json=tmp_path / "refused.json").refusals("s"):
        raise harness.BaselineMissing("there is none")
    assert json.loads((tmp_path / "refused.json").read_text())["exit_code"] == harness.ExitCode.BASELINE_MISSING


def test_a_series_and_its_picture(tmp_path: Path) -> None:
    harness.add_to_history("before", "kept")
    history = harness.read_history("kept")
    found = harness.series(history, "perplexity", ["precision=int8"])
    same = harness.series(history, "perplexity", {"precision": "int8"})
    done = called("history", "perplexity", "--history", "kept", "--where", "precision=int8", "--format", "json")
    assert len(found.series) == len(same.series) == len(json.loads(done.stdout)["series"]) > 0
    for name in ("own.gif", "gone/own.svg"):
        with pytest.raises(harness.WrongArgument, match="chart"):
            harness.draw_series(found, name)
    with pytest.raises(harness.UserError, match="git"):
        harness.bisect(history, "perplexity", ["precision=int8"])


def test_words_names_and_schemas(tmp_path: Path) -> None:
    rows = json.loads(called("list", "models", "--search", "nano", "--format", "json").stdout)
    tables = harness.words("models", search="nano")
    assert len(rows) == sum(len(table.rows) for table in tables) > 0
    assert harness.words("laws", search="no such words") == []
    assert "did you mean 'nano'" in harness.why_no_words("nanu", ["models"])
    short = harness.words_in_short()
    assert short.title == "What a suite may name" and [row.cells[0] for row in short.rows][:2] == ["suites", "measures"]
    with pytest.raises(harness.WrongArgument, match="did you mean 'tasks'"):
        harness.words("taks")
    assert "nano" in harness.names("presets") and "arc_easy" in harness.names("tasks")
    assert set(harness.list("suites")["name"]) == set(harness.names("suites"))
    with pytest.raises(harness.WrongArgument, match="did you mean 'suites'"):
        harness.names("suits")
    for what in ("suite", "record", "compare"):
        assert json.loads(called("schema", what).stdout) == harness.schema(what)
    assert harness.schema("suite") == Suite.model_json_schema()
    with pytest.raises(harness.WrongArgument, match="did you mean 'compare'"):
        harness.schema("compar")


def test_a_report_again() -> None:
    made = harness.make_report("after")
    assert isinstance(made, harness.Results) and made.report_exit_code == called("report", "after").exit_code


def test_a_model_by_name_is_opened_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def opened(name: str, **given: Any) -> None:
        asked.append((name, given))
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.api.generating.load_model", opened)
    for call in (harness.generate, harness.stream):
        with pytest.raises(KeyboardInterrupt):
            call("nano", "Once", precision="int8", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        harness.converse("nano")
    assert asked == [("nano", {"precision": "int8", "device": "cpu"})] * 2 + [
        ("nano", {"precision": "fp32", "device": "auto"})
    ]
    already: Any = object()
    with pytest.raises(harness.WrongArgument, match="precision: the model is open already"):
        harness.generate(already, "Once", precision="int8")
