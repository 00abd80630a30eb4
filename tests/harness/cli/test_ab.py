"""`harness ab` from the command line: exit codes, what is printed, what is written. The last test has real arms."""

from __future__ import annotations

import errno
import json
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import UserError
from harness.gate.arms.arm import Arm

TIMES = {"work:base": 20e6, "work:same": 20e6, "work:slow": 23e6, "work:fast": 16e6}


class Scripted:
    """An arm's process that takes the time that `TIMES` says."""

    def __init__(self, side: str, arm: Arm, environment: dict[str, str], log: Path) -> None:
        self.call = arm.workload
        self.generator = np.random.default_rng(int(environment["PYTHONHASHSEED"]) + (side == "b"))

    def ask(self, do: str, timeout: float, **request: Any) -> Any:
        nanoseconds = TIMES[self.call] * float(np.exp(self.generator.normal(0, 0.004)))
        output = {"why_not": "", "shape": "1", "sha256": "same", "count": 1}
        turn = int(nanoseconds * request.get("repeats", 1))
        answers: dict[str, Any] = {
            "open": {"python": "3", "built": "3", "executable": "python", "torch_threads": None},
            "warm": {"ns": nanoseconds, "computes": True, "output": output},
            "turn": {"wall_ns": turn, "cpu_ns": turn, "time": 1.0},
            "code": {"work": {"file": "/there/work.py", "files": 1, "sha256": "code"}},
            "states": {"/there/work.py": "as it was"},
            "used": 1.0,
            "pin": 0,
        }
        if do == "turn" and self.call == "work:fast" and request["repeats"] < 0:
            raise KeyboardInterrupt
        return answers[do]

    def hang_up(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gate.lockstep.begun.ArmProcess", Scripted)
    monkeypatch.setattr("harness.gate.lockstep.lockstep.others_share", lambda before, after, cores: 0.02)


@pytest.fixture(autouse=True)
def own_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ab", *words])
    if isinstance(done.exception, UserError):
        return int(done.exception.exit_code), str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("head", "code", "verdict"),
    [
        ("work:same", 0, "PASS: not slower by 5 % or more"),
        ("work:slow", 1, r"FAIL: slower by 1[45]\.?\d? % \[1[45].*\] \(margin 5 %\), also when measured once more"),
        ("work:fast", 0, r"PASS: faster by (20|19\.\d|20\.\d) % \[.*\] \(margin 5 %\), also when measured once more"),
    ],
)
@pytest.mark.usefixtures("scripted")
def test_exit_codes_and_verdicts(head: str, code: int, verdict: str) -> None:
    found, said = run("--a", "work:base", "--b", head, "--seed", "1", "--threads", "1")
    assert found == code and re.fullmatch(verdict, said.strip().splitlines()[-1])
    assert "differs   call" in said and "outputs   identical" in said and "margin 5 %, 1 thread" in said
    assert "launch  1" in said


@pytest.mark.usefixtures("scripted")
def test_too_few_launches_are_undecided() -> None:
    found, said = run("--a", "work:base", "--b", "work:slow", "--launches", "3", "--threads", "1")
    assert found == 3 and "INCONCLUSIVE: undecided after 3 launches" in said


@pytest.mark.usefixtures("scripted")
def test_json_and_record(tmp_path: Path) -> None:
    found, _ = run(
        "--a",
        "work:base",
        "--b",
        "work:slow",
        "--json",
        "verdict.json",
        "--seed",
        "2",
        "--threads",
        "1",
        "--junit",
        "j.xml",
        "--sarif",
        "s.json",
    )
    told = json.loads((tmp_path / "verdict.json").read_text())
    assert found == told["exit_code"] == 1 and told["verdict"] == "fail"
    assert told["cpu_ratio"]["low"] > 1.05 and told["clock"] == "cpu" and len(told["fresh_differences"]) == 5
    assert told["identical_code"]["launches"] == len(told["identical_code"]["differences"]) >= 4
    assert told["code"]["b"] == {"work": {"file": "/there/work.py", "files": 1, "sha256": "code"}}
    assert told["waits"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert '<failure message="FAIL: slower by' in (tmp_path / "j.xml").read_text()
    assert json.loads((tmp_path / "s.json").read_text())["runs"][0]["results"][0]["ruleId"] == "slower"
    lines = [json.loads(line) for line in (Path(told["folder"]) / "launches.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"comparison", "arms", "turn", "launch"}
    turn = next(line for line in lines if line["kind"] == "turn")
    assert {"launch", "arm", "position", "block", "wall_ns", "cpu_ns", "time", "repeats"} <= turn.keys()
    assert all("sha256" in line for line in lines)


@pytest.mark.usefixtures("scripted")
def test_a_against_itself_goes_into_the_ledger() -> None:
    found, said = run("--aa", "--a", "work:base", "--threads", "1")
    assert found == 0 and "0 of 1 decisions on identical code were a false FAIL (at most 95 %)" in said
    _, said = run("--aa", "--a", "work:base", "--threads", "1")
    assert "0 of 2 decisions" in said


@pytest.mark.usefixtures("scripted")
def test_the_same_code_twice_is_not_comparable() -> None:
    code, found = run("--a", "work:base", "--b", "work:base")
    assert code == 4 and "both arms run the same code with the same settings (work: /there" in found


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--a", "work"), "--a: 'work' is no arm"),
        (("--b", "here"), "it runs nothing: name a function"),
        (("--a", "work:base", "--b", "work:slow", "--margin", "0"), "--margin: is a share above 0"),
        (("--a", "work:base", "--b", "work:slow", "--minutes", "0"), "at least one launch and some time"),
        (("--a", "work:base", "--b", "work:slow", "--clock", "sun"), "is one of auto, wall, cpu, not 'sun'"),
        (("--a", "work:base", "--b", "work:slow", "--tolerance", "-1"), "--tolerance: is a share of 0 or more"),
        (("--a", "work:base", "--b", "work:slow", "--threads", "0"), "--threads: at least one thread"),
        (("--a", "work:base", "--b", "work:slow", "--aa"), "--aa: compares `--a` with itself"),
        (("--call", "work:base", "--arguments", "{"), "--arguments: arguments are JSON"),
        (("--call", "work:base", "--arguments", "[NaN]"), "--arguments: arguments are JSON"),
        (("--a", "work:base", "--b", "work:slow", "--seed", "-1"), "--seed: is a whole number of 0 or more"),
        (("--call", "work:base", "--command", "ls"), "a call or a command, not both"),
        (("--model", "micro", "--b", "precision=int8"), "arm a: the model 'micro' is looked for in a suite"),
        (("--model", "reference=gone", "--b", "precision=int8"), "arm a: no model folder 'gone'"),
        (("--a", "reference=x,train={tokns: 1}", "--b", "install=nothing"), "unknown key 'tokns'"),
        (("--model", "reference=gone", "--call", "work:base"), "or a call or command, not both"),
        (("--a", "work:base", "--b", "work:slow", "--time", "decod"), "--time: is one of prefill, decode"),
        (("--a", "work:base", "--b", "work:slow", "--generate", "1"), "--generate: is a number from 2"),
        (("--a", "work:base", "--b", "work:slow", "--quality-margin", "0"), "--quality-margin: is a share above 0"),
        (("--a", "precision=int8", "--b", "precision=fp32"), "arm a: it runs nothing: name a function"),
        (("--a", "work:base", "--b", "work:slow", "--json", "gone/v.json"), "--json: there is no folder gone; make it"),
        (("--a", "work:base", "--b", "work:slow", "--json", "."), "--json: . is a folder; name a file"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], said: str) -> None:
    code, found = run(*words)
    assert code == 2 and said in found


@pytest.mark.usefixtures("scripted")
def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    code, said = run("--a", "work:base", "--b", "work:slow", "--out", "out")
    assert code == 2 and "out: can't be written to" in said


def test_ctrl_c_shows_what_was_measured(scripted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    original, turns = Scripted.ask, []

    def ask(self: Scripted, do: str, timeout: float, **request: Any) -> Any:
        turns.append(do)
        if turns.count("open") > 8 and do == "turn":
            raise KeyboardInterrupt
        return original(self, do, timeout, **request)

    monkeypatch.setattr(Scripted, "ask", ask)
    done = CliRunner().invoke(app, ["ab", "--a", "work:base", "--b", "work:slow", "--threads", "1", "--json", "v.json"])
    assert done.exit_code == 130
    assert "INCONCLUSIVE: interrupted after 3 launches" in done.output
    assert json.loads(Path("v.json").read_text())["launches"] == 3
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.usefixtures("scripted")
def test_a_disk_that_is_full_shows_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    original, lines = Path.open, []

    def full(self: Path, *mode: Any, **more: Any) -> Any:
        if self.name == "launches.jsonl":
            lines.append(mode)
            if len(lines) > 500:
                raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, *mode, **more)

    def none(*given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr("harness.gate.lockstep.begun.kept_file.write_json", none)
    monkeypatch.setattr("harness.gate.lockstep.begun.ledger.keep", none)
    code, said = run("--a", "work:base", "--b", "work:slow", "--threads", "1", "--json", "v.json")
    assert code == 2 and "can't be written: the disk is full; free some space" in said
    told = json.loads(Path("v.json").read_text())
    assert told["launches"] > 1 and told["verdict"] == "inconclusive"


def test_real_arms_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real processes, for two launches: what they find is up to the machine."""
    monkeypatch.setattr("harness.gate.lockstep.launch.LAUNCH_NS", 50_000_000)
    monkeypatch.setattr("harness.gate.lockstep.launch.WARM_SECONDS", 0.01)
    loop = "def {}():\n    total = 0\n    for i in range({}):\n        total += i\n    return {}\n"
    (tmp_path / "work.py").write_text(loop.format("base", 3000, 7) + loop.format("slow", 6000, 7))
    code, said = run("--a", "work:base", "--b", "work:slow", "--threads", "1", "--launches", "2")
    assert code == 3, said
    assert "differs   call" in said and "outputs   identical" in said
    log = next((tmp_path / "results/ab").iterdir())
    assert {file.name for file in log.iterdir()} == {"launches.jsonl", "verdict.json", "a.log", "b.log"}
