"""Every command of docs/generating.md, and its Python."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.chat import COMMANDS

PAGE = Path(__file__).parents[3] / "docs/generating.md"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()]


def test_every_command_of_the_page_and_its_python(capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.txt").write_text("Once upon a time there was a fox.\n" * 60)
    assert len(LINES) == 6
    for line in LINES:
        said, _, command = line.rpartition(" | ")
        said = shlex.split(said)[1].replace("\\n", "\n") if said else ""
        words = shlex.split(command)
        assert words[0] == "harness"
        done = CliRunner().invoke(app, words[1:], input=said, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    [code] = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    exec(code, {})
    assert capsys.readouterr().out.strip()


def test_the_page_has_every_command_of_a_chat() -> None:
    assert all(name.split()[0] in TEXT for name in COMMANDS)
