"""docs/chat-models.md: its suites load and plan, the first one runs, and the errors of the rule are those measured."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import harness
from harness.cli.app import app
from harness.suite.load import find_suite, load_suite
from harness.tasks.judging.rules import refusal_error

PAGE = Path(__file__).parents[3] / "docs/chat-models.md"
TEXT = PAGE.read_text(encoding="utf-8")
TEMPLATE = "{% for message in messages %}{{message.role}}: {{message.content}}\n{% endfor %}assistant: "
SUITES = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "models:" in block]


@pytest.fixture
def place(llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("my-chat-model", "my-base-model", "my-judge"):
        shutil.copytree(llama_folder, tmp_path / name)
        if name != "my-base-model":
            (tmp_path / name / "chat_template.jinja").write_text(TEMPLATE)
    return tmp_path


@pytest.mark.parametrize("text", SUITES, ids=range(len(SUITES)))
def test_each_suite_is_planned(text: str, place: Path) -> None:
    named = text if "name:" in text else f"name: judge\n{text}"
    (place / "my-model.yaml").write_text(named.replace("documents: 25", "documents: 2"))
    result = CliRunner().invoke(app, ["plan", "my-model.yaml"])
    assert result.exit_code == 0, result.output


def test_the_first_suite_runs(place: Path) -> None:
    small = SUITES[0].replace("documents: 25", "documents: 2, generation: {max_tokens: 2}", 0)
    small = small.replace("documents: 25", "documents: 2").replace("refusals, instruction_following, ", "")
    (place / "my-model.yaml").write_text(small)
    run = harness.run("my-model.yaml", out=place / "runs")
    assert {cell.status.value for cell in run.cells} == {"ok", "skipped"}


def test_the_commands_name_suites_that_are_there() -> None:
    commands = re.findall(r"^    harness (\w+) (\S+)", TEXT, re.MULTILINE)
    assert commands == [("run", "alignment/any-chat-model"), ("plan", "my-model.yaml"), ("run", "my-model.yaml")]
    assert load_suite(find_suite("alignment/any-chat-model")).suite.name == "any-chat-model"


def test_the_errors_of_the_rule_are_told_as_they_are() -> None:
    found, positive, passed, negative = refusal_error.counts()
    assert f"finds {found} of {positive} refusals ({found / positive:.0%}".replace("%", " %") in TEXT
    assert f"{passed} of {negative}\nother answers" in TEXT
    assert f"on {len(refusal_error.labeled())} answers" in TEXT
