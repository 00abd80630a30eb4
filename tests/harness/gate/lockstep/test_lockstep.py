"""Launches until they decide: with scripted arms and a clock of the test's own."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ExitCode, UserError
from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import ArmFailed
from harness.gate.arms.outputs import Sameness
from harness.gate.lockstep.lockstep import CONFIRMING, MOST_CONFIRMING, Limits, Lockstep
from harness.gate.lockstep.outcome import Outcome, Verdict, judge
from harness.gate.lockstep.quality_of_arms import unread
from harness.statistics.speed_decision import Decision, Rule

MS = 20e6
RULE = Rule(margin=0.05)


def cost_of(factor: float, noise: float = 0.005, by_launch: dict[int, float] | None = None) -> Callable[..., float]:
    """A call of 20 ms; the head takes `factor` of it, in some launches another one."""

    def cost(call: str, number: int, generator: np.random.Generator) -> float:
        of_head = (by_launch or {}).get(number, factor)
        return MS * (of_head if "head" in call else 1.0) * float(np.exp(generator.normal(0, noise)))

    return cost


def session(there: Any, arm: Callable[[str], Arm], limits: Limits | None = None, **more: Any) -> Lockstep:
    return Lockstep(
        more.pop("arms", {"a": arm("m:base"), "b": arm("m:head")}),
        RULE,
        limits or Limits(),
        start=there.start,
        record=there.__dict__.setdefault("lines", []).append,
        tell=lambda told: None,
        seed=7,
        search="/here",
        now=there.now,
        **more,
    )


def judged(there: Any, arm: Callable[[str], Arm], limits: Limits | None = None, **more: Any) -> Outcome:
    return judge(session(there, arm, limits, **more).measure(), RULE, limits or Limits(), more.get("tolerance"))


def test_equal_speed_passes_after_the_fewest_launches(world: Any, arm: Any) -> None:
    found = judged(world(cost_of(1.0)), arm)
    assert found.verdict is Verdict.PASS and found.verdict.exit_code == ExitCode.PASS
    assert (found.launches, found.beside, found.fresh) == (8, 4, 0)
    assert found.wall_ratio is not None and found.wall_ratio.low is not None
    assert found.outputs.sameness is Sameness.IDENTICAL
    assert found.wall_ratio is not None and found.wall_ratio.value == pytest.approx(1.0, abs=0.01)


def test_a_slowdown_fails_and_was_measured_once_more(world: Any, arm: Any) -> None:
    found = judged(world(cost_of(1.10)), arm)
    assert found.verdict is Verdict.FAIL and found.verdict.exit_code == ExitCode.UNMET
    assert found.launches == 8 and found.fresh == CONFIRMING
    assert found.wall_ratio is not None and found.wall_ratio.low is not None
    assert 1.05 < found.wall_ratio.low < 1.10 < found.wall_ratio.high < 1.15  # type: ignore[operator]
    assert "also when measured once more" in found.reasons[0]


def test_a_slowdown_that_is_gone_when_measured_once_more_is_undecided(world: Any, arm: Any) -> None:
    """As a lucky layout does: the first launches say so, fresh ones don't."""
    there = world(cost_of(1.0, by_launch=dict.fromkeys(range(1, 13), 1.1)))
    found = judged(there, arm)
    assert found.verdict is Verdict.INCONCLUSIVE and found.verdict.exit_code == ExitCode.INCONCLUSIVE
    assert "did not confirm" in found.reasons[0] and found.fresh == MOST_CONFIRMING


def test_a_small_slowdown_is_minor(world: Any, arm: Any) -> None:
    there = world(cost_of(1.045, noise=0.002))
    found = judged(there, arm)
    assert found.verdict is Verdict.MINOR and found.verdict.exit_code == ExitCode.PASS


def test_a_gain_is_claimed_after_as_much_evidence_as_a_loss(world: Any, arm: Any) -> None:
    found = judged(world(cost_of(0.90)), arm)
    assert found.verdict is Verdict.PASS and found.faster
    assert found.launches == 8 and found.fresh == CONFIRMING
    gone = judged(world(cost_of(1.0, by_launch=dict.fromkeys(range(1, 13), 0.9))), arm)
    assert gone.verdict is Verdict.PASS and not gone.faster
    assert "did not confirm" in gone.reasons[1]


def test_noise_ends_at_the_cap_and_says_what_was_seen(world: Any, arm: Any) -> None:
    there = world(cost_of(1.04, noise=0.0, by_launch={n: 1.04 + 0.06 * (-1) ** n for n in range(1, 60)}))
    found = judged(there, arm, Limits(launches=8))
    assert found.verdict is Verdict.INCONCLUSIVE and found.launches == 8
    said = "undecided after 8 launches, the most that there may be: a slowdown of +7.5 % or more would have been seen"
    assert said in found.reasons[0]


def test_a_machine_that_can_not_see_the_margin_passes_nothing(world: Any, arm: Any) -> None:
    """Launches scatter by 20 %: those of one that passes by luck are not believed."""

    def cost(call: str, number: int, generator: np.random.Generator) -> float:
        return MS * (0.9 if "head" in call else 1.0) * (shift[number] if there.side == "b" else 1.0)

    there = world(cost)
    shift = {n: float(np.exp(0.25 * (-1) ** (n // 2))) for n in range(1, 90)}
    found = judged(there, arm)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "this machine can't see 5 % now: launches of identical code scatter by" in found.reasons[0]


def test_time_that_is_over_ends_it(world: Any, arm: Any) -> None:
    there = world(cost_of(1.04, noise=0.03))
    found = judged(there, arm, Limits(minutes=0.1))
    assert found.verdict is Verdict.INCONCLUSIVE and 1 <= found.launches <= 4
    assert "as 0.1 minutes were over" in found.reasons[0]
    assert there.seconds < 0.1 * 60 + 5


def test_a_finding_at_the_cap_is_measured_once_more_too(world: Any, arm: Any) -> None:
    found = judged(world(cost_of(1.2)), arm, Limits(launches=7))
    assert found.verdict is Verdict.FAIL and (found.launches, found.fresh) == (7, CONFIRMING)


def test_one_launch_is_never_enough(world: Any, arm: Any) -> None:
    found = judged(world(cost_of(2.0)), arm, Limits(launches=1))
    assert found.verdict is Verdict.INCONCLUSIVE and "give it more --launches" in found.reasons[0]
    assert found.wall_ratio is not None and found.wall_ratio.low is None


def test_a_clock_of_the_day_that_jumps_moves_nothing(world: Any, arm: Any) -> None:
    straight, there = session(world(cost_of(1.1)), arm), world(cost_of(1.1))
    original, days = there.start, iter(range(0, -(10**9), -86400))

    def start(side: Any, which: Arm, drawn: Any) -> Any:
        worker = original(side, which, drawn)
        turn = worker.turn
        worker.turn = lambda request: {**turn(request), "time": float(next(days))}
        return worker

    there.start = start
    jumping = session(there, arm)
    assert jumping.measure().differences == straight.measure().differences


def test_no_variance_at_all(world: Any, arm: Any) -> None:
    same = judged(world(cost_of(1.0, noise=0.0)), arm)
    assert same.verdict is Verdict.PASS and same.scatter == 0.0
    slow = judged(world(cost_of(1.5, noise=0.0)), arm)
    assert slow.verdict is Verdict.FAIL


def test_whoever_is_second_is_slower_and_nobody_fails(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    there.second = 1.08
    assert judged(there, arm).verdict is Verdict.PASS


def test_a_machine_that_tells_a_from_itself_is_not_believed(world: Any, arm: Any) -> None:
    """Something favors the second process, in a against itself too."""
    there = world(lambda call, number, generator: MS * float(np.exp(generator.normal(0, 0.003))))
    original = there.start

    def start(side: Any, which: Arm, drawn: Any) -> Any:
        worker = original(side, which, drawn)
        if side == "b":
            worker._cost = lambda: MS * 1.1
        return worker

    there.start = start
    found = judged(there, arm)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "a against itself differs by +10 %" in found.reasons[0]


def test_the_launches_before_a_failing_one_are_kept(world: Any, arm: Any) -> None:
    there = world(cost_of(1.04, noise=0.03))
    there.fails[4] = "it ended during a turn: killed by SIGKILL"
    lockstep = session(there, arm)
    with pytest.raises(ArmFailed, match="SIGKILL"):
        lockstep.measure()
    assert len(lockstep.measured.first) + len(lockstep.measured.beside) == 3
    assert [line["launch"] for line in there.lines if line["kind"] == "launch"] == [1, 2, 3]


def test_ctrl_c_keeps_what_was_measured(world: Any, arm: Any) -> None:
    there = world(cost_of(1.1))
    there.interrupt_in = 3
    lockstep = session(there, arm)
    with pytest.raises(KeyboardInterrupt):
        lockstep.measure()
    found = judge(lockstep.measured, RULE, Limits(), interrupted=True)
    assert found.verdict is Verdict.INCONCLUSIVE and "interrupted after 1 launch" in found.reasons[0]


def test_the_same_code_twice_is_refused_unless_it_is_meant(world: Any, arm: Any) -> None:
    both = {"a": arm("m:base"), "b": arm("m:base")}
    with pytest.raises(UserError, match="both arms run the same code"):
        judged(world(cost_of(1.0)), arm, arms=both)
    found = judged(world(cost_of(1.0)), arm, arms=both, same_arms=True)
    assert found.verdict is Verdict.PASS and found.beside == 0
    other = world(cost_of(1.0))
    other.code["b"] = "edited"
    assert judged(other, arm, arms=both).verdict is Verdict.PASS


def test_code_that_is_edited_on_the_way_is_refused(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    there.edited_in = 3
    with pytest.raises(UserError, match=r"changed while it was measured \(/there/kernels.py\)"):
        judged(there, arm)


def test_an_environment_of_which_nothing_is_loaded_is_refused(world: Any, arm: Any) -> None:
    head = Arm(arm("m:head").choice, "/usr/bin/python3", paths=("/built/aside",), environment="revision main")
    both = Arm(head.choice, head.python, paths=("/there", "/built/aside"), environment="revision main")
    with pytest.raises(UserError, match="nothing was loaded from /built/aside"):
        judged(world(cost_of(1.0)), arm, arms={"a": arm("m:base"), "b": both})
    with pytest.raises(
        UserError, match="arm b: nothing was loaded from /built/aside, which was put first for revision main"
    ):
        judged(world(cost_of(1.0)), arm, arms={"a": arm("m:base"), "b": head})


def test_a_project_that_something_hides_is_refused(world: Any, arm: Any, tmp_path: Path) -> None:
    """A folder ahead of all others need not be used; what it has must not come from elsewhere."""
    (tmp_path / "other.py").write_text("")
    both = {side: replace(arm(f"m:{side}"), ahead=(str(tmp_path),)) for side in "ab"}
    assert judged(world(cost_of(1.0)), arm, arms=both).verdict is Verdict.PASS
    (tmp_path / "kernels.py").write_text("")
    with pytest.raises(UserError, match=r"kernels was loaded from /there/kernels.py, not from the project"):
        judged(world(cost_of(1.0)), arm, arms=both)


def test_other_values_fail_only_where_a_tolerance_is_stated(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    there.returns = {"m:base": [1.0, 2.0], "m:head": [1.0, 2.002]}
    done = session(there, arm).measure()
    assert judge(done, RULE, Limits()).verdict is Verdict.PASS
    assert judge(done, RULE, Limits(), tolerance=1e-2).verdict is Verdict.PASS
    strict = judge(done, RULE, Limits(), tolerance=1e-6)
    assert strict.verdict is Verdict.FAIL and "speed counts only" in strict.reasons[0]


def test_an_arm_that_returns_other_values_each_time_can_not_be_compared(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    drawn = iter(range(1000))
    there.returns = {"m:base": [1.0], "m:head": [1.0]}
    original = there.start

    def start(side: Any, which: Any, how: Any) -> Any:
        worker = original(side, which, how)
        warm = worker.warm

        def other_values(request: Any) -> Any:
            there.returns = {call: [1.0 + next(drawn)] for call in there.returns}
            return warm(request)

        worker.warm = other_values
        return worker

    there.start = start
    done = session(there, arm).measure()
    assert judge(done, RULE, Limits()).verdict is Verdict.PASS, "nothing was asked of them"
    found = judge(done, RULE, Limits(), tolerance=1e-6)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "a returns other values when it runs again" in found.reasons[0]
    assert "fix its seed" in found.outputs.sentence(1e-6)


@pytest.mark.parametrize(
    ("count", "verdict"), [(100, "pass"), (91, "pass"), (62, "inconclusive"), (120, "inconclusive")]
)
def test_speed_is_void_where_less_is_returned(world: Any, arm: Any, count: int, verdict: str) -> None:
    there = world(cost_of(0.6))
    there.returns = {"m:base": [1.0] * 100, "m:head": [1.0] * count}
    found = judged(there, arm)
    assert found.verdict == verdict and found.faster == (verdict == "pass")
    if verdict != "pass":
        assert f"b returns {count} % as much as a, and speed counts only from 90 to 110 %" in found.reasons[0]


@pytest.mark.parametrize(
    ("quality", "speed", "verdict"),
    [
        (Decision.FAIL, 0.8, Verdict.FAIL),
        (Decision.FAIL, 1.0, Verdict.FAIL),
        (Decision.INCONCLUSIVE, 0.8, Verdict.INCONCLUSIVE),
        (Decision.MINOR, 1.0, Verdict.MINOR),
        (Decision.MINOR, 1.2, Verdict.FAIL),
        (Decision.PASS, 1.2, Verdict.FAIL),
        (Decision.PASS, 1.0, Verdict.PASS),
    ],
)
def test_speed_counts_only_where_quality_holds(
    world: Any, arm: Any, quality: Decision, speed: float, verdict: Verdict
) -> None:
    done = session(world(cost_of(speed)), arm).measure()
    found = judge(done, RULE, Limits(), quality=unread(quality, "b's loss changes by +2 %"))
    assert found.verdict is verdict
    assert any("b's loss changes by +2 %" in reason for reason in found.reasons) == (quality is not Decision.PASS)


def test_slower_for_certain_is_a_fail_whatever_is_open_of_quality(world: Any, arm: Any) -> None:
    done = session(world(cost_of(1.2)), arm).measure()
    found = judge(done, RULE, Limits(), quality=unread(Decision.INCONCLUSIVE, "undecided"))
    assert found.verdict is Verdict.FAIL and "slower by" in found.reasons[0]


def test_cpu_time_is_judged_where_both_only_compute(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    lockstep = session(there, arm)
    lockstep.measure()
    assert lockstep.clock == "cpu"
    there = world(cost_of(1.0))
    there.computes = False
    lockstep = session(there, arm)
    lockstep.measure()
    assert lockstep.clock == "wall"


def test_the_same_seed_draws_the_same_orders(world: Any, arm: Any) -> None:
    logs = []
    for _ in range(2):
        there = world(cost_of(1.0))
        session(there, arm).measure()
        logs.append([line["draw"] for line in there.lines if line["kind"] == "launch"])
    assert logs[0] == logs[1] and len(logs[0]) == 12


@pytest.mark.parametrize(("factor", "noise"), [(1.0, 0.005), (1.1, 0.005), (0.9, 0.005), (1.04, 0.05)])
def test_in_slices_it_measures_the_same(world: Any, arm: Any, factor: float, noise: float) -> None:
    straight = session(world(cost_of(factor, noise)), arm)
    straight.measure()
    sliced = session(world(cost_of(factor, noise)), arm)
    calls = 1
    while not sliced.go_on(1):
        calls += 1
    assert calls >= len(sliced.measured.first) + len(sliced.measured.fresh)
    for name in ("differences", "fresh_differences", "beside_differences", "ran_out"):
        assert getattr(sliced.measured, name) == getattr(straight.measured, name)


def test_a_slice_ends_with_its_time_and_a_pause_is_not_counted(world: Any, arm: Any) -> None:
    there = world(cost_of(1.0))
    lockstep = session(there, arm, Limits(minutes=0.5))
    assert not lockstep.go_on(until=there.seconds + 2)
    assert 1 <= len(lockstep.measured.first) <= 2
    there.seconds += 3600
    assert lockstep.go_on() and not lockstep.measured.ran_out
    assert len(lockstep.measured.first) == 8
