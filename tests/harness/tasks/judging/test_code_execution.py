"""Untrusted programs: what passes, what doesn't, and what they can't do to the machine."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.fences import enclosure
from harness.fences.enclosure import Fences, available
from harness.tasks.judging import code_execution
from harness.tasks.judging.code_execution import Limits, Outcome, Program, run_programs

SMALL = Limits(seconds=20, memory_bytes=256 << 20, file_bytes=1 << 20)
pytestmark = pytest.mark.skipif(not available().enough, reason="programs are run behind seccomp alone")
landlocked = pytest.mark.skipif(not available().landlock, reason="needs Landlock")


def run(program: str, tests: str = "", limits: Limits = SMALL) -> Outcome:
    return run_programs([Program(program, tests)], limits=limits, allow_code_execution=True)[0]


def test_only_with_leave_and_behind_fences(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="--allow-code-execution"):
        run_programs(["pass"])
    monkeypatch.setattr(code_execution, "available", lambda: Fences(seccomp=False, landlock=7))
    with pytest.raises(UserError, match="only run behind the kernel's fences"):
        run_programs(["pass"], allow_code_execution=True)


def test_outcomes_are_in_order_and_say_why() -> None:
    programs = [
        "def f(x): return x + 1\nassert f(1) == 2", "def f(): pass\nassert f(), 'no'", "def (", "x = [0] * 10**9",
        "def f(): return [0] * 10**9\nassert f()", "import no_such", "def f(): pass\nassert g()",
        "import os\nos._exit(3)\nassert True", "import os\ndef f(): os.kill(os.getpid(), 9)\nassert f()",
    ]  # fmt: skip
    found = run_programs(programs, limits=SMALL, allow_code_execution=True, workers=2)
    assert [str(outcome) for outcome in found] == [
        "passed",
        "failed: AssertionError: no",
        "failed: SyntaxError: invalid syntax (program.py, line 1)",
        "memory: MemoryError",
        "memory: MemoryError",
        "failed: ModuleNotFoundError: No module named 'no_such'",
        "failed: NameError: name 'g' is not defined",
        "failed: ended before its tests did, with exit code 3",
        "timeout: processor time is up",
    ]


def test_a_program_without_tests_passes_at_its_end() -> None:
    assert str(run("x = 1")) == "passed"
    assert str(run("x = 1\nraise ValueError('no')")) == "failed: ValueError: no"


def test_numpy_is_there_where_it_is_named_and_the_same_each_time() -> None:
    with_it = Program("import numpy as np\ndef f(): return np.ones(2).sum()", "assert f() == 2")
    hidden = Program("np = __import__('num' + 'py')", "assert True")
    for _ in range(2):
        found = run_programs([with_it, hidden], allow_code_execution=True, workers=1)
        assert [outcome.passed for outcome in found] == [True, False]


def test_where_numpy_is_missing_the_import_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_execution, "_numpy_folders", lambda: ("", ()))
    monkeypatch.setattr(code_execution, "_idle", [])
    outcome = run("import numpy", "assert True")
    assert str(outcome) == "failed: ModuleNotFoundError: No module named 'numpy'"
    code_execution._end_servers()


@pytest.mark.parametrize(
    "end", ["raise ValueError(chr(0xd800))", "raise ValueError('\udc00 ü 🙂')", "raise Exception(b'x')"]
)
def test_whatever_a_program_says_fits_a_file(end: str) -> None:
    outcome = run(end)
    assert outcome.status == "failed"
    outcome.reason.encode()


def test_endless_programs_end() -> None:
    start = time.monotonic()
    endless = ["while True: pass", "import time; time.sleep(600)", "while True: pass\nassert True",
               "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"]  # fmt: skip
    found = run_programs(endless, limits=Limits(seconds=0.1), allow_code_execution=True, workers=4)
    assert [outcome.status for outcome in found] == ["timeout"] * 4
    assert time.monotonic() - start < 300, "long before the second ends by itself"


def test_endless_tests_end_too() -> None:
    outcome = run("def f(): pass", "while True: pass", Limits(seconds=0.1))
    assert outcome.status == "timeout"


@pytest.mark.parametrize(
    "deed",
    [
        "import os; os.fork()",
        "import os; os.kill(os.getppid(), 9)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true') and 1/0",
        "f = open('big', 'wb')\nfor _ in range(9): f.write(bytes(1 << 20)); f.flush()",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
        "input()",
        "import ctypes; ctypes.CDLL('/tmp/no.so')",
        "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "import os; os.mkfifo('f')",
        "import os; os.symlink('/', 'l')",
    ],
)
def test_deeds_that_are_refused(deed: str) -> None:
    outcome = run(deed)
    assert outcome.status == "failed", outcome
    assert "ended before" not in outcome.reason  # it was told, by an exception


DISK = {
    "many files": ("for i in range(1 << 20): open(str(i), 'w').close()", "more than 1000 files"),
    "nested folders": ("import os\nfor _ in range(3000): os.mkdir('n'); os.chdir('n')", "deeper than 32"),
    "much in all": ("for i in range(99):\n  with open(str(i), 'wb') as f: f.write(bytes(1 << 20))", "more than 4 MiB"),
    "removed and open": (
        "import os\nkept = []\nfor i in range(40):\n  f = open('x', 'wb')\n  f.write(bytes(1 << 20)); f.flush()\n"
        "  os.remove('x'); kept.append(f)\nimport time\ntime.sleep(30)", "removed files",
    ),
    "many threads": (
        "import threading, time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(30,)).start()",
        "more than 64 threads",
    ),
}  # fmt: skip


@landlocked
@pytest.mark.parametrize("name", DISK)
def test_what_the_kernel_does_not_count_is_watched(name: str) -> None:
    program, says = DISK[name]
    large = Limits(seconds=20, memory_bytes=8 << 30, file_bytes=1 << 20)
    outcome = run(program + "\ndef f(): return 1", "assert f() == 1", large)
    assert outcome.status == "failed" and says in outcome.reason, outcome


def test_nothing_is_left_behind() -> None:
    run("import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').close()\nos.makedirs('d', 0o700)")
    (server,) = code_execution._idle[-1:]
    assert list(Path(server.folder).iterdir()) == []
    code_execution._end_servers()
    assert not Path(server.folder).exists()


def test_files_outside_its_folder_and_the_environment_are_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    kept = tmp_path / "kept"
    kept.write_text("here")
    programs = [
        f"open({str(kept)!r}, 'w')",
        f"open({str(kept)!r})",
        f"import os; os.remove({str(kept)!r})",
        "import os; assert 'SECRET' in os.environ, os.environ",
    ]
    found = run_programs([Program(one) for one in programs], limits=SMALL, allow_code_execution=True)
    assert [outcome.status for outcome in found] == ["failed"] * 4
    assert kept.read_text() == "here"


def test_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(0.1)
        assert run(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)").status == "failed"
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_program_sees_nothing_of_its_tests_and_of_no_other_program() -> None:
    """Not in its memory, not in its descriptors: not even as bytes that were freed."""
    look = """
import gc, os
def words():
    texts = [one for one in gc.get_objects() if isinstance(one, (dict, list, tuple))]
    return sum("zebra" + "fish" in str(k) for one in texts for k in (one if isinstance(one, dict) else ()))
def descriptors(): return [d for d in range(64) if exists(d)]
def exists(d):
    try: os.fstat(d)
    except OSError: return False
    return True
"""
    run("zebrafish = 1", "assert zebrafish == 1")
    assert run(look, "zebrafish = words()\nassert zebrafish == 0").passed
    assert run(look, "assert len(descriptors()) == 5").passed  # null three times, and two pipes to the tester


def test_a_killed_harness_leaves_no_program(tmp_path: Path) -> None:
    script = (
        "from harness.tasks.judging.code_execution import run_programs\n"
        "run_programs(['import time; time.sleep(60)'], allow_code_execution=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=Path(code_execution.__file__).parents[3])
    seen: set[int] = set()
    end = time.monotonic() + 60
    while len(seen) < 3 and time.monotonic() < end:
        seen = descendants(parent.pid)
        time.sleep(0.05)
    assert len(seen) == 3, "a server, a candidate, a tester"
    commands = [os.fsdecode(part) for pid in seen for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    parent.kill()
    parent.wait()
    while any(Path(f"/proc/{pid}").exists() and alive(pid) for pid in seen) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in seen)
    folders = [Path(name) for name in commands if "harness-programs-" in name]
    assert folders and not any(folder.exists() for folder in folders)


def descendants(pid: int) -> set[int]:
    children = {int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()}
    return children.union(*(descendants(child) for child in children)) if children else set()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_server_that_dies_costs_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_execution, "_idle", [])
    assert run("x = 1").passed
    (server,) = code_execution._idle
    os.kill(server._process.pid, 9)
    assert "ended" in run("x = 1").reason
    assert run("x = 1").passed
    code_execution._end_servers()


def test_what_this_machine_has_is_one_sentence() -> None:
    assert "seccomp" in str(enclosure.available())
    assert "no file at all" in str(Fences(seccomp=True, landlock=0))
    assert "not run" in str(Fences(seccomp=False, landlock=0))
