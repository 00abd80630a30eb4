"""`harness ci` as a person types it: every command and every sketch of docs/ci.md, in the page's order."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import ExitCode
from harness.gate.accepted import read_accepted
from harness.gate.change.ci import VERDICT
from harness.kept_file import read_json
from harness.suite.load import load_suite
from tests.harness.cli.test_ab_page import NOTED

PAGE = Path(__file__).parents[3] / "docs/ci.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
JOB, SUITE, ACCEPTED = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)


def asked(block: str, folder: Path) -> list[str]:
    """Run a block in bash with a `harness` that writes down what it is asked: once in each."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/harness").write_text(NOTED)
    (folder / "bin/harness").chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    where = folder / "project" if (folder / "project").is_dir() else folder
    subprocess.run(["bash", "-euc", block], cwd=where, env=os.environ | {"PATH": path}, check=True)
    (line,) = (folder / "project/asked.jsonl").read_text().splitlines()
    (folder / "project/asked.jsonl").unlink()
    words: list[str] = json.loads(line)
    return words


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 40_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    for block in COMMANDS:
        words = asked(block, tmp_path)
        monkeypatch.chdir(tmp_path / "project")
        done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
        assert done.exit_code == ExitCode.PASS, f"{words}: {done.output} {done.exception}"
        assert "PASS: 1 metric of 1 cell" in done.output
    told = json.loads(Path("verdict.json").read_text())
    assert told["judged"][0]["details"]["faster"]
    (kept,) = Path("runs").glob("*/verdict.json")
    assert json.loads(read_json(kept, VERDICT)) == told, "--json is the record's verdict, without its seal"
    assert Path("summary.md").read_text().startswith("## Gate: PASS")


def test_the_sketches_of_the_page_are_right(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    loaded = load_suite(str(tmp_path / "suite.yaml"))
    assert loaded.suite.calls and len(loaded.suite.gate) == 2
    (tmp_path / "harness-accept.yaml").write_text(ACCEPTED)
    assert len(read_accepted(tmp_path / "harness-accept.yaml").entries) == 1
    steps = yaml.safe_load(JOB)["jobs"]["gate"]["steps"]
    (command,) = (step["run"] for step in steps if step.get("run", "").startswith("harness ci"))
    options = CliRunner().invoke(app, ["ci", "--help"], env={"COLUMNS": "200"}).output
    for option in re.findall(r"(--[a-z-]+)", command) + re.findall(r"`(--[a-z-]+)[` ]", TEXT):
        assert option in options, f"{option} is in the page and not in the command"
