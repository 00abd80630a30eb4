"""One budget for several comparisons: scripted arms that share a clock."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.gate.arms.arm_process import ArmFailed
from harness.gate.lockstep.lockstep import Limits, Lockstep, Measured
from harness.gate.lockstep.outcome import Verdict, judge
from harness.gate.lockstep.shared_time import launches_left, share_time
from harness.statistics.speed_decision import Rule

RULE = Rule(margin=0.05, tests=3)


def comparison(world: Any, arm: Callable[[str], Any], factor: float, noise: float) -> tuple[Any, Lockstep]:
    def cost(call: str, number: int, generator: np.random.Generator) -> float:
        return 20e6 * (factor if "head" in call else 1.0) * float(np.exp(generator.normal(0, noise)))

    there = world(cost, seed=3)
    lockstep = Lockstep(
        {"a": arm("m:base"), "b": arm("m:head")},
        RULE,
        Limits(),
        start=there.start,
        record=lambda line: None,
        tell=lambda told: None,
        seed=7,
        search="/here",
        now=there.now,
    )
    return there, lockstep


@pytest.fixture
def three(world: Any, arm: Any) -> tuple[Callable[[], float], list[Lockstep]]:
    """Equal, slower, and one that is too noisy to tell; the clock counts what all of them took."""
    made = [comparison(world, arm, *how) for how in ((1.0, 0.005), (1.2, 0.005), (1.03, 0.25))]
    return lambda: float(sum(there.seconds for there, _ in made)), [lockstep for _, lockstep in made]


def test_all_are_decided_where_there_is_time(three: Any) -> None:
    now, comparisons = three
    share_time(comparisons, 60, now)
    verdicts = [judge(one.measured, RULE, Limits()).verdict for one in comparisons]
    assert verdicts == [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]
    assert comparisons[1].measured.fresh and comparisons[2].measured.ran_out == "the most that there may be"


def test_time_goes_to_what_it_decides(three: Any) -> None:
    """So little that the noisy one would eat it up: the two that can be decided are."""
    now, comparisons = three
    share_time(comparisons, 1.5, now)
    assert [judge(one.measured, RULE, Limits()).verdict for one in comparisons[:2]] == [Verdict.PASS, Verdict.FAIL]
    assert "1.5 minutes for all comparisons were over" in comparisons[2].measured.ran_out
    assert now() < 1.5 * 60 + 8


def test_no_time_at_all(three: Any) -> None:
    now, comparisons = three
    assert share_time(comparisons, 0, now) == [None, None, None]
    found = judge(comparisons[0].measured, RULE, Limits())
    assert found.verdict is Verdict.INCONCLUSIVE and "undecided after 0 launches, as 0 minutes" in found.reasons[0]


def test_one_that_fails_leaves_the_time_to_the_others(three: Any) -> None:
    now, comparisons = three

    def fail(launches: int | None = None, until: float | None = None) -> bool:
        raise ArmFailed("it ended", place="arm b")

    comparisons[0].go_on = fail
    failed = share_time(comparisons, 60, now)
    assert str(failed[0]) == "arm b: it ended" and failed[1:] == [None, None]
    assert judge(comparisons[1].measured, RULE, Limits()).verdict is Verdict.FAIL


def test_what_is_found_is_nearest_and_no_evidence_is_farthest() -> None:
    def left(*differences: float) -> float:
        measured = Measured()
        measured.first = [type("One", (), {"difference": d})() for d in differences]
        return launches_left(measured, RULE)

    assert left() == 8 and left(*[0.0] * 5) == 3
    assert left(*[0.2] * 12) == 5
    assert left(*[0.051, 0.049] * 6) > left(*[0.02, 0.025] * 6)
