"""One launch: a process for each arm, turn by turn, and one difference.

The two take turns in the order ABBA ABBA ... or BAAB BAAB ...: who is second in a pair finds other things in the caches
and was seen to be 1.5 % slower. Which order, whose process starts first, the seed of Python's hashes and how far each
environment pushes the stack are drawn for every launch, so that none of them stays with an arm (Mytkowicz et al. 2009,
ASPLOS: the size of the environment alone moves programs by several percent). Arms that only compute stay on one core,
the same for both: where the scheduler chose, equal arms were seen to differ in CPU time by 20 to 40 % for a launch.

A launch is one observation, however many turns it has: turns of one process share its layout and its neighbors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import ceil, log
from typing import Any, Literal

import numpy as np

from harness.gate.arms.arm import Arm
from harness.gate.arms.arm_process import Worker
from harness.gate.arms.outputs import OutputComparer, OutputComparison

Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
Pairing = Literal["ab", "aa"]
Clock = Literal["wall", "cpu"]
"""Time that goes by, or time that the arm's process computes. On a loaded machine the second is ten times as steady; it
is the same for what only computes, on one thread. Waiting, and several threads in place of one, don't show in it."""

TURN_NS = 2_000_000
"""A turn lasts so long at least: a short call is repeated within it. Longer turns meet more of what else runs: on cores
that were shared by five, differences by time scattered ten times as much at 5 ms."""
LAUNCH_NS = 1_000_000_000
"""What the turns of a launch should take together."""
FEWEST_BLOCKS, MOST_BLOCKS = 2, 30
"""Of four turns each."""
WARM_SECONDS = 0.2
MOST_REPEATS = 100_000_000


@dataclass(frozen=True)
class Draw:
    """What chance decides of a launch."""

    first: Side
    """Whose process is started, loads and warms up first."""
    order: Literal["abba", "baab"]
    core: float
    """On which core both stay where they only compute: how far through those that they may use, from 0 to 1."""
    hash_seed: int
    padding: tuple[int, int]
    """Bytes that the environments of a and b are longer by."""

    def layout(self, side: Side) -> dict[str, str]:
        """The environment variables of an arm's process that are drawn."""
        return {"PYTHONHASHSEED": str(self.hash_seed), "HARNESS_PADDING": "x" * self.padding[SIDES.index(side)]}


def draw(generator: np.random.Generator) -> Draw:
    """The next launch."""
    return Draw(
        first="a" if generator.random() < 0.5 else "b",
        order="abba" if generator.random() < 0.5 else "baab",
        core=float(generator.random()),
        hash_seed=int(generator.integers(1, 2**32 - 1)),
        padding=(int(generator.integers(0, 4096)), int(generator.integers(0, 4096))),
    )


@dataclass(frozen=True)
class Pace:
    """How often a call is repeated in a turn, and how many turns a launch has: alike in both arms and all launches."""

    repeats: int
    blocks: int


def pace(nanoseconds: Sequence[float]) -> Pace:
    """The pace for calls that take so long in the arms. Where one takes 60 times as long as the other or more, the
    shorter one's turns are shorter: else a launch would last that many times as long."""
    fast, slow = max(min(nanoseconds), 1e-3), max(*nanoseconds, 1e-3)
    longest = int(LAUNCH_NS / (4 * FEWEST_BLOCKS * slow))
    repeats = max(1, min(MOST_REPEATS, ceil(TURN_NS / fast), longest))
    return Pace(repeats, int(np.clip(LAUNCH_NS / (4 * repeats * slow), FEWEST_BLOCKS, MOST_BLOCKS)))


@dataclass(frozen=True)
class Turn:
    """One turn of one arm."""

    arm: Side
    block: int
    position: int
    """In its block: 0 to 3."""
    wall_ns: int
    cpu_ns: int
    time: float
    """When it began (seconds since 1970), so that drift can be seen."""


@dataclass(frozen=True)
class Patience:
    """Seconds that are waited for an answer."""

    start: float = 300.0
    """For loading, and for the first calls."""
    turn: float = 60.0
    """For a turn, beyond twenty times what it should take."""


@dataclass(frozen=True)
class Launch:
    """One launch that ended."""

    number: int
    pairing: Pairing
    draw: Draw
    pace: Pace
    turns: tuple[Turn, ...]
    opened: dict[Side, dict[str, Any]]
    code: dict[Side, dict[str, Any]]
    """What each arm has loaded, by package: file, number of files and sha256; of the first launch alone."""
    states: dict[Side, dict[str, str]]
    """Size and times of each of these files: by them a change on the way is seen."""
    computes: bool
    """Whether both arms only compute, on one thread: then their CPU time is the time that they take when alone."""
    outputs: OutputComparison
    output_digests: dict[Side, str]
    used_s: float
    """CPU seconds of both arms."""

    def difference(self, clock: Clock) -> float | None:
        """Logarithm of b's time over a's; None where the clock did not move in most of the turns."""
        return difference(self.turns, clock)


def difference(turns: Sequence[Turn], clock: Clock) -> float | None:
    """Median over pairs (two turns of a block, one after the other) of the logarithm of b's time over a's; None where
    half of the pairs have no time.

    Half of the pairs have a first and half b, so that a steady drift and the place in a pair cancel; and the median is
    not moved by those that a neighbor disturbed, who disturbs more blocks than pairs.
    """
    pairs: dict[tuple[int, bool], dict[Side, int]] = {}
    for turn in turns:
        pair = pairs.setdefault((turn.block, turn.position > 1), {})
        pair[turn.arm] = turn.wall_ns if clock == "wall" else turn.cpu_ns
    found = [log(pair["b"] / pair["a"]) for pair in pairs.values() if min(pair.values()) > 0]
    return float(np.median(found)) if found and 2 * len(found) >= len(pairs) else None


Start = Callable[[Side, Arm, Draw], Worker]
"""Starts the process of an arm."""


def launch(
    number: int,
    pairing: Pairing,
    arms: Mapping[Side, Arm],
    drawn: Draw,
    known: Pace | None,
    *,
    start: Start,
    compare: OutputComparer,
    search: str,
    patience: Patience,
    record: Callable[[dict[str, Any]], None],
) -> Launch:
    """Run one launch. known: the pace; None: it is found here. search: a folder where modules are looked for last.
    record: takes a line for each turn, as soon as its block ended. Raises ArmFailed."""
    sides: tuple[Side, Side] = SIDES if drawn.first == "a" else ("b", "a")
    with ExitStack() as stack:
        workers: dict[Side, Worker] = {}
        for side in sides:
            workers[side] = start(side, arms[side], drawn)
            stack.callback(workers[side].close)
        for side in sides:
            stack.callback(workers[side].hang_up)
        opened = {}
        for side in sides:
            opened[side] = workers[side].ask("open", patience.start, search=[search], **asked(arms[side]))
        warmed = {side: workers[side].ask("warm", patience.start, seconds=WARM_SECONDS) for side in sides}
        chosen = known or pace([warmed[side]["ns"] for side in SIDES])
        code = {side: {} if known else workers[side].ask("code", patience.start) for side in sides}
        states = {side: workers[side].ask("states", patience.start) for side in sides}
        outputs = compare(
            warmed["a"]["output"],
            warmed["b"]["output"],
            *(_numbers(workers[side], patience.start) for side in SIDES),
        )
        computes = all(warmed[side]["computes"] for side in SIDES)
        if computes:
            for side in SIDES:
                workers[side].ask("pin", patience.start, share=drawn.core)
        before = sum(workers[side].ask("used", patience.turn) for side in SIDES)
        expected = chosen.repeats * max(warmed[side]["ns"] for side in SIDES) / 1e9
        turns = _turns(workers, drawn, chosen, patience.turn + 20 * expected, number, pairing, record)
        used = sum(workers[side].ask("used", patience.turn) for side in SIDES) - before
    return Launch(
        number=number,
        pairing=pairing,
        draw=drawn,
        pace=chosen,
        turns=tuple(turns),
        opened=opened,
        code=code,
        states=states,
        computes=computes,
        outputs=outputs,
        output_digests={side: warmed[side]["output"]["sha256"] for side in SIDES},
        used_s=used,
    )


def digests(code: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each package that a worker tells of."""
    return {package: found["sha256"] for package, found in code.items()}


def asked(arm: Arm) -> dict[str, Any]:
    """What an arm's worker is asked to load."""
    choice = arm.choice
    return {"call": choice.call, "command": choice.command, "setup": choice.setup, "arguments": choice.arguments}


def _turns(
    workers: Mapping[Side, Worker],
    drawn: Draw,
    chosen: Pace,
    timeout: float,
    number: int,
    pairing: Pairing,
    record: Callable[[dict[str, Any]], None],
) -> list[Turn]:
    order: list[Side] = ["a", "b", "b", "a"] if drawn.order == "abba" else ["b", "a", "a", "b"]
    turns: list[Turn] = []
    for block in range(chosen.blocks):
        done = []
        for position, side in enumerate(order):
            answer = workers[side].ask("turn", timeout, repeats=chosen.repeats)
            done.append(Turn(side, block, position, answer["wall_ns"], answer["cpu_ns"], answer["time"]))
        for turn in done:
            line = {"launch": number, "pairing": pairing, **asdict(turn), "repeats": chosen.repeats}
            record({"kind": "turn", **line})
        turns += done
    return turns


def _numbers(worker: Worker, timeout: float) -> Callable[[int, int], str]:
    def fetch(start: int, count: int) -> str:
        return str(worker.ask("numbers", timeout, start=start, count=count))

    return fetch
