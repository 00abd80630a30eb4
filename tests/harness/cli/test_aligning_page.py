"""The suite and the commands of docs/aligning.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from reference_impl.alignment.__main__ import main as align
from reference_impl.alignment.stages.method import METHODS
from reference_impl.training.__main__ import main as train

PAGE = (Path(__file__).parents[3] / "docs/aligning.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.S)
OURS = {"reference_impl.training": train, "reference_impl.alignment": align}


def test_every_method_is_on_the_page() -> None:
    first = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", first)) == {*METHODS, "pretrain"}


def test_every_suite_of_the_page_is_one() -> None:
    suite, *excerpts = (text for kind, text in BLOCKS if kind == "yaml")
    Path("pairs.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n')
    measures = "measures: [perplexity: {text: microworld/test}]\n"
    assert len(excerpts) == 4
    whole = {f"excerpt{at}.yaml": f"name: excerpt\n{text}{measures}" for at, text in enumerate(excerpts)}
    for name, text in {"align.yaml": suite, **whole}.items():
        Path(name).write_text(text)
        done = CliRunner().invoke(app, ["plan", name, "--format", "json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output


@pytest.mark.slow
def test_every_command_of_the_page(capfd: pytest.CaptureFixture[str]) -> None:
    Path("align.yaml").write_text(next(text for kind, text in BLOCKS if kind == "yaml"))
    lines = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line)
        if words[0] == "harness":
            done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
            assert done.exit_code == 0, done.output
            assert "policy kl" in done.output and "failed" not in done.output
            continue
        assert words[:2] == ["python", "-m"]
        capfd.readouterr()
        assert OURS[words[2]](words[3:]) == 0
        assert json.loads(capfd.readouterr().out.splitlines()[-1])["out"]
