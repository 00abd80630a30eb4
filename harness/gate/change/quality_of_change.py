"""The quality of a change: both states' runs of the suite, judged, with what the gated times count with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.comparison.definition import CellPair, cell_pairs, definition_of
from harness.comparison.gate_set import Gated, meant, quality_of
from harness.comparison.metric_kind import Kind
from harness.evidence.selection import selects_row
from harness.gate.accepted import Accepted
from harness.gate.change.speed_pairs import SpeedPair
from harness.gate.judgment import GateResult, Judged
from harness.gate.stored.generated_length import why_other_length
from harness.gate.stored.stored_runs import judge_runs
from harness.gate.verdict import Verdict
from harness.results.run import Run
from harness.suite.schema import Suite


@dataclass(frozen=True)
class QualityOfChange:
    """Both runs, judged."""

    base: Run
    head: Run
    result: GateResult
    guards: dict[SpeedPair, tuple[Gated, ...]]
    """What each time counts with."""

    def why_void(self, pair: SpeedPair) -> str | None:
        """Why a time would not count; None where its quality passed."""
        guards = self.guards[pair]
        void = []
        for guard in guards:
            row = next((row for row in self.result.rows if _is_of(row, guard)), None)
            if row is None:
                void.append(f"{guard.metric} has no baseline")
            elif row.verdict not in (Verdict.PASS, Verdict.MINOR, Verdict.ACCEPTED):
                void.append(f"{row.metric} ({row.where}) is {row.verdict.word}")
        both = [(one.base, one.head) for one in guards]
        longer = why_other_length((a, b) for a, b in both if a is not None and b is not None)
        if longer is not None:
            void.append(longer)
        if not void:
            return None
        return f"not measured, as a speed counts only where its quality passed: {'; '.join(void)}"


def judge_quality_of(
    suite: Suite, pairs: Sequence[SpeedPair], calls: int, base: Run, head: Run, accepted: Accepted
) -> QualityOfChange:
    """Judge two runs of what takes no times. calls: how many other times are decided in the same command. Raises
    UserError."""
    cells = cell_pairs(base, head)
    guards = {pair: tuple(_guards_of(pair, cells, base, head)) for pair in pairs}
    untimed = [entry for entry in suite.gate if not any(entry in pair.entries for pair in pairs)]
    together = [one for found in guards.values() for one in found]
    gate = untimed if suite.gate else None
    result = judge_runs(
        base,
        head,
        gate,
        guards=together if suite.gate else (),
        tests_beside=len(pairs) + calls,
        accepted=accepted,
    )
    return QualityOfChange(base, head, result, guards)


def _guards_of(pair: SpeedPair, cells: Sequence[CellPair], base: Run, head: Run) -> list[Gated]:
    """The quality that a time counts with: what its entry names, else what is first shown of the model's cells."""
    at = {"model": pair.cell.model, **pair.cell.axes}
    at = {name: value for name, value in at.items() if name not in ("threads", "device")}
    near = [one for one in cells if selects_row(at, definition_of(one.cell)) and one.cell.measure != pair.cell.measure]
    named = [guard for entry in pair.entries for guard in entry.guards]
    if not named:
        return [one for cell in near if (one := quality_of(cell, base, head)) is not None and one.kind is not Kind.TIME]
    found = []
    for guard in named:
        for one in meant(guard.metric, guard.where, near, base, head):
            found.append(one if guard.margin is None else replace(one, margin=guard.margin))
    return found


def _is_of(row: Judged, guard: Gated) -> bool:
    return row.metric == guard.metric and row.at == guard.at
