"""Every command of docs/history.md, in the page's order, as it stands there; launches are shortened."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import ExitCode
from tests.harness.cli.test_ab_page import NOTED

PAGE = Path(__file__).parents[3] / "docs/history.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)


def asked(block: str, folder: Path) -> list[list[str]]:
    """Run a block in bash with a `harness` that writes down what it is asked."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/harness").write_text(NOTED)
    (folder / "bin/harness").chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    where = folder / "project" if (folder / "project").is_dir() else folder
    subprocess.run(["bash", "-euc", block], cwd=where, env=os.environ | {"PATH": path}, check=True)
    lines = (folder / "project/asked.jsonl").read_text().splitlines()
    (folder / "project/asked.jsonl").unlink()
    return [json.loads(line) for line in lines]


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 40_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    said = ""
    for block in BLOCKS:
        for words in asked(block, tmp_path):
            monkeypatch.chdir(tmp_path / "project")
            if words[0] == "ci":
                words[words.index("--minutes") + 1] = "0.2"
            done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
            passed = (ExitCode.PASS, ExitCode.UNMET, ExitCode.INCONCLUSIVE) if words[0] == "ci" else (ExitCode.PASS,)
            assert done.exit_code in passed, f"{words}: {done.output} {done.exception}"
            said += done.output
    assert "time, threads 1, call softmax: ratio to" in said and "half as much more" in said
    assert "was there already; nothing was added" in said and "git bisect run sh -c" in said
    assert "| metric\\_version | BIGINT |" in said and "commit,verdict,seconds" in said
    assert (tmp_path / "project/trend.svg").read_text().startswith("<svg")


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_a_data_branch_and_two_jobs_that_push_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's block, with a `harness` that adds a row; then a second clone that knows nothing of the first's."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "me")
        monkeypatch.setenv(f"{name}_EMAIL", "me@example.org")
    (block,) = re.findall(r"  ```sh\n(.*?)  ```", TEXT, re.S)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/harness").write_text('#!/bin/sh\nmkdir -p "$5" && echo "$$" > "$5/$$.parquet"\n')
    (tmp_path / "bin/harness").chmod(0o755)
    environment = os.environ | {"PATH": os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])}
    make = "git init -q --bare origin; git clone -q origin one/project; cd one/project; echo 1 > file; git add .; "
    make += "git commit -qm 1; git push -q"
    adds = "harness ci --base pinned --history ../measurements"
    later = f"git fetch -q; git worktree add -q ../measurements measurements; {adds}"
    push = "cd ../measurements; git add .; git commit -qm more; git pull -q --rebase; git push -q"
    for where, script in (
        (".", make),
        ("one/project", block),
        (".", "git clone -q origin two/project"),
        ("two/project", later),
        ("one/project", adds),
        ("one/project", push),
        ("two/project", push),
    ):
        done = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path / where, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{script}: {done.stderr}"
    assert len(list((tmp_path / "two/measurements").glob("*.parquet"))) == 3


def test_the_options_of_the_page_are_there() -> None:
    helped = "".join(
        CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).output
        for words in (["history", "show"], ["history", "add"], ["bisect"], ["query"], ["ci"], ["ab"], ["run"], ["gate"])
    )
    for option in re.findall(r"(?<![\w-])(--[a-z]+)", TEXT):
        assert option in helped or option in ("--orphan", "--rebase", "--short", "--detach"), option
