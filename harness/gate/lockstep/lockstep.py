"""Launches until they decide: the two arms in lockstep, an A/A case beside them, a finding measured once more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from harness.errors import UserError
from harness.gate.arms.arm import Arm
from harness.gate.arms.outputs import OutputComparer
from harness.gate.lockstep.launch import Clock, Draw, Launch, Pace, Pairing, Patience, Side, Start, draw, launch
from harness.gate.lockstep.same_code import check_arms_differ, check_built_is_used, check_nothing_hides, check_unchanged
from harness.results.conditions import conditions, others_share
from harness.statistics.speed_decision import Decision, Rule, decide, is_faster, may_be_faster, stands

CONFIRMING, MOST_CONFIRMING = 5, 24
"""Fresh launches that measure a finding once more: as many at least, and at most where it does not stand yet."""
FEWEST = 8
"""Launches before a decision is taken: a pass may be shown after 5, but only from here on is its interval narrow."""
ENOUGH_TO_CONFIRM = 3
"""Of them, where the time ends."""


@dataclass(frozen=True)
class Limits:
    """When to give up."""

    launches: int = 48
    """Of a against b, before a finding is measured once more: copies of memory, whose launches scatter by a tenth, need
    more than 24 to show a slowdown of 10 %."""
    minutes: float = 10.0
    """Of measuring, building aside; half as many more may go into measuring a finding once more."""


@dataclass(frozen=True)
class Observation:
    """One launch that ended, and the one number that it gives."""

    launch: Launch
    difference: float
    """By the clock that is judged."""
    others: float | None
    """Part of the cores' time that neither arm nor this process took."""
    seconds: float


@dataclass
class Measured:
    """What was measured so far: it is filled while the launches go."""

    first: list[Observation] = field(default_factory=list)
    fresh: list[Observation] = field(default_factory=list)
    """Those that measured a finding once more."""
    beside: list[Observation] = field(default_factory=list)
    """The A/A case: a against itself."""
    ran_out: str = ""
    """Why no more launches were made; empty where it was decided."""

    @property
    def differences(self) -> list[float]:
        """Of the launches that a decision is made of, in order."""
        return [one.difference for one in self.first]

    @property
    def fresh_differences(self) -> list[float]:
        """Of the launches that measured a finding once more."""
        return [one.difference for one in self.fresh]

    @property
    def beside_differences(self) -> list[float]:
        """Of a against itself."""
        return [one.difference for one in self.beside]


class Lockstep:
    """Measures two arms. The record is written as it goes, so that whatever ends it loses at most a launch."""

    def __init__(
        self,
        arms: Mapping[Side, Arm],
        rule: Rule,
        limits: Limits,
        *,
        start: Start,
        record: Callable[[dict[str, Any]], None],
        tell: Callable[[Observation], None],
        seed: int,
        search: str,
        clock: Clock | None = None,
        same_arms: bool = False,
        patience: Patience | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: what is judged; None: CPU time where both arms only compute, on one thread, else time. same_arms: both
        arms are meant to be one: an A/A comparison on purpose, with none beside it."""
        self.measured = Measured()
        self.rule = rule
        self._arms, self._limits = arms, limits
        self._start, self._record, self._tell, self._search = start, record, tell, search
        self._same_arms = same_arms
        self._patience = patience or Patience()
        self.clock = clock
        self._now = now
        self._generator = np.random.default_rng(seed)
        self._spent = 0.0
        self._entered: float | None = None
        self._number = 0
        self._compare = OutputComparer()
        self._pace: Pace | None = None

    def measure(self) -> Measured:
        """Launch until it is decided, or a limit is reached. Raises ArmFailed and UserError; `measured` is kept."""
        self.go_on()
        return self.measured

    def go_on(self, launches: int | None = None, until: float | None = None) -> bool:
        """Go on with `measure` for so many launches of b against a, or until the clock says `until`: whether it is at
        its end. None: no such limit. What goes by between two calls is not its time. Raises as `measure` does."""
        self._entered, made = self._now(), 0
        try:
            while (due := self._due()) is not None:
                if made == launches or (until is not None and self._now() >= until):
                    return False
                due.append(self._one("ab", self.measured.first))
                made += 1
                if len(due) % 2 and not self._same_arms:
                    self.measured.beside.append(self._one("aa", self.measured.beside))
            return True
        finally:
            self._spent += self._now() - self._entered
            self._entered = None

    def _due(self) -> list[Observation] | None:
        """Where the next launch belongs: to the first ones, or to those that measure a finding once more; None at the
        end."""
        done = self.measured
        if not (done.fresh or done.ran_out or self._is_decided()):
            if len(done.first) >= self._limits.launches:
                done.ran_out = "the most that there may be"
            elif done.first and self._is_late():
                done.ran_out = f"as {self._limits.minutes:g} minutes were over"
            else:
                return done.first
        return done.fresh if self.finding is not None and self._may_confirm() else None

    @property
    def finding(self) -> Decision | str | None:
        """What would have to be measured once more: a FAIL, or `faster`."""
        d = self.measured.differences
        if decide(d, self.rule) is Decision.FAIL:
            return Decision.FAIL
        return "faster" if is_faster(d, self.rule) else None

    def _is_decided(self) -> bool:
        d = self.measured.differences
        if len(d) < FEWEST:
            return False
        return decide(d, self.rule) is not Decision.INCONCLUSIVE and not may_be_faster(d, self.rule)

    def _may_confirm(self) -> bool:
        """Whether a finding is to be measured once more (still)."""
        fresh = len(self.measured.fresh)
        if fresh >= CONFIRMING and (fresh >= MOST_CONFIRMING or self._stands()):
            return False
        if fresh >= ENOUGH_TO_CONFIRM and self._is_late():
            return False
        return not self._is_late(beyond=0.5)

    def _stands(self) -> bool:
        done = self.measured
        slower = self.finding is Decision.FAIL
        return stands(done.differences, done.fresh_differences, self.rule, slower=slower)

    def _is_late(self, beyond: float = 0.0) -> bool:
        """Whether the time is over, or would be before another launch ended. beyond: what may be added."""
        took = [one.seconds for one in (*self.measured.first, *self.measured.fresh)]
        spent = self._spent + (0.0 if self._entered is None else self._now() - self._entered)
        left = self._limits.minutes * 60 * (1 + beyond) - spent
        return left < (float(np.median(took)) if took else 0.0)

    def _one(self, pairing: Pairing, before: list[Observation]) -> Observation:
        self._number += 1
        base = self._arms["a"]
        arms: Mapping[Side, Arm] = self._arms if pairing == "ab" else {"a": base, "b": base}
        drawn = draw(self._generator)
        began, found = self._now(), conditions()
        ended = launch(
            self._number,
            pairing,
            arms,
            drawn,
            self._pace,
            start=self._start,
            compare=self._compare,
            search=self._search,
            patience=self._patience,
            record=self._record,
        )
        after = conditions()
        after["own_s"] += ended.used_s
        self.clock = self.clock or ("cpu" if ended.computes else "wall")
        if pairing == "ab" and self._pace is None:
            self._record(loaded(ended))
            check_built_is_used(ended, arms)
            check_nothing_hides(ended, arms)
            if not self._same_arms:
                check_arms_differ(ended, arms)
        self._pace = ended.pace
        if before:
            check_unchanged(before[0].launch, ended)
        share = others_share(found, after, os.cpu_count() or 1)
        one = Observation(ended, self._difference(ended, self.clock), share, self._now() - began)
        self._record(line_of(one, drawn))
        self._tell(one)
        return one

    @staticmethod
    def _difference(ended: Launch, clock: Clock) -> float:
        found = ended.difference(clock)
        if found is None:
            fix = "; measure --clock wall" if clock == "cpu" else ""
            raise UserError(f"the {clock} clock did not move in most turns of launch {ended.number}{fix}")
        return found


def loaded(ended: Launch) -> dict[str, Any]:
    """The line of a record that says what the arms are."""
    facts = {"opened": ended.opened, "code": ended.code, "pace": asdict(ended.pace), "computes": ended.computes}
    return {"kind": "arms", **facts}


def line_of(one: Observation, drawn: Draw) -> dict[str, Any]:
    """The line of a record for a launch that ended."""
    ended = one.launch
    return {
        "kind": "launch",
        "launch": ended.number,
        "pairing": ended.pairing,
        "wall_difference": ended.difference("wall"),
        "cpu_difference": ended.difference("cpu"),
        "draw": asdict(drawn),
        "others_share": one.others,
        "outputs": asdict(ended.outputs),
        "output_digests": ended.output_digests,
        "seconds": round(one.seconds, 3),
    }
