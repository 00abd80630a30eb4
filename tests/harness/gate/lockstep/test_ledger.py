"""The launches of identical code that a machine class has had, and what a rule makes of them."""

from pathlib import Path

import numpy as np
import pytest

from harness.gate.lockstep.ledger import Entry, entries, keep, realized
from harness.statistics.speed_decision import Rule

RULE = Rule(margin=0.05)


def entry(differences: list[float], workload: str = "m:f") -> Entry:
    return Entry("2026-01-01T00:00:00+00:00", "class", workload, "wall", 1, tuple(differences), 0.1)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    assert entries("class", tmp_path) == []
    kept = [entry([0.1, -0.2]), entry([0.0], "m:g")]
    for one in kept:
        keep(one, tmp_path)
    assert entries("class", tmp_path) == kept and entries("another", tmp_path) == []


def test_a_damaged_line_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for one in (entry([0.1]), entry([0.2]), entry([0.3])):
        keep(one, tmp_path)
    path = tmp_path / "class.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("0.2", "0.9"), lines[2][:40]]))
    assert entries("class", tmp_path) == [entry([0.1])]
    assert caplog.text.count("this line is left out") == 2


def test_launches_of_several_comparisons_make_decisions_together() -> None:
    chain = [entry([0.0, 0.0, 0.0]), entry([0.0]), entry([0.0] * 7)]
    found = realized(chain, RULE, 24)
    assert (found.decisions, found.passes, found.alarms) == (1, 1, 0)
    assert found.at_most == pytest.approx(0.95)
    assert realized([entry([0.0] * 7), entry([0.0, 0.0, 0.0], "m:g")], RULE, 24).decisions == 0
    assert realized([], RULE, 24).at_most is None


def test_a_false_alarm_is_counted() -> None:
    assert realized([entry([0.1] * 8)], RULE, 24).alarms == 1


def test_replayed_noise_raises_few() -> None:
    noise = np.random.default_rng(0).normal(0, 0.04, 2000)
    found = realized([entry(list(noise))], RULE, 24)
    assert found.decisions > 100 and found.alarms <= 2
