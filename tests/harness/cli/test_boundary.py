"""Where every exception of a command arrives: one sentence, the right exit code, the traceback in a file that is named.
And what a command prints ends nothing, whoever reads it or does not."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.api import words
from harness.cli import boundary, main
from harness.errors import UserError

COMMAND = [sys.executable, "-m", "harness"]
MANY_LINES = "import sys\nfor n in range(100_000): print(n)\n"


class Panic(BaseException):
    """As compiled libraries raise: no `Exception`."""


class Wordless(Exception):
    def __str__(self) -> str:
        raise ValueError("no text either")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UserError("wrong", place="a.yaml:3"), 2, "error: a.yaml:3: wrong"),
        (MemoryError("Unable to allocate 74.5 GiB"), 2, "error: memory ran out (Unable to allocate 74.5 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 2, "error: memory ran out"),
        (
            ImportError("ADVICE\nOriginal error was: x.so: failed to map segment from shared object"),
            2,
            "memory ran out",
        ),
        (SystemError("error return without exception set"), 2, "error: memory ran out"),
        (RecursionError("maximum recursion depth exceeded"), 2, "maximum recursion depth exceeded (RecursionError)"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "gone"), 2, "error: gone: No such file"),
        (OSError(errno.ENOSPC, "No space left on device", "there"), 2, "error: there: No space left on device"),
        (OSError(errno.EFBIG, "File too large", "there"), 2, "a file would be larger than a process may write here"),
        (Panic("I/O error: No space left on device (os error 28)"), 2, "(Panic): the disk is full; free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), 2, "error: Permission denied (PermissionError)"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a\ud800"),
            2,
            "a\\ud800: this user has no permission",
        ),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 2, "another process ended (BrokenPipeError)"),
        (EOFError(), 2, "another process ended (EOFError)"),
        (Panic("index out of range"), 2, "index out of range (Panic)"),
        (Wordless(), 2, "a Wordless without a message"),
        (ValueError("\x1b]0;owned\x07\ud800 two\nlines"), 2, "\\x1b]0;owned\\x07\\ud800 two (ValueError)"),
        (KeyError("key"), 2, "nothing is called 'key' (KeyError)"),
        (SystemExit(3), 3, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_exception_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: BaseException,
    code: int,
    sentence: str,
) -> None:
    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(words, "_summary", fails)
    monkeypatch.setattr(boundary, "_leave", sys.exit)
    monkeypatch.setattr(sys, "argv", ["harness", "list"])
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert ended.value.code == code
    assert sentence in told and told.count("\n") <= 1 and "Traceback" not in told
    named = re.search(r"the traceback is in (.*)", told)
    assert (named is None) == isinstance(error, UserError | SystemExit | KeyboardInterrupt)
    if named:
        kept = Path(named[1]).read_text(encoding="utf-8")
        assert kept.startswith("harness list\n") and "in fails" in kept


def test_memory_that_does_not_do_for_a_sentence_does_for_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(words, "_summary", fails)
    monkeypatch.setattr(boundary, "sentence", fails)
    monkeypatch.setattr(boundary, "_leave", sys.exit)
    monkeypatch.setattr(sys, "argv", ["harness", "list"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capfd.readouterr().err == "error: memory ran out: ask for less at once, or free some\n"


def test_a_cache_that_can_t_be_written_to_takes_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(words, "_summary", lambda paths: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["harness", "list"])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and str(tmp_path / "harness-") in told and "ZeroDivisionError" in told


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    """`harness … | head -1`: exit code 1 would say that an expectation is unmet."""
    with subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["list", "--help"], ["plan", "quickstart"]])
def test_a_full_disk_below_what_is_printed_is_said(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: what was printed could not be written (No space left")
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-", "2>&-", "<&-"])
def test_closed_streams_change_no_exit_code(closed: str) -> None:
    for arguments, code in (("list", 0), ("no-such-command", 2)):
        done = subprocess.run(f"{sys.executable} -m harness {arguments} {closed}", shell=True, check=False)
        assert done.returncode == code, (arguments, closed)


def test_a_pipe_that_does_not_block_loses_nothing() -> None:
    """Some CI runners hand over such a pipe; a writer then fails where its reader is slow."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    code = f"from harness.cli.console import take_every_character as t; t()\n{MANY_LINES}"
    with subprocess.Popen([sys.executable, "-c", code], stdout=write) as process:
        os.close(write)
        time.sleep(0.5)  # it has filled the pipe
        with os.fdopen(read) as reader:
            assert reader.read().split()[-1] == "99999"
        assert process.wait() == 0


@pytest.mark.parametrize("again", ["", "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"])
@pytest.mark.parametrize("module", ["harness.cli.app", "rich.console"])
def test_ctrl_c_is_no_traceback_nor_is_a_second_one(module: str, again: str) -> None:
    code = (
        f"import atexit, os, signal, sys\n{again}"
        "from harness.cli import main\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == '{module}': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "sys.argv = ['harness', 'list']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        # tests that run in the background were told to ignore interrupts, and would hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
