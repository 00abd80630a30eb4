"""What commands print at any width: no line is wider than the terminal, no number is broken, no header cut off."""

from __future__ import annotations

import re
import shlex
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from rich.cells import cell_len

from harness.cli import main
from harness.results.run import Run

WIDTHS = (60, 80, 100, 120, 200)
WIDEST = 4000
"""Where nothing is folded."""
NUMBER = re.compile(r"(?<![^\s(\[±])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?(?![^\s)\],;:%])")
"""A number that stands by itself; those within names and versions may be folded with them."""
COPIED = re.compile(r" *\w+  \S+$|compiled decode step: |.*/\S{50}")
"""A line with a path, which stays in one piece."""
CSV = "N,D,loss\n" + "".join(
    f"{n}e6,{d}e8,{1.7 + 400 / (n * 1e6) ** 0.34 + 410 / (d * 1e8) ** 0.28}\n"
    for n in (7, 20, 60, 90)
    for d in (1, 3, 9)
)
COMMANDS = (
    *("show", "show tiny", "show tiny --wide", "plan tiny.yaml", "report 20260101-100000-tiny", "compare before after"),
    *("compare before after --wide", "explain --wrong after capitals", "diff before after"),
    *("list", "list suites", "list measures", "list models", "list corpora", "list laws", "list analyses"),
    *("list plugins", "list tasks --search arc", "assets", "data", "data show epoch_chinchilla"),
    *("history list", "history show perplexity", "gate after --baseline first", "baseline list"),
    *("doctor --no-measure", "baseline log"),
    'query "SELECT metric, value FROM history"',
)
"""Each prints a table; of stored results."""
FIT = "fit runs.csv --law chinchilla --replicates 0"


@pytest.fixture(scope="module")
def folder(finished_run: Run, task_builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("widths")
    (folder / "results" / "runs").mkdir(parents=True)
    (folder / "results" / "runs" / "20260101-100000-tiny").symlink_to(finished_run.folder)
    (folder / "tiny.yaml").write_text((finished_run.folder.parents[1] / "tiny.yaml").read_text())
    (folder / "runs.csv").write_text(CSV)
    b, out = task_builders, folder / "results" / "runs"
    for name, margin in (("before", 1.0), ("after", -1.0)):
        rows = [
            b.choice_row(n, f"Question {n} of many.", ["yes", "no"], [-2, -2 - (margin if n == 1 else -1)])
            for n in range(3)
        ]
        b.task_run(out / name, [b.task_cell(out / name, rows)])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in ("baseline set before --name first --why why --dirty", "history add tiny"):
            called(patch, line.split(), 200)
    return folder


def called(patch: pytest.MonkeyPatch, words: list[str], width: int) -> int:
    patch.setattr(sys, "argv", ["harness", *words])
    patch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("command", [*COMMANDS, pytest.param(FIT, marks=pytest.mark.slow)])
def test_every_table_at_every_width(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    printed = {}
    for width in (WIDEST, *WIDTHS):
        code = called(monkeypatch, shlex.split(command), width)
        printed[width], errors = capsys.readouterr()
        assert code != 2, errors  # a verdict may be any
        assert len(printed[width].splitlines()) > 2, "something to look at"
    numbers = Counter(NUMBER.findall(printed[WIDEST]))
    for width in WIDTHS:
        wide = [line for line in printed[width].splitlines() if cell_len(line.rstrip()) > width]
        assert not [line for line in wide if not COPIED.match(line)]
        assert command.startswith("doctor") or not numbers - Counter(NUMBER.findall(printed[width])), (
            width
        )  # how busy it is


def test_a_number_that_is_broken_is_found() -> None:
    assert NUMBER.findall("1,234.5 [1, 2.5] ±3% 1.2e-05 fp32 v1.2") == ["1,234.5", "1", "2.5", "3%", "1.2e-05"]
    assert Counter(NUMBER.findall("perplexity 309.52")) - Counter(NUMBER.findall("perplexity 309.\n52"))
