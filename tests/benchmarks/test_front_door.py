"""`benchmarks/front_door.py` counts what a command leaves behind, and its memory; a command that fails ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.tiny_models import llama

ROOT = Path(__file__).parents[2]
PROGRAM = """
import ctypes, json, sys
sys.path.insert(0, "benchmarks")
import front_door
ctypes.CDLL(None).prctl(front_door.SUBREAPER, 1, 0, 0, 0)
print(json.dumps(front_door.run(([sys.executable, "-c", sys.argv[1]], {}))))
"""
LEAVES_WORK_BEHIND = """
import subprocess, sys, time
work = (
    "import time; held = bytearray(60_000_000); print('it is held', flush=True); time.sleep(1)\\n"
    "while time.process_time() < 0.4: pass"
)
behind = subprocess.Popen([sys.executable, "-c", work], start_new_session=True, stdout=subprocess.PIPE)
behind.stdout.readline()
time.sleep(0.7)
print("perplexity 35.84 per token")
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, program], capture_output=True, text=True, cwd=ROOT)


def test_what_a_command_leaves_behind_is_counted() -> None:
    taken: dict[str, Any] = json.loads(ran(LEAVES_WORK_BEHIND).stdout)
    assert taken["cpu_seconds"] > 0.4 and taken["peak_bytes"] > 60_000_000
    assert taken["perplexity"] == 35.84 and 0 <= taken["others_share"] <= 1


def test_a_command_that_fails_is_no_quick_one() -> None:
    done = ran("import sys; sys.exit('no such model')")
    assert done.returncode == 1 and "ended with status 1" in done.stderr and "no such model" in done.stderr


def test_a_ratio_is_of_one_round() -> None:
    program = """
import json, sys
sys.path.insert(0, "benchmarks")
from front_door import ratios
def one(x): return {"seconds": x, "cpu_seconds": x, "peak_bytes": x}
print(json.dumps(ratios({"harness": [one(1), one(10), one(2)], "other": [one(2), one(30), one(2)]})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout)["other"]["seconds"] == {"median": 2.0, "rounds": [2.0, 3.0, 1.0]}


def test_bench_stands_beside_what_a_user_would_write(tmp_path: Path) -> None:
    """The plain loop of `transformers` times both precisions of a model, and ours measures the same ones."""
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'benchmarks'); import front_door, json;"
        "jobs = front_door.commands(sys.executable, 'm', Path(sys.argv[1]), 1);"
        "compile(front_door.OPTIMUM, 'optimum.py', 'exec');"
        "print(json.dumps([front_door.TIMED, jobs['bench']['harness'][0], jobs['lockstep']['harness'][0]]))"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    timed, bench, lockstep = json.loads(ended.stdout)
    assert bench == [*lockstep, "--no-compare"] and lockstep[3:6] == ["bench", "m", "--precision"]
    small = timed.replace("(1, 128)", "(1, 8)").replace("(1, 32)", "(1, 4)").replace("/ (32 - 1)", "/ 3")
    assert small.count("(1, 4)") == 1
    llama().save_pretrained(tmp_path / "model")
    told = subprocess.run(
        [sys.executable, "-c", small, str(tmp_path / "model"), "1"], capture_output=True, text=True
    ).stdout
    assert [line.split(" ttft ")[0] for line in told.splitlines()] == ["torch.float32", "torch.bfloat16"]


def test_what_is_run_once_has_the_ratios_of_its_rounds() -> None:
    one = {"seconds": 2.0, "cpu_seconds": 1.0, "peak_bytes": 4}
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); import front_door, json;"
        "print(json.dumps(front_door.ratios(json.loads(sys.argv[1]))))"
    )
    sides = json.dumps({"harness": [one, one, one], "other": [{name: 3 * value for name, value in one.items()}]})
    found = json.loads(subprocess.check_output([sys.executable, "-c", program, sides], text=True, cwd=ROOT))
    assert found["other"]["seconds"] == {"median": 3.0, "rounds": [3.0]}
