"""The calibration of the gate: its arithmetic, and that it goes on where it was stopped. It measures nothing here."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gate_calibration", FOLDER / "gate_calibration.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def found(change: int, verdict: str, factor: float, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    turns = [
        {side: list(generator.normal(10.0, 0.1, 12) * (factor if side == "b" else 1.0)) for side in "ab"}
        for _ in range(8)
    ]
    return {
        "kind": "python", "milliseconds": 1, "change": change, "verdict": verdict, "faster": False, "seconds": 20.0,
        "others_share": 0.5, "turns": turns,
    }  # fmt: skip


def test_parts_are_work() -> None:
    spec = importlib.util.spec_from_file_location("gate_workloads", FOLDER / "gate_workloads.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for kind in module.KINDS:
        assert module.base(kind, 1) == module.head(kind, 1)


def test_rules_of_others_find_what_is_far_beyond_their_thresholds(calibration: ModuleType) -> None:
    slow = calibration.one_after_the_other(found(10, "fail", 2.5))
    assert len(slow[0]) == len(slow[1]) == 4
    assert all(rule(*slow) for rule in calibration.RULES.values())
    same = calibration.one_after_the_other(found(0, "pass", 1.0))
    silent = [name for name, rule in calibration.RULES.items() if not rule(*same)]
    assert {"pytest-benchmark: min:5%", "github-action-benchmark: 200 %", "asv: Mann-Whitney p < 0.002 and > 1.1"} <= {
        *silent
    }


def test_the_table_has_exact_bounds(calibration: ModuleType, tmp_path: Path) -> None:
    lines = [found(0, "pass", 1.0, seed) for seed in range(20)] + [found(10, "fail", 1.1, seed) for seed in range(20)]
    out = tmp_path / "kept.jsonl"
    out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = calibration.table(out)
    assert "| +0 % | 20 | 0 (at most 13.91%) | 0 | 20 | 0 | 0 | 20 | 20 |" in said
    assert "| +10 % | 20 | 20 (at least 86.1%) |" in said
    assert "other programs took 50% to 50% of the cores" in said


def test_it_goes_on_where_it_was_stopped(calibration: ModuleType, tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "kept.jsonl"
    whole = json.dumps(found(0, "pass", 1.0)) + "\n"
    out.write_text(whole + whole[:50])
    asked = []

    def decision(kind: str, milliseconds: int, change: int, clock: str | None) -> dict[str, Any]:
        asked.append((kind, milliseconds, change))
        return found(change, "pass", 1.0) | {"kind": kind, "milliseconds": milliseconds}

    monkeypatch.setattr(calibration, "decision", decision)
    calibration.measure(out, 12, 2, 1.0, None)
    done = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(done) == 12 + 3 * 2 and len(asked) == len(done) - 1
    assert len({(one["kind"], one["milliseconds"]) for one in done if one["change"] == 0}) == 9
    calibration.measure(out, 12, 2, 1.0, None)
    assert len(asked) == len(done) - 1, "all is there"
