"""Arms as Python has them: what can be imported by another process, and what can't."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import numpy as np
import pytest

import harness
from harness.errors import UserError
from harness.gate.arms.arm import ArmChoice
from harness.gate.arms.callables import arm_of, choice_of
from harness.gate.lockstep.begun import Begun
from harness.gate.lockstep.decide_all import decide_all
from harness.gate.lockstep.launches_table import COLUMNS
from harness.gate.lockstep.outcome import Verdict
from harness.gate.lockstep.question import Question
from harness.statistics.speed_decision import Rule


class Kernel:
    """Something that is called, and has methods."""

    def __call__(self) -> int:
        return 1

    def method(self) -> int:
        return 2

    @classmethod
    def of_class(cls) -> int:
        return 3

    @staticmethod
    def plain() -> int:
        return 4


def base() -> int:
    return 1


def head() -> int:
    return 1


KERNEL = Kernel()
bound = Kernel().method


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (base, "base"),
        (KERNEL, "KERNEL"),
        (Kernel.of_class, "Kernel.of_class"),
        (Kernel.plain, "Kernel.plain"),
        (Kernel, "Kernel"),
    ],
)
def test_what_can_be_imported(function: Any, call: str) -> None:
    assert arm_of(function) == ArmChoice(call=f"{__name__}:{call}")
    assert choice_of(function, "arm a") == arm_of(function)


def test_functions_of_others() -> None:
    assert arm_of(math.hypot).call == "math:hypot"
    assert arm_of(json.dumps).call == "json:dumps"
    assert arm_of(np.linalg.norm).call == "numpy.linalg:norm"
    assert choice_of("numpy:tanh", "arm a").call == "numpy:tanh"


@pytest.mark.parametrize(
    "function",
    [lambda: 1, KERNEL.method, functools.partial(base), type("Local", (), {"__call__": base})()],
)
def test_what_can_not_be_imported(function: Any) -> None:
    with pytest.raises(UserError, match="can't be imported by another process"):
        arm_of(function)


def test_what_is_no_arm() -> None:
    with pytest.raises(UserError, match="arm b: an arm is a function, a string or an ArmChoice, not 3"):
        choice_of(3, "arm b")  # type: ignore[arg-type]


def cost(call: str, number: int, generator: np.random.Generator) -> float:
    factor = 1.2 if call.endswith("head") else 1.0
    return 20e6 * factor * float(np.exp(generator.normal(0, 0.004)))


@pytest.fixture
def scripted(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Arms that take the time that `cost` says."""
    there = world(cost)
    monkeypatch.setattr(Begun, "_start", lambda self, side, arm, drawn: there.start(side, arm, drawn))
    return there


def test_from_python(scripted: Any) -> None:
    found = harness.ab(base, head, threads=1, seed=1)
    assert found.outcome.verdict is Verdict.FAIL
    table = found.table
    assert list(table.columns) == COLUMNS and list(table["launch"]) == list(range(1, len(table) + 1))
    assert table["kind"].value_counts().to_dict() == {"first": 8, "fresh": 5, "identical": 7}
    assert table.loc[table["kind"] == "first", "difference"].median() == pytest.approx(math.log(1.2), abs=0.01)
    assert harness.ab(f"{__name__}:base", f"{__name__}:same", threads=1).outcome.verdict is Verdict.PASS


def test_several_comparisons_share_the_chance_of_an_alarm(scripted: Any) -> None:
    questions = [
        Question(a=base, b=head, threads=1, seed=1),
        Question(a=base, b=f"{__name__}:same", threads=1, seed=2, rule=Rule(margin=0.03)),
        Question(a=base, threads=1, b="python=/nothing"),
    ]
    slower, same, none = decide_all(questions, 10)
    assert not isinstance(slower, UserError) and not isinstance(same, UserError)
    assert slower.outcome.verdict is Verdict.FAIL and slower.rule.tests == 3 and slower.rule.fewest == 9
    assert same.outcome.verdict is Verdict.PASS and same.rule.margin == 0.03
    assert isinstance(none, UserError) and "there is no interpreter /nothing" in str(none)
    assert slower.folder != same.folder and (slower.folder / "verdict.json").exists()


def test_a_comparison_that_fails_costs_the_others_nothing(scripted: Any) -> None:
    scripted.fails = dict.fromkeys(range(100), "")
    scripted.fails[1] = "it ended during a turn"
    found = decide_all([Question(a=base, b=head, threads=1, seed=1), Question(a=base, b=head, threads=1, seed=2)], 10)
    assert isinstance(found[0], UserError) and "it ended during a turn" in str(found[0])
    assert not isinstance(found[1], UserError) and found[1].outcome.verdict is Verdict.FAIL


def test_ctrl_c_tells_of_all(scripted: Any) -> None:
    scripted.interrupt_in = 20
    told: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        decide_all(
            [Question(a=base, b=head, threads=1), Question(a=base, b=f"{__name__}:same", threads=1)], 10, told.append
        )
    ended = [one for one in told if hasattr(one, "outcome")]
    assert len(ended) == 2 and sum(one.outcome.launches for one in ended) > 2
