"""The worker in a process of its own: what it answers, and how it ends."""

import ast
import base64
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.gate.arms import arm_worker
from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.arms.arm_process import WORKER, ArmFailed, ArmProcess, environment_of

CODE = """
import os, sys, time
from typing import NamedTuple
def once(): return [1.0, 2.5]
def doubled(n, by=2): return n * by
def made(n): return (n, 3)
def noisy(): print("chatter"); return sum(range(20000))
def sleeps(): time.sleep(0.001)
def raises(): raise ValueError("no such thing")
def dies(): print("last words", flush=True); os._exit(3)
def hangs(): print("still here", flush=True); time.sleep(600)
async def later(): pass
def wrapped(): return later()
def steps(): yield 1
class Timed(NamedTuple):
    value: object
    wall_ns: int
    cpu_ns: int
def part(): time.sleep(0.001); return Timed([7.0], 5, 3)
def refuses(): sys.exit("the kernel needs AVX-512")
class Kernel:
    def __init__(self): self.n = 4
    def method(self, by=1): return self.n * by
    @classmethod
    def made(cls): return cls()
    def __call__(self): return 6
class Later:
    async def __call__(self): pass
KERNEL, LATER = Kernel(), Later()
def plain(): return {"rows": [1, None, "x"]}
def no_data(): return {"rows": {1, 2}}
def chatty(): print("x" * 1000 * 1000); return 1
def written(): return {"text": "four", "ids": [1, 2, 3]}
NOT_A_FUNCTION = 3
"""

Started = Callable[..., ArmProcess]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts an arm's process; it is ended with the test."""
    (tmp_path / "work.py").write_text(CODE)
    running = []

    def start(choice: ArmChoice, paths: tuple[str, ...] = (), python: str = sys.executable) -> ArmProcess:
        arm = Arm(choice, python, paths)
        process = ArmProcess("b", arm, environment_of(arm, 1, {"PYTHONHASHSEED": "1"}), tmp_path / "b.log")
        running.append(process)
        return process

    yield start
    for process in running:
        process.close()


def opened(process: ArmProcess, folder: Path, **choice: Any) -> Any:
    asked = {"call": "", "command": "", "setup": "", "arguments": None} | choice
    return process.ask("open", 30, search=[str(folder)], **asked)


def test_a_call_from_end_to_end(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    said = opened(process, tmp_path, call="work:noisy")
    assert said["executable"] == sys.executable and said["torch_threads"] is None
    warmed = process.ask("warm", 30, seconds=0.05)
    assert warmed["ns"] > 1000 and warmed["output"]["count"] == 1 and not warmed["output"]["why_not"]
    if hasattr(os, "sched_setaffinity"):
        assert process.ask("pin", 30, share=0.999) == max(os.sched_getaffinity(0))
    turn = process.ask("turn", 30, repeats=5)
    assert turn["wall_ns"] > 0 and turn["cpu_ns"] > 0 and abs(turn["time"] - time.time()) < 60
    numbers = array("d")
    numbers.frombytes(base64.b64decode(process.ask("numbers", 30, start=0, count=1)))
    assert list(numbers) == [sum(range(20000))]
    code = process.ask("code", 30)
    assert code["work"]["file"] == str(tmp_path / "work.py") and code["work"]["files"] == 1
    assert not {"harness", "json", "os"} & set(code), "neither the harness nor Python's own"
    assert process.ask("states", 30).keys() == {str(tmp_path / "work.py")}
    assert process.ask("used", 30) > 0
    assert "chatter" in (tmp_path / "b.log").read_text(), "what it prints is no message"


def test_setup_and_arguments(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    for choice, value in (
        ({"arguments": [4]}, 8.0),
        ({"arguments": {"n": 4, "by": 5}}, 20.0),
        ({"setup": "work:made", "arguments": [4]}, 12.0),
    ):
        opened(process, tmp_path, call="work:doubled", **choice)
        process.ask("warm", 30, seconds=0.0)
        found = array("d", base64.b64decode(process.ask("numbers", 30, start=0, count=1)))
        assert found.tolist() == [value]


def test_what_only_computes_is_told_from_what_waits(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:sleeps")
    assert process.ask("warm", 30, seconds=0.05)["computes"] is False
    opened(process, tmp_path, call="work:noisy")
    process.ask("warm", 30, seconds=0.05)  # which may be disturbed: no claim


def test_a_command(started: Started, tmp_path: Path) -> None:
    script = tmp_path / "bench.py"
    script.write_text("print('7')")
    process = started(ArmChoice(command="x"))
    opened(process, tmp_path, command=f"python {script}")
    warmed = process.ask("warm", 30, seconds=0.0)
    assert warmed["computes"] is False and warmed["ns"] > 1e6
    turn = process.ask("turn", 30, repeats=1)
    assert turn["wall_ns"] > 1e6 and turn["cpu_ns"] > 1e6
    assert process.ask("code", 30)["bench.py"]["file"] == str(script)
    with pytest.raises(ArmFailed, match="there is no program 'nothing-like-it' in this arm's PATH"):
        opened(process, tmp_path, command="nothing-like-it --now")
    opened(process, tmp_path, command="python -c 'import sys; sys.exit(\"no input\")'")
    with pytest.raises(
        ArmFailed, match="its first calls failed: the command ended with 1; its last lines:\n  no input"
    ):
        process.ask("warm", 30, seconds=0.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("nothing:here", "loading failed: there is no module nothing in this arm's Python"),
        ("work:nope", "work.py has no nope"),
        ("work:NOT_A_FUNCTION", "is no function"),
        ("work:later", "does nothing when it is called"),
        ("work:steps", "does nothing when it is called"),
        ("work:LATER", "does nothing when it is called"),
        ("work:Kernel.method", "is a method of instances: name a `setup` that returns one"),
    ],
)
def test_what_can_not_be_loaded(started: Started, tmp_path: Path, call: str, said: str) -> None:
    with pytest.raises(ArmFailed, match="arm b: ") as caught:
        opened(started(ArmChoice()), tmp_path, call=call)
    assert said in str(caught.value)


def test_an_exception_names_its_line(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:raises")
    with pytest.raises(ArmFailed, match=r"its first calls failed: ValueError: no such thing \(in .*work.py:9\)"):
        process.ask("warm", 30, seconds=0.0)


def value_of(process: ArmProcess, folder: Path, **choice: Any) -> list[float]:
    opened(process, folder, **choice)
    count = process.ask("warm", 30, seconds=0.0)["output"]["count"]
    return array("d", base64.b64decode(process.ask("numbers", 30, start=0, count=count))).tolist()


def test_what_else_can_be_called(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    for choice, value in (
        ({"call": "work:KERNEL"}, [6.0]),
        ({"call": "work:Kernel.method", "setup": "work:Kernel"}, [4.0]),
        ({"call": "work:Kernel.method", "setup": "work:Kernel.made"}, [4.0]),
        ({"call": "math:hypot", "arguments": [3, 4]}, [5.0]),
        ({"call": "numpy:add", "arguments": [[1, 2], [3, 4]]}, [4.0, 6.0]),
    ):
        assert value_of(process, tmp_path, **choice) == value
    opened(process, tmp_path, call="work:wrapped")
    with pytest.raises(ArmFailed, match=r"that runs it to its end$"):
        process.ask("warm", 30, seconds=0.0)


def test_a_call_times_a_part_of_itself(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    assert value_of(process, tmp_path, call="work:part") == [7.0]
    turn = process.ask("turn", 30, repeats=4)
    assert (turn["wall_ns"], turn["cpu_ns"]) == (20, 12)


def test_a_call_that_refuses_is_its_sentence(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:refuses")
    with pytest.raises(ArmFailed, match=r"arm b: its first calls failed: the kernel needs AVX-512$"):
        process.ask("warm", 30, seconds=0.0)
    assert value_of(process, tmp_path, call="work:KERNEL") == [6.0], "and it goes on"


def test_a_value_is_plain_data(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:plain")
    assert json.loads(process.ask("value", 30)) == {"rows": [1, None, "x"]}
    opened(process, tmp_path, call="work:no_data")
    with pytest.raises(ArmFailed, match="a call failed: TypeError: Object of type set"):
        process.ask("value", 30)


def test_how_much_is_returned(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:written")
    assert process.ask("warm", 30, seconds=0.0)["output"]["length"] == len("text" + "four" + "ids") + 3


def test_megabytes_that_are_printed_disturb_nothing(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    assert value_of(process, tmp_path, call="work:chatty") == [1.0]
    assert process.ask("turn", 30, repeats=5)["wall_ns"] > 0
    assert (tmp_path / "b.log").stat().st_size > 5_000_000


def test_of_what_is_printed_the_end_is_kept(started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gate.arms.arm_process.MOST_LOG", 3_000_000)
    process, log = started(ArmChoice()), tmp_path / "b.log"
    opened(process, tmp_path, call="work:chatty")
    process.ask("turn", 30, repeats=5)
    assert log.stat().st_size <= 4000
    process.ask("turn", 30, repeats=1)
    assert 900_000 < log.stat().st_size < 1_200_000 and set(log.read_text()) == {"x", "\n"}


def test_an_arm_that_dies_says_its_status_and_its_last_words(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:dies")
    with pytest.raises(
        ArmFailed, match=r"it ended during its first calls: exit status 3; its last lines:\n  last words"
    ):
        process.ask("warm", 30, seconds=0.0)
    with pytest.raises(ArmFailed, match="it ended during a turn"):
        process.ask("turn", 30, repeats=1)


def test_an_arm_that_hangs_is_ended(started: Started, tmp_path: Path) -> None:
    process = started(ArmChoice())
    opened(process, tmp_path, call="work:hangs")
    began = time.monotonic()
    with pytest.raises(ArmFailed, match=r"its first calls took more than 0 s, so it was ended"):
        process.ask("warm", 0.3, seconds=0.0)
    process.close()
    assert time.monotonic() - began < 10


def test_an_interpreter_that_is_none(started: Started) -> None:
    with pytest.raises(ArmFailed, match="/nothing/python can't be started"):
        started(ArmChoice(), python="/nothing/python")


def test_modules_of_the_arm_come_first_the_current_folder_last_and_the_worker_s_never(
    started: Started, tmp_path: Path
) -> None:
    for folder, value in (("first", 1), ("here", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "which.py").write_text(f"def f(): return {value}")
    (tmp_path / "here" / "json.py").write_text("raise RuntimeError('shadowed')")
    (tmp_path / "here" / "launch.py").write_text("def f(): return 5")
    process = started(ArmChoice(), paths=(str(tmp_path / "first"),))
    opened(process, tmp_path / "here", call="which:f")
    assert process.ask("code", 30)["which"]["file"] == str(tmp_path / "first" / "which.py")
    opened(process, tmp_path / "here", call="launch:f")
    assert process.ask("code", 30)["launch"]["file"] == str(tmp_path / "here" / "launch.py")


def test_libraries_that_ctypes_loads_are_code_too(started: Started, tmp_path: Path) -> None:
    compiler = next((name for name in ("cc", "gcc") if _runs(name)), None)
    if compiler is None or not Path("/proc/self/maps").exists():
        pytest.skip("no compiler, or no /proc")
    (tmp_path / "k.c").write_text("int f(void) { return 7; }")
    subprocess.run([compiler, "-shared", "-o", tmp_path / "kernel.so", tmp_path / "k.c"], check=True)
    (tmp_path / "bound.py").write_text(f"import ctypes\nf = ctypes.CDLL({str(tmp_path / 'kernel.so')!r}).f")
    process = started(ArmChoice())
    opened(process, tmp_path, call="bound:f")
    code = process.ask("code", 30)
    assert code["libraries"]["file"] == str(tmp_path / "kernel.so")


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True).returncode == 0
    except OSError:
        return False


def test_threads_and_quiet_waits_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    found = environment_of(
        Arm(ArmChoice(env={"MY": "1"}), "/opt/py/bin/python", ("/first",)), 3, {"PYTHONHASHSEED": "9"}
    )
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "3"
    assert found["OMP_WAIT_POLICY"] == "PASSIVE" and found["KMP_BLOCKTIME"] == "0"
    assert found["PYTHONPATH"] == os.pathsep.join(["/first", "/mine"]) and found["MY"] == "1"
    assert found["PATH"].startswith("/opt/py/bin" + os.pathsep)


def test_the_worker_needs_the_standard_library_alone() -> None:
    tree = ast.parse(WORKER.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {*sys.stdlib_module_names, "collections.abc", "__future__"}
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(WORKER)!r})"])
    assert done.returncode == 0
    assert arm_worker.MOST_NUMBERS > 0
