"""A worker answers, dies alone, and never outlives its parent. Really killed, not simulated."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from harness.errors import Unsupported, UserError
from harness.execution.requests import Collect, Refused
from harness.execution.serve import refusal
from harness.execution.worker import Worker, WorkerDied
from harness.measures.perplexity import PerplexitySettings
from harness.models.contract import ModelSource
from harness.results.record import Status

NO_MODEL = Collect("perplexity", PerplexitySettings(text="x"), ModelSource("m", "reference", "/nowhere", "d"))


def gone(pid: int, within: float = 120.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_what_goes_wrong_in_a_worker_comes_back_as_one_sentence_and_the_worker_lives(tmp_path: Path) -> None:
    with Worker(1, tmp_path / "log") as worker:
        for _ in range(2):
            answer = worker.ask(NO_MODEL)
            assert isinstance(answer, Refused)
            assert answer.status is Status.FAILED
            assert "/nowhere" in answer.reason
            assert "\n" not in answer.reason


def test_a_killed_worker_is_noticed_and_named(tmp_path: Path) -> None:
    with Worker(1, tmp_path / "log") as worker:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            worker.ask(NO_MODEL)


def test_a_worker_that_a_signal_without_a_name_ended_is_noticed_and_named(tmp_path: Path) -> None:
    number = signal.SIGRTMIN + 3
    with Worker(1, tmp_path / "log") as worker:
        assert worker.pid is not None
        os.kill(worker.pid, number)
        with pytest.raises(WorkerDied, match=f"ended by signal {number}$"):
            worker.ask(NO_MODEL)


def test_a_worker_that_was_killed_in_the_middle_of_a_message_is_noticed_and_named(tmp_path: Path) -> None:
    with Worker(1, tmp_path / "log") as worker:
        assert worker.pid is not None
        whole = worker._connection
        worker._connection, theirs = multiprocessing.Pipe(duplex=False)
        os.write(theirs.fileno(), (100).to_bytes(4) + b"half of a message")
        theirs.close()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            worker.next_message()
        whole.close()


def test_ctrl_c_while_the_fork_server_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "pressed.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-c", "import harness.execution.preloaded"],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "HARNESS_PRELOADED": "pressed"},
        capture_output=True,
        text=True,
        check=False,
        # tests that run in the background were told to ignore interrupts, and would hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_server_that_was_killed_is_replaced(tmp_path: Path) -> None:
    with Worker(1, tmp_path / "log") as worker:
        server = psutil.Process(worker.pid).parent()
        assert server is not None and server.pid != os.getpid()
        server.kill()
        with Worker(1, tmp_path / "log") as other:
            assert isinstance(other.ask(NO_MODEL), Refused)


def test_no_process_to_be_had_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(process: BaseProcess) -> None:
        raise EOFError

    monkeypatch.setattr(BaseProcess, "start", fails)
    with pytest.raises(UserError, match="no worker process can be started"):
        Worker(1, tmp_path / "log")


def test_a_module_that_can_t_be_loaded_leaves_the_fork_server_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_PRELOADED", "json no.such.module colorsys")
    done = "import sys, harness.execution.preloaded; print('json' in sys.modules, 'colorsys' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", done], text=True) == "True False\n"


def test_a_worker_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    with Worker(1, tmp_path / "log") as worker:
        pid = worker.pid
    assert pid is not None
    assert gone(pid)


SCRIPT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from harness.execution.worker import Worker

    print("main module runs", flush=True)
    with Worker(1, Path(sys.argv[1])) as worker:
        print(worker.pid, flush=True)
        time.sleep(3600)
    """
)


def test_a_worker_dies_with_a_parent_that_is_killed_and_does_not_run_its_script_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "log")], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline().strip() == "main module runs"
    pid = int(parent.stdout.readline())  # a script that ran twice would have said so here
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()
    assert gone(pid)


BARE = re.compile(r"[A-Za-z_]*(Error|Exception|Interrupt)\b:")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (Unsupported("too long"), Status.SKIPPED, "too long"),
        (UserError("no file", place="x.txt"), Status.FAILED, "x.txt: no file"),
        (MemoryError(), Status.OUT_OF_MEMORY, "out of memory {}: a MemoryError without a message"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9"), Status.OUT_OF_MEMORY, "out of"),
        (RuntimeError("CUDA out of memory. Tried"), Status.OUT_OF_MEMORY, "out of memory {}: CUDA out of memory"),
        (ZeroDivisionError("division by zero\nmore"), Status.FAILED, "unexpected error {}: division by zero (Zero"),
        (KeyError("acc"), Status.FAILED, "unexpected error {}: nothing is called 'acc' (KeyError); the traceback is"),
        (ValueError(), Status.FAILED, "unexpected error {}: a ValueError without a message; the"),
        (OSError(2, "No such file", "x"), Status.FAILED, "unexpected error {}: x: No such file (FileNotFoundError)"),
        (ValueError("half \ud800"), Status.FAILED, "unexpected error {}: half \\ud800 (ValueError)"),
        (SystemExit(3), Status.FAILED, "unexpected error {}: 3 (SystemExit)"),
        (KeyboardInterrupt(), Status.FAILED, "unexpected error {}: a KeyboardInterrupt without a message"),
    ],
)
def test_errors_become_a_status_and_a_sentence(error: Exception, status: Status, reason: str) -> None:
    refused = refusal(error, "opening it")
    assert refused.status is status
    assert refused.reason.startswith(reason.format("while opening it"))
    assert "\n" not in refused.reason
    assert not BARE.match(refused.reason)
    refused.reason.encode(), refused.trace.encode()
    assert bool(refused.trace) is not isinstance(error, UserError | Unsupported), (
        "a sentence of ours needs no traceback"
    )
