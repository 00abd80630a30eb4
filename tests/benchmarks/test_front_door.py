"""`benchmarks/front_door.py` counts what a command leaves behind, and its memory; a command that fails ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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
