"""A comparison in lockstep as a row of the gate, for what is written of both alike."""

from __future__ import annotations

import numpy as np

from harness.comparison.metric_kind import Kind
from harness.gate.arms.outputs import Sameness
from harness.gate.judgment import GateResult, Judged
from harness.gate.lockstep.compared import Comparison
from harness.gate.lockstep.launch import Side
from harness.results.record import Scalar
from harness.statistics.intervals import Interval


def judged_row(done: Comparison, metric: str, at: dict[str, Scalar]) -> Judged:
    """The comparison as one row. at: what was timed."""
    outcome = done.outcome
    ratio = outcome.cpu_ratio if done.clock == "cpu" else outcome.wall_ratio
    return Judged(
        verdict=outcome.verdict,
        reason="; ".join([*outcome.reasons, *_other_values(done)]),
        at=at,
        metric=metric,
        unit="ms",
        kind=Kind.TIME,
        base=_milliseconds(done, "a"),
        head=_milliseconds(done, "b"),
        margin=done.rule.margin,
        change=None if ratio is None else _less_one(ratio),
        seen=outcome.seen,
        details={
            "comparison": str(done.folder),
            "ratio": None if ratio is None else ratio._asdict(),
            "clock": done.clock,
            "faster": outcome.faster,
            "launches": outcome.launches,
            "fresh_launches": outcome.fresh,
            "others_share": outcome.others,
        },
    )


def as_gate_result(done: Comparison, suite: str = "") -> GateResult:
    """The comparison as a gate's result of one row."""
    row = judged_row(done, "time", {"call": str(done.arms["b"])})
    return GateResult(
        verdict=row.verdict,
        reason=row.reason,
        rows=(row,),
        watched=(),
        changes=tuple(done.differs),
        notes=(),
        base=str(done.arms["a"]),
        head=str(done.arms["b"]),
        alpha=done.rule.fail_alpha,
        pass_alpha=done.rule.pass_alpha,
        suite=suite,
    )


def _other_values(done: Comparison) -> list[str]:
    """That a call returns other values than it did, where nothing was said of how far they may differ."""
    outputs = done.outcome.outputs
    differ = outputs.sameness in (Sameness.DIFFERENT, Sameness.OTHER_SHAPE)
    return [f"its values: {outputs.sentence(None)}"] if differ and done.tolerance is None else []


def _milliseconds(done: Comparison, side: Side) -> float | None:
    """The median over turns of what one call took of an arm, by the clock that is judged; None before the first."""
    times = [
        (turn.wall_ns if done.clock == "wall" else turn.cpu_ns) / one.launch.pace.repeats / 1e6
        for one in (*done.measured.first, *done.measured.fresh)
        for turn in one.launch.turns
        if turn.arm == side
    ]
    return float(np.median(times)) if times else None


def _less_one(ratio: Interval) -> Interval:
    low, high = (None if end is None else end - 1 for end in (ratio.low, ratio.high))
    return Interval(ratio.value - 1, low, high, ratio.n)
