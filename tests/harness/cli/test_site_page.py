"""`harness site` as a person types it: every command of docs/site.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.app import app
from tests.harness.site import synthetic

TEXT = (Path(__file__).parents[3] / "docs/site.md").read_text(encoding="utf-8")


def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic.write_history(tmp_path / "results/history", 3, 6)
    commands = [line for block in re.findall(r"```bash\n(.*?)```", TEXT, re.S) for line in block.splitlines()]
    (job,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    commands.append(yaml.safe_load(job)[0]["run"].replace("$GITHUB_SERVER_URL/$GITHUB_REPOSITORY", "https://h/me/p"))
    for command in commands:
        words = shlex.split(command)
        done = CliRunner().invoke(app, words[1:])
        assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
    index = (tmp_path / "site/data/index.js").read_text()
    assert "https://h/me/p/commit/{commit}" in index
    for option in re.findall(r"\| `(--[a-z]+)", TEXT):
        assert option in CliRunner().invoke(app, ["site", "--help"], env={"COLUMNS": "200"}).output
