"""Every command of docs/ab.md, in the page's order, as it stands there; each for one launch, so that it is quick."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import ExitCode, UserError
from harness.gate.arms.arm import MODEL_WORDS, WORDS, parse_arm, parse_both
from harness.gate.arms.model_part import part_of

PAGE = Path(__file__).parents[3] / "docs/ab.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
NOTED = """#!/bin/sh
exec python3 -c 'import json, sys; open("asked.jsonl", "a").write(json.dumps(sys.argv[1:]) + chr(10))' "$@"
"""


def commands(block: str, folder: Path) -> list[list[str]]:
    """Run a block in bash with a `harness` that writes down what it is asked."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/harness").write_text(NOTED)
    (folder / "bin/harness").chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    subprocess.run(["bash", "-euc", block], cwd=folder, env=os.environ | {"PATH": path}, check=True)
    asked = folder / "asked.jsonl"
    lines = asked.read_text().splitlines()
    asked.unlink()
    return [json.loads(line) for line in lines]


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 50_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    tried = 0
    for block in BLOCKS:
        for asked in commands(block, tmp_path):
            assert asked[0] == "ab"
            tried += 1
            if any("install=" in word for word in asked):  # of an index
                assert all(parse_arm(word, "--a").install for word in asked if "install=" in word)
                continue
            if "--model" in asked:  # of an asset or of a whole suite: they take long
                of = dict(zip(asked[1::2], asked[2::2], strict=True))
                assert parse_both(of["--model"], "--model") and part_of(of.get("--time", "decode"))
                assert all(parse_arm(of[side], side) is not None for side in ("--a", "--b"))
                continue
            without = [word for at, word in enumerate(asked) if "--launches" not in asked[max(0, at - 1) : at + 1]]
            done = CliRunner().invoke(
                app, [*without, "--launches", "1", *([] if "--threads" in without else ["--threads", "1"])]
            )
            assert not isinstance(done.exception, UserError), f"{asked}: {done.exception}"
            assert done.exit_code == ExitCode.INCONCLUSIVE, f"{asked}: {done.output} {done.exception}"
    assert tried == 11
    assert json.loads((tmp_path / "verdict.json").read_text())["margin"] == 0.02


def test_every_word_of_an_arm_is_in_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{word}=" in page for word in [*WORDS, *MODEL_WORDS])
    command = CliRunner().invoke(app, ["ab", "--help"], env={"COLUMNS": "200"}).output
    for option in re.findall(r"`(--[a-z-]+)", page):
        assert option in command or option == "--no-deps", f"{option} is in the page and not in the command"
