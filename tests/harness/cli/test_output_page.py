"""Every command and every table of docs/output.md; what goes to stdout beside the data, which is nothing."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import harness
from harness.cli.app import app
from harness.conclusion import Concluded
from harness.interchange.trackers.target import TRACKERS, Tracker
from harness.interchange.trackers.told import Told
from harness.report.output.json_schema import output_schema
from harness.report.output.shapes import SHAPES
from harness.results.journal import Journal
from harness.results.run import Run

PAGE = Path(__file__).parents[3] / "docs/output.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()]


@pytest.fixture(autouse=True)
def runs(builders: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs in `results/runs`: perplexity, speed and memory of one model at two precisions, and something failed."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "results" / "runs"
    for name, slower in (("before", 1.0), ("after", 1.1)):
        cells = [cell for cell in builders.full_cells(out / name, slower=slower) if cell.model in ("mini", "nano")]
        kept = [cell for cell in cells if cell.axes["precision"] in ("fp32", "int8", "int4")]
        run = builders.write_run(out / name, cells=kept)
        # as of another tool's file: `report` asks no suite what to analyze
        Journal(run.folder).write_manifest(run.manifest.model_copy(update={"imported": {"file": "sha256"}}))
    return out


def called(*words: str) -> Result:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_every_command_of_the_page() -> None:
    assert len(COMMANDS) == 5
    for line in COMMANDS:
        command, _, file = line.partition(" > ")
        if "tensorboard" in command and importlib.util.find_spec("tensorboard") is None:
            continue
        done = called(*shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
        if file:
            Path(file).write_text(done.stdout)
    first, *_ = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    exec(first)
    frame = pd.read_csv("numbers.csv", keep_default_na=False, na_values=[""])
    assert set(frame["precision"]) == {"fp32", "int8", "int4"} and frame["value"].dtype == float
    assert Path("report.html").read_text().startswith("<!doctype html>")


def test_every_column_stands_in_the_page() -> None:
    for shapes in SHAPES.values():
        for shape in shapes:
            section = TEXT.split(f"### A {shape.name}: ")[1].split("###")[0].split("## ")[0]
            rows = re.findall(r"^\| `(\w+)`( \+)? \| (\w+) \|", section, re.M)
            assert rows == [(field.name, " +" if field.wide else "", field.kind) for field in shape.fields]
            assert shape.about in section


@pytest.mark.parametrize("command", ["show", "report"])
@pytest.mark.parametrize("more", [(), ("--wide",), ("--metrics", "ttft"), ("--where", "precision=int4")])
def test_json_is_nothing_but_rows(command: str, more: tuple[str, ...]) -> None:
    done = called(command, "after", "--format", "json", *more)
    rows = json.loads(done.stdout)
    jsonschema.validate(rows, output_schema(command))
    assert rows and len({tuple(row) for row in rows}) == 1
    kinds = {name: {type(row[name]) for row in rows if row[name] is not None} for name in rows[0]}
    assert all(len(found) <= 1 for found in kinds.values()), kinds
    assert any(row["status"] == "failed" for row in rows) or more[:1] == ("--where",) or command == "report"


def test_compare_as_data() -> None:
    done = called(
        "compare", "before", "after", "--format", "json", "--where", "precision=int8", "--metrics", "ttft,ppl"
    )
    rows = json.loads(done.stdout)
    jsonschema.validate(rows, output_schema("compare"))
    assert {row["metric"] for row in rows} == {"ttft", "perplexity"} and {row["precision"] for row in rows} == {"int8"}
    assert {type(row["batch"]) for row in rows} == {int, type(None)}
    frame = harness.compare("before", "after")
    assert len(json.loads(called("compare", "before", "after", "--format", "json").stdout)) == len(frame)
    failed = called("compare", "before", "after", "--format", "csv", "--fail-on", "different")
    assert failed.stdout.startswith("model,") and failed.stdout.count("\n") == len(frame) + 1


def test_a_run_tells_its_trackers_and_keeps_its_exit_code(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def log(told: Told, place: str) -> str:
        if place == "broken":
            raise OSError(28, "No space left on device")
        return f"{place} has {len(told.numbers)} numbers"

    monkeypatch.setitem(TRACKERS, "wandb", Tracker("wandb", "json", "PROJECT", log))
    monkeypatch.setattr("harness.api.runs.run_and_report", lambda *a, **k: Concluded(Run(runs / "after"), None))
    codes = set()
    for options in ([], ["--log-to", "wandb:mine"], ["--log-to", "wandb:broken", "--log-to", "wandb:mine"]):
        done = called("run", "quickstart", *options)
        codes.add(done.exit_code)
        assert ("logged to wandb: mine has" in done.stderr) == bool(options)
        assert ("warning: wandb did not take the run" in done.stderr) == ("wandb:broken" in options)
    assert len(codes) == 1


def test_a_run_without_a_manifest_that_can_be_read(runs: Path) -> None:
    (runs / "after" / "manifest.json").write_text("{")
    for format in ("json", "md"):
        done = called("show", str(runs / "after"), "--format", format)
        assert done.exit_code == 2 and "perplexity" in done.stdout.lower()
        assert ("corrupted" in done.stderr) == (format == "json")  # a process says it once


def test_the_same_in_python() -> None:
    frame = harness.show("after").numbers("ppl,ttft", "precision=int8")
    rows = json.loads(
        called("show", "after", "--metrics", "ppl,ttft", "--where", "precision=int8", "--format", "json").stdout
    )
    assert list(frame.columns) == list(rows[0]) and frame["value"].tolist() == [row["value"] for row in rows]
    assert harness.list_runs()["run"].tolist() == [
        row["run"] for row in json.loads(called("show", "--format", "json").stdout)
    ]


def test_runs_and_words_as_data() -> None:
    rows = json.loads(called("show", "--format", "json", "--where", "run=after").stdout)
    jsonschema.validate(rows, output_schema("show"))
    assert [row["run"] for row in rows] == ["after"]
    words = json.loads(called("list", "models", "laws", "--format", "json").stdout)
    jsonschema.validate(words, output_schema("list"))
    assert {type(row["layers"]) for row in words} == {int, type(None)}
    assert called("list", "models", "--where", "name=nano").stdout.count("nano") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "after", "--format", "yaml"), "is one of table, csv, json, md, html"),
        (("show", "after", "--metrics", "tftt"), "did you mean 'ttft'"),
        (("show", "after", "--where", "precision"), "is no name=value"),
        (("show", "after", "--where", "precison=int8"), "did you mean 'precision'"),
        (("compare", "before", "after", "--metrics", "nothing"), "there are: "),
        (("show", "--metrics", "ppl"), "a list of runs has no metrics"),
        (("list", "models", "--where", "name=nanu"), "did you mean 'nano'"),
        (("schema", "shows"), "shows"),
    ],
)
def test_a_mistake_is_a_sentence_and_no_data(words: tuple[str, ...], sentence: str) -> None:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert done.exit_code != 0 and done.stdout == ""
    assert sentence in (str(done.exception) if not isinstance(done.exception, SystemExit) else done.stderr)


@pytest.mark.parametrize("command", list(SHAPES))
def test_schemas_are_printed(command: str) -> None:
    schema = json.loads(called("schema", command).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_a_damaged_run_says_so_beside_the_data(runs: Path) -> None:
    lines = (runs / "after" / "cells.jsonl").read_bytes().split(b"\n")
    (runs / "after" / "cells.jsonl").write_bytes(
        b"\n".join([lines[0].replace(b"perplexity", b"perplexitz"), *lines[1:]])
    )
    done = called("show", "after", "--format", "json")
    assert done.exit_code == 2 and len(json.loads(done.stdout)) > 10 and "warning" in done.stderr
    assert Run(runs / "after").damage
