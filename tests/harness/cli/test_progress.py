"""What a person sees of a run that goes: a live display in a terminal, lines in a log."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.progress import RunProgress, in_words
from harness.execution.events import CellEnded, CellGoing, CellStarted, Planned, Preparing
from harness.execution.time_left import Left
from harness.measures.perplexity import PerplexitySettings
from harness.results.record import CellResult, Status
from harness.suite.cells import Cell

CELL = Cell("smollm2-135m-instruct", "perplexity", (("precision", "fp32"),), PerplexitySettings(text="t"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(progress: RunProgress, width: int = 200) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    progress._console = console
    console.print(progress.display())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def result(source: str = "measured") -> CellResult:
    return CellResult.model_construct(
        status=Status.FAILED, reason="x", measure="perplexity", records=[], missing=[], notes=[], source=source,
        metrics={}, conditions={},
    )  # fmt: skip


def test_each_of_several_has_a_line_until_it_is_ready() -> None:
    out = io.StringIO()
    progress = RunProgress(Console(file=out, width=200))
    progress(Planned("runs/x", cells=2, done=0, cached=0))
    progress(Preparing("a: train", 0.1, "loss 5.1"))
    progress(Preparing("b: train", 0.2, "loss 4.2"))
    progress(Preparing("a: train", 0.3, "loss 3.3"))
    assert seen(progress)[1:] == ["a: train  30%  loss 3.3", "b: train  20%  loss 4.2"]
    progress._console = Console(file=out, width=200)
    progress(Preparing("a: train", 1.0, "validation 3.0"))
    assert "ready: a: train  validation 3.0" in out.getvalue()
    assert seen(progress)[1:] == ["b: train  20%  loss 4.2"]


def test_many_are_counted() -> None:
    progress = RunProgress(Console(file=io.StringIO(), width=200))
    progress(Planned("runs/x", cells=9, done=0, cached=0))
    for number in range(7):
        progress(Preparing(f"m{number}: train", 0.1, ""))
    lines = seen(progress)[1:]
    assert len(lines) == 5 and lines[-1] == "and 3 more"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_of_the_display_is_folded_and_the_news_stays(width: int) -> None:
    clock = Clock()
    progress = RunProgress(Console(file=io.StringIO(), width=width), clock)
    progress(Planned("runs/x", cells=12, done=0, cached=3, seconds={CELL: 100.0}))
    progress(CellStarted(CELL, 2, 3))
    clock.now = 10.0
    progress(CellGoing(CELL, 0.5, "12 of 100 documents, 3,210 tokens/s"))
    first, second = seen(progress, width)
    assert "0/12 cells" in first and max(len(first), len(second)) <= width
    assert second.startswith("smollm2-135m")
    if width >= 80:
        assert "about 10 s left" in first and "launch 2 of 3  50%  12 of 100 documents, 3,210 tokens/s" in second


def test_in_words() -> None:
    assert in_words(Left(250.4, 0)) == "about 4 min 10 s left"
    assert in_words(Left(0.2, 0)) == "about 1 s left"
    assert in_words(Left(12.0, 2)) == "about 12 s and 2 steps of unknown length left"
    assert in_words(Left(0.0, 1)) == "1 step of unknown length left"


def test_a_log_has_a_line_now_and_then() -> None:
    out, clock = io.StringIO(), Clock()
    progress = RunProgress(Console(file=out, width=200), clock)
    progress(Planned("runs/x", cells=2, done=0, cached=1, seconds={CELL: 100.0}))
    progress(CellStarted(CELL, 1, 1))
    for second in range(1, 101):
        clock.now = float(second)
        progress(CellGoing(CELL, second / 100, f"{second} of 100 documents"))
        progress.say_where_it_is()
    lines = out.getvalue().splitlines()
    assert lines[0] == "2 cells, 1 known from earlier runs; about 1 min 40 s left -> runs/x"
    assert lines[1].startswith(
        "[0/2] smollm2-135m-instruct fp32 perplexity  10%  10 of 100 documents; about 1 min 30 s"
    )
    assert len(lines) == 11
    out.truncate(0)
    for second in range(101, 300):  # nothing new: it is still there
        clock.now = float(second)
        progress.say_where_it_is()
    assert len(out.getvalue().splitlines()) == 3


def test_at_its_end_it_says_what_was_known() -> None:
    out = io.StringIO()
    with RunProgress(Console(file=out, width=200), Clock()) as progress:
        progress(Planned("runs/x", cells=4, done=1, cached=2))
        for source in ("cache", "cache", "measured"):
            progress(CellEnded(CELL, result(source)))
    assert out.getvalue().splitlines()[-1] == ("4 cells in 0.0 s: 1 done before, 2 known from earlier runs, 1 measured")


def test_an_interrupted_one_says_no_such_thing() -> None:
    out = io.StringIO()
    with suppress(KeyboardInterrupt), RunProgress(Console(file=out, width=200), Clock()) as progress:
        progress(Planned("runs/x", cells=4, done=1, cached=2))
        raise KeyboardInterrupt
    assert len(out.getvalue().splitlines()) == 1


RUN = """
import sys, time
from pathlib import Path
import harness.workflow
from harness.execution.events import CellGoing, CellStarted, Planned
from harness.measures.perplexity import PerplexitySettings
from harness.suite.cells import Cell

CELL = Cell("nano", "perplexity", (("precision", "fp32"),), PerplexitySettings(text="t"))

def stubbed(suite, *, on_event, **given):
    on_event(Planned("runs/a b", 3, 1, 0, {CELL: 60.0}))
    on_event(CellStarted(CELL, 1, 1))
    on_event(CellGoing(CELL, 0.5, "5 of 10 documents"))
    try:
        time.sleep(60)
    finally:
        Path("began to end").touch()
        time.sleep(ENDING)
        Path("ended cleanly").touch()

harness.workflow.run_and_report = stubbed
from harness.cli import main
sys.argv = ["harness", "run", "x.yaml"]
main()
"""


class Terminal:
    """A program in a pseudo-terminal, and what it wrote."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.text = ""

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Read until it is so. A program that never comes to it is ended by the test's own limit of 60 s."""
        limit = time.monotonic() + 60
        while not what():
            assert time.monotonic() < limit, self.text
            self._read(0.05)

    def ended(self) -> int:
        self.wait_for(lambda: self.process.poll() is not None)
        self._read(0.0)
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            try:
                self.text += os.read(self._master, 65536).decode(errors="replace")
            except OSError:  # Linux's way to say that the other end is closed
                return
            seconds = 0.0


@contextmanager
def terminal(code: str, folder: Path, **environment: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    known = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}

    def lead() -> None:  # so that Ctrl-C of this terminal reaches it
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, cwd=folder,
        env=known | {"TERM": "xterm"} | environment, start_new_session=True, preexec_fn=lead,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_the_first_ctrl_c_ends_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    with terminal(RUN.replace("ENDING", "0.1"), tmp_path) as shown:
        shown.wait_for(lambda: "5 of 10 documents" in shown.text)
        shown.press(b"\x03")
        assert shown.ended() == 130
    assert (tmp_path / "ended cleanly").exists()
    assert "1 of 3 cells are kept; resume with: harness run --resume 'runs/a b'" in shown.text
    assert "Traceback" not in shown.text
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l"), "the cursor is there again"


def test_the_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with terminal(RUN.replace("ENDING", "60"), tmp_path) as shown:
        shown.wait_for(lambda: "5 of 10 documents" in shown.text)
        shown.press(b"\x03")
        shown.wait_for((tmp_path / "began to end").exists)
        time.sleep(0.3)  # not the first one twice
        shown.press(b"\x03")
        assert shown.ended() == 130
    assert not (tmp_path / "ended cleanly").exists()
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l"), "the cursor is there again"


def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    with terminal(RUN.replace("ENDING", "0"), tmp_path, TERM="dumb") as shown:
        shown.wait_for(lambda: "-> runs/a b" in shown.text)
        shown.press(b"\x03")
        assert shown.ended() == 130
    assert "\x1b" not in shown.text


def test_no_color_is_no_color(tmp_path: Path) -> None:
    with terminal(RUN.replace("ENDING", "0"), tmp_path, NO_COLOR="1") as shown:
        shown.wait_for(lambda: "5 of 10 documents" in shown.text)
        shown.press(b"\x03")
        shown.ended()
    assert not any(f"\x1b[{code}" in shown.text for code in (*range(30, 38), *range(90, 98)))


def test_a_log_that_is_colored_by_force_has_no_live_display(tmp_path: Path) -> None:
    env = {**os.environ, "FORCE_COLOR": "1"}
    done = subprocess.Popen(
        [sys.executable, "-c", RUN.replace("ENDING", "0").replace("sleep(60)", "sleep(0.2)")],
        stdout=subprocess.PIPE, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    text = done.communicate()[0].decode()
    assert "-> runs/a b" in text and "\x1b[?25l" not in text and "\x1b[2K" not in text
