"""The commands at the top of docs/training.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from harness.cli.app import app

PAGE = Path(__file__).parents[3] / "docs/training.md"


def test_every_command_of_the_page() -> None:
    Path("notes.txt").write_text("Once upon a time there was a fox.\n" * 60)
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```bash\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.output
