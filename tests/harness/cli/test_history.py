"""`harness history`, `query` and `bisect` as a person types them: what is wrong is one sentence, what is damaged is
named and the rest is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import notice
from harness.cli.app import app
from harness.errors import UserError
from tests.harness.history.generated import commit_name, row, straight, write


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "160"})
    if isinstance(done.exception, UserError):
        return int(done.exception.exit_code), str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notice, "_told", set())
    return tmp_path


def test_a_series_is_drawn_with_its_step(here: Path) -> None:
    straight(here / "results/history", 40, lambda number: (1.3 if number >= 25 else 1.0) + number % 3 / 300)
    code, said = run("history", "decode_rate", "--where", "precision=int4")
    assert code == 0 and "●" in said and "^" in said and "the last 20 of 40 points" in said
    assert "step at" in said and "worse" in said and "note: there is no git repository here" in said
    code, said = run("history", "show", "decode_rate", "--last", "3", "--format", "json")
    assert code == 0 and [one["commit"] for one in json.loads(said)["series"][0]["points"]] == [
        commit_name(number) for number in (37, 38, 39)
    ]
    assert run("history", "decode_rate", "--format", "csv")[1].splitlines()[0].startswith("metric,suite,at_model")
    code, said = run("history", "list")
    assert code == 0 and "decode_rate" in said and "precision" in said


def test_absolute_times_are_marked(here: Path) -> None:
    value = {"kind": "value", "unit": "tokens/s", "pinned": None, "direction": "higher"}
    straight(here / "results/history", 12, lambda number: 1.0 + number, **value)
    assert "absolute times, of days on which machines are busier and less" in run("history", "decode_rate")[1]


def test_damage_is_named_and_the_rest_is_shown(here: Path) -> None:
    folder = straight(here / "results/history", 6, lambda number: 1.0)
    path = next(folder.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    for words in (["history", "decode_rate"], ["history", "list"], ["query", "SELECT count(*) AS n FROM history"]):
        notice._told.clear()
        code, said = run(*words)
        assert code == 2 and "its sha256 is another than its name says" in said and ("●" in said or "5" in said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["history", "decode_rat"], "no metric 'decode_rat' in this history; did you mean 'decode_rate'"),
        (
            ["history", "decode_rate", "--where", "precisoin=int4"],
            "no cell has 'precisoin' (did you mean 'precision'?)",
        ),
        (["history", "decode_rate", "--where", "int4"], "'int4' is no name=value"),
        (["history", "decode_rate", "--suite", "ic"], "no suite 'ic' here"),
        (["history", "decode_rate", "--last", "0"], "--last: at least one point is needed"),
        (["history", "decode_rate", "--format", "xml"], "--format: is table, csv or json, not 'xml'"),
        (["history", "decode_rate", "--chart", "x.pdf"], "--chart: a picture is a .svg or a .png file"),
        (["history", "decode_rate", "--chart", "gone/x.svg"], "--chart: there is no folder gone"),
        (["history", "decode_rate", "--history", "gone"], "gone: there is no history here; `harness history add RUN"),
        (["history", "add", "gone"], "no run 'gone'"),
        (["query", "SELECT 1", "--format", "xml"], "--format: is one of table, csv, json, md, html, not 'xml'"),
        (["query", "SELECT 1", "--seconds", "0"], "--seconds: at least one second is needed"),
        (["bisect", "decode_rate", "--good", "a", "--bad", "b"], "run it in the project's repository"),
    ],
)
def test_bad_input_is_one_sentence(here: Path, words: list[str], said: str) -> None:
    straight(here / "results/history", 3, lambda number: 1.0)
    code, found = run(*words)
    assert code == 2 and said in found


def test_texts_of_rows_do_not_act_on_the_terminal(here: Path) -> None:
    odd = "a\x1b[2J\u202eb"
    write(here / "results/history", [[row(0, model=odd, branch=odd, suite="ci", reason=odd, status="failed")]])
    for words in (["history", "decode_rate"], ["history", "list"], ["history", "decode_rate", "--format", "csv"]):
        code, said = run(*words)
        assert code == 0 and "\x1b" not in said and "\u202e" not in said
