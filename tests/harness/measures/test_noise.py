"""What is noise, and what is said beside a time."""

from __future__ import annotations

from typing import Any

import pytest

from harness.measures.noise import about_its_time, is_noise
from harness.results.conditions import QUIET, most_taken
from harness.results.record import CellResult, Record, Status

ENDED = {"status": Status.OK, "metric": "a"}
FAILED = {"status": Status.FAILED, "metric": None}


def cell(measure: str, others: float | None, source: str = "measured", ended: dict[str, Any] = ENDED) -> CellResult:
    record = Record(key="k", model="m", measure=measure, **ended)
    return CellResult(
        key="k", model="m", measure=measure, axes={}, settings={}, status=record.status, records=[record],
        conditions={"others_share": others}, source=source, measured="2026-03-04T05:06:07+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "others", "noise"),
    [
        ("inference", 0.0, False),
        ("inference", QUIET, False),
        ("inference", QUIET + 0.01, True),
        ("inference", None, False),
        ("kv_cache", 0.5, True),
        ("memory", 0.9, False),
        ("perplexity", 0.9, False),
        ("task", 0.9, False),
        ("no longer there", 0.9, False),
    ],
)
def test_times_of_a_busy_machine_are_noise(measure: str, others: float | None, noise: bool) -> None:
    assert is_noise(cell(measure, others)) is noise
    assert not is_noise(cell(measure, others, ended=FAILED))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (cell("inference", 0.02), ""),
        (cell("inference", 0.35), "others took 35% of the cores: not kept for later runs"),
        (cell("inference", 0.02, "cache"), "measured 2026-03-04T05:06:07+00:00, others took 2% of the cores"),
        (cell("inference", None, "cache"), "measured 2026-03-04T05:06:07+00:00"),
        (cell("memory", 0.35, "cache"), ""),
        (cell("perplexity", 0.35), ""),
        (cell("inference", 0.35, ended=FAILED), ""),
    ],
)
def test_what_is_said(of: CellResult, said: str) -> None:
    assert about_its_time(of) == said


def test_the_busiest_launch_counts() -> None:
    idle = {"clock_s": 0.0, "own_s": 0.0, "busy_s": 0.0, "steal_s": 0.0}
    quiet, busy = (idle | {"clock_s": 10.0, "own_s": 9.0, "busy_s": seconds} for seconds in (9.0, 15.0))
    launches = [{"before": idle, "after": quiet}, {"before": idle, "after": busy}, {}]
    assert most_taken(launches, cores=2) == pytest.approx(0.3)
    assert most_taken(launches[:1], cores=2) == 0.0
    assert most_taken([{}], cores=2) is None
    assert most_taken([], cores=2) is None
