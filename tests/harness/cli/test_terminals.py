"""Commands in real terminals whose size the system says, dumb ones and ones without color among them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from rich.cells import cell_len

import harness
from tests.harness.cli.terminal import in_terminal
from tests.harness.cli.test_widths import COMMANDS, COPIED, WIDTHS, folder  # noqa: F401 - a fixture

COMMAND = re.compile(r"( *(next|go on with: )? *)harness \S+( \S+| \".*\")*$")
PAINT = "\x1b\\[(?:[0-9]*;)*(?:[34][0-9]|9[0-7])(?:;[0-9]+)*m"
"""A color; bold and dim are none."""
COLOR = re.compile(r"\x1b\[[0-9;]*m")
MOVE = re.compile(r"(?:\x1b\[[0-9;?]*[A-Za-ln-z]|\r)+")
"""Of the cursor, as a live display makes it: another line begins, or the same one anew."""
WALK = """
import fcntl, os, shlex, struct, sys, termios
import harness.cli
import harness.gate.lockstep.begun as begun
from tests.harness.cli.test_ab import Scripted

begun.ArmProcess = Scripted  # an arm that takes no time
widths, lines = sys.argv[1], sys.argv[2:]
for width in widths.split(","):
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(width), 0, 0))
    for line in lines:
        sys.stdout.write(f"\\x1e{width} {line}\\x1f")
        sys.stdout.flush()
        sys.argv = ["harness", *shlex.split(line)]
        try:
            harness.cli.main()
        except SystemExit as ended:
            sys.stdout.write(f"\\x1f{ended.code}")
            sys.stdout.flush()
"""
MORE = (
    "run tiny.yaml --out more",
    "train --text story.txt --steps 2 --context 32 --vocabulary 260 --name tale --out more",
    "generate tale Once --max-tokens 4 --out more",
    "import benchmarks.json --name benchmarks --out more",
    "site public",
    "ab --a 'here,call=work:base' --b 'here,call=work:slow' --launches 3 --threads 1 --seed 1",
    "init eval --output suite.yaml",
    "show nothing",
    "gate after --baseline firts",
    "list tasks --search nothing-of-this-name",
    "bisect perplexity",
    "generate tale Once --temperature -1 --out more",
    "",
)
"""What else prints: what measures, writes files, or refuses."""


def walked(lines: tuple[str, ...], widths: tuple[int, ...], **environment: str) -> dict[tuple[int, str], str]:
    """What a terminal showed of each command at each width, without colors and moves of the cursor."""
    code, shown = in_terminal(",".join(map(str, widths)), *lines, columns=80, code=WALK, **environment)
    assert code == 0, shown[-2000:]
    found = {}
    for part in shown.split("\x1e")[1:]:
        said, text, ended = part.split("\x1f")
        width, _, line = said.partition(" ")
        assert line.startswith(REFUSED) or ended in ("0", "1", "3", "4"), (line, text)
        found[int(width), line] = text
    assert len(found) == len(lines) * len(widths)
    return found


REFUSED = ("init", "show", "gate", "list", "bisect", "generate tale Once --t")
"""Of these, those that are refused; `init` at the second width."""


@pytest.fixture
def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.chdir(folder)
    (folder / "story.txt").write_text("the cat sat on the mat and the dog ran to the red barn\n" * 40)
    stats = {"min": 1e-3, "max": 2e-3, "mean": 1.5e-3, "stddev": 1e-4, "rounds": 5, "median": 1.5e-3, "iterations": 1}
    one = {"name": "test_a_benchmark_with_a_long_name_that_somebody_gave_it", "fullname": "tests/test_x.py::test_a"}
    benchmarks = [one | {"group": None, "params": None, "param": None, "extra_info": {}, "options": {}, "stats": stats}]
    told = {"machine_info": {}, "commit_info": {}, "benchmarks": benchmarks, "datetime": "2026-01-01", "version": "5.1"}
    (folder / "benchmarks.json").write_text(json.dumps(told))
    return folder


def too_wide(shown: dict[tuple[int, str], str]) -> dict[str, list[tuple[int, str]]]:
    """By command the lines that are wider than the terminal was."""
    wide = defaultdict(list)
    for (width, line), text in shown.items():
        plain = MOVE.sub("\n", COLOR.sub("", text))
        assert plain.strip(), line
        for each in plain.split("\n"):
            if cell_len(each.rstrip()) > width and not (COPIED.match(each) or COMMAND.match(each)):
                wide[line].append((width, each))
    return wide


@pytest.mark.parametrize("widths", [(60,), pytest.param((80, 100, 120, 200), marks=pytest.mark.slow)])
def test_no_line_of_what_measures_and_writes_is_wider_than_the_terminal(
    widths: tuple[int, ...], prepared: Path
) -> None:
    wide = too_wide(walked(MORE, widths))
    assert not wide, "\n".join(f"{line} {found}" for line, found in wide.items())


def test_no_line_of_what_is_stored_is_wider_than_the_terminal(prepared: Path) -> None:
    assert not too_wide(walked(COMMANDS, (80,)))


SOME = (
    *("show 20260101-100000-tiny", "run tiny.yaml --out more", MORE[1], "compare before after", "show nothing"),
    "generate tale a --out more",
)


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({"TERM": "dumb"}, "\x1b"),
        ({"NO_COLOR": "1"}, "\x1b\\[(?:[0-9]*;)*(?:[34][0-9]|9[0-7])(?:;[0-9]+)*m"),
        ({}, None),
    ],
)
def test_a_dumb_terminal_gets_no_escapes_and_without_color_is_no_color(
    environment: dict[str, str], refused: str | None, prepared: Path
) -> None:
    texts = walked(SOME, (80,), **environment)
    if refused is None:
        assert any(COLOR.search(text) for text in texts.values()), (
            "the terminal has colors, where nothing says otherwise"
        )
        return
    assert not {line: found for line, text in texts.items() if (found := re.findall(refused, text))}
    assert not too_wide(texts)


def test_a_dumb_terminal_has_its_own_width(prepared: Path) -> None:
    """rich takes each for one of 80 columns."""
    plain = ("show 20260101-100000-tiny", "list laws", "show nothing", "doctor --no-measure", "history list")
    shown = walked(plain, (60, 120), TERM="dumb")
    assert not too_wide(shown) and not any("\x1b" in text for text in shown.values())
    widest = max(cell_len(line.rstrip()) for text in shown.values() for line in text.split("\n"))
    assert widest > 80, "and no narrower than it is"


def test_a_log_of_ci_has_whole_lines_and_no_escapes(prepared: Path) -> None:
    code = f"import os, sys; sys.argv = ['', '80', *{SOME!r}]; import fcntl; fcntl.ioctl = lambda *given: 0\n{WALK}"
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"CI": "true"}
    env["PYTHONPATH"] = str(Path(harness.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert "\x1b" not in done.stdout + done.stderr and "\r" not in done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and errors[0].endswith("20260101-100000-tiny"), "one whole line"


def test_a_line_that_is_too_wide_is_found() -> None:
    assert too_wide({(10, "x"): "\x1b[1m0123456789\x1b[0m\n\x1b[1m0123456789a\x1b[0m"}) == {"x": [(10, "0123456789a")]}
