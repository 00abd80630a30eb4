"""Pairs of stored runs for the gate: two precisions of one model, with quality, speed, memory, and what may break."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.evidence.per_document import per_document
from harness.evidence.selection import Point
from harness.results.record import CellResult, Measurement, Status
from harness.results.run import Run
from harness.statistics.intervals import Interval
from harness.statistics.speed_decision import Decision

TEXT = {"text": "microworld/test", "window": 256, "stride": 128, "bos": "no"}
SPEED = {"prompt": 128, "generate": 64, "batch": 1, "launches": 5}
GATE = """name: quickstart
models: {nano: {reference: nano}}
gate:
"""


@dataclass(frozen=True)
class StandIn:
    """What `paired_quality.judge_quality` gives, as the gate reads it."""

    decision: Decision
    sentence: str
    change: Interval
    p: float = 0.5
    smallest_seen: float | None = 0.004
    log_evidence: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    incomparable: str | None = None


class Asked(list[dict[str, Any]]):
    """What the stand-in was asked."""


def stand_in(patch: pytest.MonkeyPatch) -> Asked:
    """Judges by the means alone, certain of everything: the real one has tests of its own."""
    asked = Asked()

    def judge_quality(
        base: Point,
        head: Point,
        margin: float,
        *,
        alpha: float = 0.01,
        pass_alpha: float = 0.05,
        bitwise: bool = False,
        **more: Any,
    ) -> StandIn:
        asked.append({"metric": base.record.metric, "margin": margin, "alpha": alpha, "bitwise": bitwise})
        assert margin > 0 and pass_alpha == 0.05
        a, b = per_document(base), per_document(head)
        assert a is not None and b is not None
        if not a.same_text(b):
            return StandIn(Decision.INCONCLUSIVE, "other", Interval(float("nan"), None, None, 0), 1.0, None, 0, {}, "x")
        change = float(b.sums.sum() / a.sums.sum() - 1)
        interval = Interval(change, change - 0.001, change + 0.001, len(a.documents))
        told = f"{base.record.metric}: {100 * change:+.2f} %"
        if (a.sums == b.sums).all():
            return StandIn(Decision.PASS, f"{told}, the same bits", interval, 1.0)
        if bitwise or change >= margin:
            return StandIn(Decision.FAIL, told, interval, 1e-9)
        return StandIn(Decision.MINOR if change > 0.003 else Decision.PASS, told, interval, 0.2)

    module = ModuleType("harness.comparison.paired_quality")
    module.judge_quality = judge_quality  # type: ignore[attr-defined]
    patch.setitem(sys.modules, module.__name__, module)
    return asked


@dataclass(frozen=True)
class Makes:
    """Makes runs below a folder."""

    builders: ModuleType
    folder: Path

    def cells(
        self,
        where: Path,
        *,
        shift: float = 0.0,
        slower: float = 1.0,
        bytes_more: int = 0,
        memory: float = 1.0,
        launches: int = 5,
        seed: int = 0,
        machine: str = "f" * 8,
        precisions: Sequence[str] = ("fp32", "int8"),
    ) -> list[CellResult]:
        """Of each precision: perplexity, inference, memory."""
        made = []
        for precision in precisions:
            axes = {"precision": precision, "device": "cpu", "threads": 2}
            samples = self.builders.quality_samples("nano", precision, seed=seed, shift=shift)
            speed = self.builders.speed_measurements("nano", precision, 1, slower)
            speed = [one.model_copy(update={"n": launches}) for one in speed]
            bytes_of = [
                self._moved(one, bytes_more, memory) for one in self.builders.memory_measurements("nano", precision)
            ]
            for measure, settings, measured, evidence in (
                ("perplexity", TEXT, self.builders.quality_measurements(samples), samples),
                ("inference", SPEED, speed, None),
                ("memory", {"context": 512, "launches": 3}, bytes_of, None),
            ):
                made.append(
                    self.builders.cell_result(
                        where,
                        "nano",
                        measure,
                        axes,
                        dict(settings),
                        measured,
                        samples=evidence,
                        fingerprint_class=machine,
                    )
                )
        return made

    def run(self, name: str, gate: str = "", *, cells: list[CellResult] | None = None, **options: Any) -> Run:
        """A run; options are those of `cells`, and keys of the manifest."""
        known = ("shift", "slower", "bytes_more", "memory", "launches", "seed", "machine", "precisions")
        of_cells = {key: options.pop(key) for key in known if key in options}
        where = self.folder / name
        made = self.cells(where, **of_cells) if cells is None else cells
        manifest = {"suite_text": GATE + "\n".join(f"  - {line}" for line in gate.splitlines()) if gate else GATE[:-6]}
        manifest |= {"git": {"commit": f"{name}0000000000000", "dirty": False}, "id": name} | options
        made = [cell.model_copy(update={"run_id": manifest["id"]}) for cell in made]
        run: Run = self.builders.write_run(where, cells=made, **manifest)
        return run

    @staticmethod
    def _moved(one: Measurement, more: int, times: float) -> Measurement:
        if one.metric.name == "weight_bytes":
            return one.model_copy(update={"value": one.value + more})
        if one.metric.name == "peak_memory" and one.low is not None and one.high is not None:
            scaled = {"value": one.value * times, "low": one.low * times, "high": one.high * times}
            return one.model_copy(update=scaled)
        return one


def broken(cell: CellResult, status: Status, reason: str) -> CellResult:
    """The cell as it is when it did not end well."""
    first = cell.records[0].model_copy(
        update={"metric": None, "metric_id": None, "value": None, "status": status, "reason": reason}
    )
    return cell.model_copy(update={"status": status, "reason": reason, "records": [first], "samples": None})


def log_of(slower: float) -> float:
    """The logarithm of a slowdown."""
    return log(slower)
