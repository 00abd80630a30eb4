"""Wrong programs that try to pass: none does, and none takes another program's verdict with it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.fences.enclosure import available
from harness.tasks.code_execution import Limits, Outcome, Program, run_programs

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


def test_the_tests_that_they_face_can_be_passed() -> None:
    """Else none of them would prove anything."""
    tests = list(dict.fromkeys(faced(one) for one in FILE["programs"]))
    outcomes = judged([Program(FILE["right"], test) for test in tests])
    assert [(test, str(one)) for test, one in zip(tests, outcomes, strict=True) if not one.passed] == []


def test_what_a_program_says_does_not_act_on_a_terminal() -> None:
    escaped = [one for one in FILE["programs"] if one["name"] == "escape sequences"]
    assert "\\x1b" in str(judged([attempt(one) for one in escaped])[0])
