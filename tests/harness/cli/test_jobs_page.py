"""docs/jobs.md: every line of the shell and of Python runs as it stands, on stand-ins, and in the page's order."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import harness
from harness.cli.app import app
from harness.shorthand.benchmarking import bench_suite

PAGE = Path(__file__).parents[3] / "docs/jobs.md"
SMALL = {
    "asset:smollm2-135m-instruct": "model-a",
    "arc_easy": "microworld_facts",
    "128": "8",
    "32": "4",
    "300": "2",
    "100": "4",
    "40": "4",
    "1024": "32",
}
MAY_END = {"run": (0, 1, 3), "compare --fail-on": (0, 1), "gate": (0, 3), "fit": (0, 3)}
"""Exit codes by how a line begins; 0 of the others."""


def _small(text: str) -> str:
    for large, small in SMALL.items():
        text = re.sub(rf"(?<![\w.]){re.escape(large)}(?![\w.])", small, text)
    return text


@pytest.fixture(autouse=True)
def place(llama_folder: Path, gpt2_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(llama_folder, "model-a")
    shutil.copytree(gpt2_folder, "my-model")
    Path("notes.txt").write_text("The cat sat on the mat and saw a dog.\n" * 40)
    sizes, tokens = (1e6, 3e6, 1e7, 3e7), (2e7, 6e7, 2e8)
    rows = [f"{n:.0f},{d:.0f},{1.7 + 400 / n**0.34 + 410 / d**0.28}" for n in sizes for d in tokens]
    Path("runs.csv").write_text("\n".join(["params,tokens,loss", *rows]))
    monkeypatch.setattr("harness.benchmarking.side_by_side.asked_of", lambda run: [])
    for name in ("harness.shorthand.benchmarking.bench_suite", "harness.benchmarking.bench.bench_suite"):
        monkeypatch.setattr(name, _quick)


def _quick(entries: Mapping[str, Mapping[str, Any]], **given: Any) -> dict[str, Any]:
    """The suite of a `bench` without its launches and its memory."""
    suite = bench_suite(entries, **given | {"memory": False})
    for measure in suite["measures"]:
        measure["inference"]["launches"] = 1
    return suite


def _cut_off() -> None:
    """A run of the suite that did not end."""

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harness.run("my.yaml", fresh=True, on_event=stop)


def _in_shell(line: str) -> None:
    command, _, file = line.partition("#")[0].partition(" > ")
    words = shlex.split(command)[1:]
    if "--resume" in words:
        _cut_off()
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    codes = next((codes for start, codes in MAY_END.items() if " ".join(words).startswith(start)), (0,))
    assert done.exit_code in codes, (line, done.output)
    if file:
        Path(file.strip()).write_text(done.stdout)


@pytest.mark.slow
def test_the_page_as_pasted() -> None:
    text = _small(PAGE.read_text(encoding="utf-8"))
    assert text.count("\n## ") == 10
    here: dict[str, object] = {}
    lines = 0
    for kind, block in re.findall(r"```(\w+)\n(.*?)```", text, re.S):
        if kind == "yaml":
            Path("my.yaml" if block.startswith("name:") else "capitals.yaml").write_text(block)
        elif kind == "json":
            Path("capitals.jsonl").write_text(block)
        elif kind == "bash":
            for line in block.splitlines():
                _in_shell(line)
                lines += 1
        else:
            if "resume" in block:
                _cut_off()
            exec(block, here)
    assert lines == 18
    assert Path("numbers.csv").read_text().startswith("model,measure,precision,")
    assert Path("law/fit.html").is_file()
