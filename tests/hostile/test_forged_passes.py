"""Wrong programs that try to pass: none does, and none takes another program's verdict with it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.fences.enclosure import available
from harness.tasks.judging.code_execution import Limits, Outcome, Program, run_programs

FILE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("forged_passes.yaml").read_text(encoding="utf-8"))
ADD = FILE["tests"]["add"]
RIGHT = Program("def add(a, b): return a + b", ADD)

pytestmark = pytest.mark.skipif(not available().enough, reason="programs are run behind seccomp alone")


def attempt(one: dict[str, Any]) -> Program:
    text = one["program"] * one.get("repeated", 1)
    return Program(f"{FILE['like_anything']}\n{text}" if one.get("like_anything") else text, faced(one))


def faced(one: dict[str, Any]) -> str:
    return str(one["against"] if "against" in one else FILE["tests"][one["test"]])


def judged(programs: list[Program]) -> list[Outcome]:
    return run_programs(programs, limits=Limits(seconds=1), allow_code_execution=True)


def test_none_of_them_passes() -> None:
    outcomes = judged([attempt(one) for one in FILE["programs"]])
    forged = [one["name"] for one, outcome in zip(FILE["programs"], outcomes, strict=True) if outcome.passed]
    assert forged == []
    assert len(outcomes) >= 80
    assert not any("runs programs ended" in outcome.reason for outcome in outcomes), "the server lived through all"
    assert judged([RIGHT])[0].passed


def test_as_one_text_none_of_them_passes_either() -> None:
    texts = [f"{program.text}\n{ADD}\n" for one in FILE["programs"] if (program := attempt(one)).tests == ADD]
    outcomes = run_programs(texts, limits=Limits(seconds=1), allow_code_execution=True)
    assert [text for text, outcome in zip(texts, outcomes, strict=True) if outcome.passed] == []


VERDICT = """b'{"status": "passed", "reason": ""}'"""
WRITTEN = f"[os.write(d, {VERDICT}) for d in range(3, 40) if os.path.exists(d) and fcntl.fcntl(d, 3) & 3 == 1]"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\ncheck(add)"


@pytest.mark.parametrize(
    "end",
    [
        f"import os, fcntl\nassert {WRITTEN} and os._exit(0)\n{ADD}",
        f"assert sys._getframe().f_globals.update(add=lambda a, b: a + b) is None\n{ADD}",
        f"assert inspect.currentframe().f_globals.update(add=lambda a, b: a + b) is None\n{ADD}",
        f"assert collections.abc.sys.modules\n{ADD}",
        f"assert [one.end('passed') for one in gc.get_objects() if 'tester.Tester' in repr(one)]\n{ADD}",
        f"assert unittest.main(argv=['x'], module=None)\n{ADD}",
        f"@lambda f: lambda candidate: None\n{CHECK}",
        f"def skip(f): return lambda candidate: None\n@skip\n{CHECK}",
    ],
)
def test_what_a_program_writes_before_its_tests_is_no_test(end: str) -> None:
    text = f"def add(a, b): return 0\n{end}\n"
    assert not run_programs([text], limits=Limits(seconds=1), allow_code_execution=True)[0].passed


def test_the_tests_that_they_face_can_be_passed() -> None:
    """Else none of them would prove anything."""
    tests = list(dict.fromkeys(faced(one) for one in FILE["programs"]))
    outcomes = judged([Program(FILE["right"], test) for test in tests])
    assert [(test, str(one)) for test, one in zip(tests, outcomes, strict=True) if not one.passed] == []


def test_no_coroutine_of_the_tests_is_left_to_a_program() -> None:
    """No right program could await it, so that none passes."""
    inner = "async def inner():\n    assert add(1, 2) == 3\n"
    programs = [
        Program("def add(a, b): return 0\ndef run(of): pass", f"{inner}assert add(0, 0) == 0\nrun({handed})")
        for handed in ("inner()", "[inner()]", "{1: (inner(),)}")
    ]
    programs.append(
        Program(
            "def add(a, b): return 0\ndef run(f): f()",
            f"{inner}assert add(0, 0) == 0\nrun(inner)",
        )
    )
    assert ["can't await a coroutine" in one.reason for one in judged(programs)] == [True] * 4


def test_what_a_program_says_does_not_act_on_a_terminal() -> None:
    escaped = [one for one in FILE["programs"] if one["name"] == "escape sequences"]
    assert "\\x1b" in str(judged([attempt(one) for one in escaped])[0])
