"""`harness bench`: mistakes, and one model alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.cli.test_cli import harness

Text = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--batch", "1,x"), "'x' is no whole number of 1 or more"),
        (("--batch", "0"), "'0' is no whole number"),
        (("--precision", ""), "nothing between two commas"),
        (("--precision", "fp32,in8"), "int8"),
        (("--new", "1"), "error: --new: should be at least 2 (it is 1)"),
        (("--prompt", "0", "--threads", "0"), "error: --threads: should be at least 1 (it is 0)\n--prompt: should be"),
        (("--launches", "0"), "--launches: is a number from 1"),
        (("--threads", "100000"), "cores"),
    ],
)
def test_mistakes_are_one_sentence(capsys: Text, llama_folder: Path, arguments: tuple[str, ...], said: str) -> None:
    code, _, error = harness(capsys, "bench", str(llama_folder), *arguments)
    assert code == 2 and said in error and "Traceback" not in error


def test_one_model_has_no_ratio(capsys: Text, llama_folder: Path) -> None:
    line = ("bench", str(llama_folder), "--prompt", "8", "--new", "4", "--no-memory", "--save-suite", "b.yaml")
    code, out, error = harness(capsys, *line)
    assert code == 0 and "inference" in out and "lockstep" not in error and "Side by side" not in out
    assert Path("b.yaml").read_text().startswith("# harness bench ")
