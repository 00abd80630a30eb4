"""One launch: who is next, how often, and the one difference that comes of it."""

from collections import Counter
from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import ArmFailed
from harness.gate.arms.outputs import OutputComparer
from harness.gate.lockstep.launch import (
    LAUNCH_NS,
    SIDES,
    TURN_NS,
    Launch,
    Pace,
    Patience,
    Turn,
    difference,
    draw,
    launch,
    pace,
)


def launched(
    world: Any, arm: Callable[[str], Arm], known: Pace | None = None, seed: int = 0
) -> tuple[Launch, list[Any]]:
    lines: list[Any] = []
    arms = {"a": arm("m:base"), "b": arm("m:head")}
    drawn = draw(np.random.default_rng(seed))
    return launch(
        1,
        "ab",
        arms,
        drawn,
        known,
        start=world.start,
        compare=OutputComparer(),
        search="/here",
        patience=Patience(),
        record=lines.append,
    ), lines  # type: ignore[arg-type]


@pytest.mark.parametrize("nanoseconds", [50.0, 1e3, 1e5, 2e7, 1e9])
def test_a_turn_is_long_enough_and_a_launch_not_too_long(nanoseconds: float) -> None:
    found = pace([nanoseconds, nanoseconds * 1.5])
    assert found.repeats * nanoseconds >= TURN_NS * 0.999
    assert found.repeats == 1 or (found.repeats - 1) * nanoseconds < TURN_NS
    assert found.blocks >= 2


@pytest.mark.parametrize("slow", [2e5, 1e6, 1e8, 3e9])
def test_a_call_that_takes_thousands_of_times_as_long_does_not_make_a_launch_last(slow: float) -> None:
    for nanoseconds in ([50.0, slow], [slow, 50.0]):
        found = pace(nanoseconds)
        assert 4 * found.blocks * found.repeats * slow <= max(LAUNCH_NS, 8 * slow)


def test_a_call_that_takes_no_time_has_a_pace() -> None:
    assert pace([0.0, 0.0]).blocks >= 2


def test_turns_go_abba_or_baab_and_both_repeat_as_often(world: Any, arm: Callable[[str], Arm]) -> None:
    orders = set()
    for seed in range(6):
        there = world(lambda call, number, generator: 1e6)
        there.computes = seed % 2 == 0
        found, lines = launched(there, arm, seed=seed)
        orders.add(found.draw.order)
        for block in range(found.pace.blocks):
            turns = [turn.arm for turn in found.turns if turn.block == block]
            assert "".join(turns) == found.draw.order
        assert [line["kind"] for line in lines] == ["turn"] * len(found.turns)
        assert Counter(line["arm"] for line in lines) == {side: len(lines) // 2 for side in SIDES}
        started = [entry[2] for entry in there.log if entry[0] == "start"]
        assert started[0] == found.draw.first == next(entry[2] for entry in there.log if entry[0] == "warm")
        closed = [entry[0] for entry in there.log][-4:]
        assert closed == ["hang_up", "hang_up", "close", "close"]
        assert ("pin" in {entry[0] for entry in there.log}) == there.computes
    assert orders == {"abba", "baab"}


def test_everything_that_could_stay_with_an_arm_is_drawn() -> None:
    drawn = [draw(np.random.default_rng(seed)) for seed in range(200)]
    for side in SIDES:
        assert 60 < sum(one.first == side for one in drawn) < 140
    assert 60 < sum(one.order == "abba" for one in drawn) < 140
    assert len({one.hash_seed for one in drawn}) == 200
    assert 60 < sum(one.core < 0.5 for one in drawn) < 140
    assert drawn[0].layout("a")["PYTHONHASHSEED"] == drawn[0].layout("b")["PYTHONHASHSEED"]
    assert len({len(one.layout("a")["HARNESS_PADDING"]) for one in drawn}) > 100


def turns_of(factor: float, slot: float, drift: float, order: str = "abba", blocks: int = 12) -> list[Turn]:
    """Times that grow steadily, of arms that differ by a factor, where the second of a pair is slower."""
    found, at = [], 0
    for block in range(blocks):
        for position, side in enumerate(order):
            time = 1e7 * (factor if side == "b" else 1.0) * (slot if position % 2 else 1.0) * (1 + drift) ** at
            found.append(Turn(side, block, position, int(time), int(time), 0.0))  # type: ignore[arg-type]
            at += 1
    return found


@given(st.floats(0.5, 2), st.floats(1, 1.2), st.floats(-0.02, 0.02), st.sampled_from(["abba", "baab"]))
def test_drift_and_the_place_in_a_pair_cancel(factor: float, slot: float, drift: float, order: str) -> None:
    turns = turns_of(factor, slot, drift, order)
    for clock in ("wall", "cpu"):
        assert difference(turns, clock) == pytest.approx(log(factor), abs=1e-4)  # type: ignore[arg-type]


@given(st.floats(0.5, 2), st.sampled_from(["abba", "baab"]))
def test_what_is_a_against_b_turned_round_is_b_against_a(factor: float, order: str) -> None:
    turns = turns_of(factor, 1.02, 0.001, order)
    swapped = [
        Turn("b" if turn.arm == "a" else "a", turn.block, turn.position, turn.wall_ns, turn.cpu_ns, 0.0)
        for turn in turns
    ]
    one, other = difference(turns, "wall"), difference(swapped, "wall")
    assert one is not None and other == pytest.approx(-one)


def test_a_few_disturbed_turns_change_little() -> None:
    turns = turns_of(1.0, 1.0, 0.0)
    for at in (3, 17, 30):
        turns[at] = Turn(turns[at].arm, turns[at].block, turns[at].position, 10**9, 10**9, 0.0)
    assert difference(turns, "wall") == 0.0


def test_a_clock_that_jumps_back_or_stands_still() -> None:
    turns = turns_of(1.1, 1.0, 0.0)
    jumped = [Turn(t.arm, t.block, t.position, -5 if t.block < 5 else t.wall_ns, 0, 0.0) for t in turns]
    assert difference(jumped, "wall") == pytest.approx(log(1.1), abs=1e-6)
    assert difference(jumped, "cpu") is None


def test_a_failing_arm_ends_both(world: Any, arm: Callable[[str], Arm]) -> None:
    there = world(lambda call, number, generator: 1e6)
    there.fails[1] = "it ended during a turn: exit status 3"
    with pytest.raises(ArmFailed, match="arm b: it ended during a turn"):
        launched(there, arm)
    assert {entry[2] for entry in there.log if entry[0] == "close"} == {"a", "b"}
