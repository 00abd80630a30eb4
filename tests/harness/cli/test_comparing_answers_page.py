"""The suite and the command of docs/comparing-answers.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.measures.responses.rules import RULES

PAGE = (Path(__file__).parents[3] / "docs/comparing-answers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)


def test_every_rule_is_on_the_page() -> None:
    assert all(f"`{rule}`" in PAGE for rule in RULES)


def test_the_suite_of_the_page_is_planned() -> None:
    Path("answers.yaml").write_text(next(text for kind, text in BLOCKS if kind == "yaml"))
    done = CliRunner().invoke(app, ["plan", "answers.yaml", "--format", "json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_the_command_of_the_page() -> None:
    Path("answers.yaml").write_text(next(text for kind, text in BLOCKS if kind == "yaml"))
    [command] = [text.split() for kind, text in BLOCKS if kind == "bash"]
    done = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "failed" not in done.output and "win rate" in done.output and "log odds" in done.output
