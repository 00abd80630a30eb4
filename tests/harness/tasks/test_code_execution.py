"""Untrusted programs: what passes, what doesn't, and what they can't do to the machine."""

import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks import code_execution
from harness.tasks.code_execution import Limits, Outcome, run_programs

SMALL = Limits(seconds=20, memory_bytes=256 << 20, file_bytes=1 << 20)


def run(program: str) -> Outcome:
    return run_programs([program], limits=SMALL, allow_code_execution=True)[0]


def test_only_with_leave() -> None:
    with pytest.raises(UserError, match="--allow-code-execution"):
        run_programs(["pass"])


def test_outcomes_are_in_order_and_say_why() -> None:
    programs = ["def f(x): return x + 1\nassert f(1) == 2", "assert False, 'no'", "def (", "x = [0] * 10**9"]
    found = run_programs(programs, limits=SMALL, allow_code_execution=True, workers=2)
    assert [str(outcome) for outcome in found] == [
        "passed",
        "failed: AssertionError: no",
        "failed: SyntaxError: invalid syntax (program.py, line 1)",
        "memory: MemoryError",
    ]


def test_the_standard_library_works() -> None:
    program = """
import asyncio, collections, dataclasses, datetime, decimal, functools, hashlib, heapq, itertools, json, math, os
import random, re, statistics, threading, typing
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
@dataclasses.dataclass
class Point:
    x: int
async def one(): return 1
assert asyncio.run(one()) == 1 and hashlib.md5(b"1").hexdigest().startswith("c4")
with open("notes", "w") as file: file.write("1")
assert open("notes").read() == "1" and os.listdir() == ["notes"]
os.remove("notes")
"""
    assert str(run(program)) == "passed"


@pytest.mark.parametrize(
    "leave",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "raise SystemExit",
        'import os\nfor fd in range(1, 32):\n  try: os.write(fd, b\'{"status": "passed", "nonce": ""}\\n\')\n'
        "  except OSError: pass\nos._exit(0)",
    ],
)
def test_leaving_before_the_tests_is_no_pass(leave: str) -> None:
    outcome = run(f"{leave}\nassert False")
    assert outcome.status == "failed"


@pytest.mark.parametrize(
    "end", ["raise ValueError(chr(0xd800))", "raise ValueError('\udc00 ü 🙂')", "raise Exception(b'x')"]
)
def test_whatever_a_program_says_fits_a_file(end: str) -> None:
    outcome = run(end)
    assert outcome.status == "failed"
    outcome.reason.encode()


def test_endless_programs_end() -> None:
    start = time.monotonic()
    endless = ["while True: pass", "import time; time.sleep(600)"]
    found = run_programs(endless, limits=Limits(seconds=0.1), allow_code_execution=True, workers=2)
    assert [outcome.status for outcome in found] == ["timeout", "timeout"]
    assert time.monotonic() - start < 300, "long before the second ends by itself"


@pytest.mark.parametrize(
    "deed",
    [
        "import os; os.fork()",
        "import os; os.kill(os.getppid(), 9)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "f = open('big', 'wb')\nfor _ in range(9): f.write(bytes(1 << 20)); f.flush()",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
        "input()",
        "import ctypes; ctypes.CDLL(None)",
    ],
)
def test_deeds_that_are_refused(deed: str) -> None:
    outcome = run(deed)
    assert outcome.status == "failed", outcome
    assert "ended before" not in outcome.reason  # it was told, by an exception


def test_files_outside_its_folder_and_the_environment_are_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    kept = tmp_path / "kept"
    kept.write_text("here")
    programs = [
        f"open({str(kept)!r}, 'w')",
        f"import os; os.remove({str(kept)!r})",
        "import os; assert 'SECRET' in os.environ",
    ]
    found = run_programs(programs, limits=SMALL, allow_code_execution=True)
    assert [outcome.status for outcome in found] == ["failed"] * 3
    assert kept.read_text() == "here"


def test_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.1)
        assert run(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)").status == "failed"
        with pytest.raises(TimeoutError):
            server.accept()


_WITHOUT_HOOK = """
import importlib.util, os, socket, sys, threading
spec = importlib.util.spec_from_file_location("code_sandbox", sys.argv[1])
sandbox = importlib.util.module_from_spec(spec); spec.loader.exec_module(sandbox)
kept = sys.argv[2]
limits = {"cpu_seconds": 5, "file_bytes": 1 << 20, "open_files": 64, "memory_bytes": 1 << 30}
fences = sandbox.fence_in(os.path.realpath("."), limits)
tries = {
    "fork": os.fork,
    "signal": lambda: os.kill(os.getppid(), 0),
    "socket": socket.socket,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "chmod": lambda: os.chmod(kept, 0o777),
    "read": lambda: open(kept).read(),
    "write": lambda: open(kept, "w"),
    "remove": lambda: os.remove(kept),
    "mkdir": lambda: os.mkdir(kept + ".d"),
}
done = []
for name, deed in tries.items():
    try:
        deed()
        done.append(name)
    except PermissionError:
        pass
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
with open("inside", "w") as file: file.write("1")
print(*fences, "|", *done)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's fences are Linux'")
def test_the_kernel_refuses_without_the_audit_hook(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("here")
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Path(code_execution.__file__).with_name("code_sandbox.py")
        told = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _WITHOUT_HOOK, str(sandbox), str(kept)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    fences, _, done = told.stdout.strip().partition("|")
    if "seccomp" not in fences or "landlock" not in fences:
        pytest.skip(f"this kernel has no more than: {fences or 'nothing'}")
    assert done.strip() == ""
    assert kept.read_text() == "here"
