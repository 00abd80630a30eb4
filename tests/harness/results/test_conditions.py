"""What else the machine does while it measures."""

from __future__ import annotations

import sys

import pytest

from harness.results.conditions import conditions, others_share


def test_conditions_tell_of_the_present() -> None:
    before = conditions()
    told = {"involuntary_switches", "load_average", "runnable", "steal_s", "busy_s", "own_s", "clock_s"}
    assert told <= before.keys() or sys.platform != "linux"
    assert conditions()["involuntary_switches"] >= before["involuntary_switches"]


def test_what_others_took_is_all_but_this_process() -> None:
    before = {"clock_s": 100.0, "own_s": 1.0, "busy_s": 50.0, "steal_s": 3.0}
    after = {"clock_s": 110.0, "own_s": 9.0, "busy_s": 60.0, "steal_s": 4.0}
    assert others_share(before, after, cores=2) == pytest.approx((10 - 8 + 1) / 20)
    assert others_share(before, after | {"own_s": 99.0}, cores=2) == 0.0
    assert others_share({}, after, cores=2) is None
