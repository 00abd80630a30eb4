"""What a run has before it, in seconds by estimate: for who shows how long it will still take."""

from __future__ import annotations

from collections.abc import Sequence

from harness.execution.comparisons import Comparison
from harness.execution.estimate import (
    peaks_for_estimates,
    seconds_of_cell,
    seconds_of_comparison,
    seconds_of_training,
)
from harness.execution.plan import PlannedCell
from harness.execution.prepare import what_is_fetched
from harness.execution.train import what_is_trained
from harness.measures.side_by_side import WHAT
from harness.results.fingerprint import Fingerprint
from harness.suite.cells import Cell


def expected_seconds(
    items: Sequence[PlannedCell], fresh: bool, machine: Fingerprint, compared: Sequence[Comparison] = ()
) -> dict[Cell | str, float | None]:
    """Seconds of each cell that will be measured, and of what is fetched and trained for them: see `Planned.seconds`.

    fresh: cells whose results are known are measured again. compared: the comparisons that are made when the cells
    have ended, together one preparation.
    """
    peaks = peaks_for_estimates(machine.class_id)
    due = [item for item in items if item.unsupported is None and item.missing is None and (fresh or not item.cached)]
    seconds: dict[Cell | str, float | None] = {}
    for model in (model for item in due for model in item.models):
        if model.ready or model.why_not:
            continue
        if model.asset is not None:
            seconds[what_is_fetched(model)] = None
        for stage in model.stages:
            if stage.training is not None and not stage.ready:
                seconds[what_is_trained(stage)] = seconds_of_training([stage], machine.class_id, peaks)
    keys: set[str] = set()
    for item in due:
        # the same result under another name takes nothing
        seconds[item.cell] = 0.0 if item.key in keys else seconds_of_cell(item, peaks)
        keys.add(item.key)
    if left := [one for one in compared if one.can_be and (fresh or not one.cached)]:
        each = [seconds_of_comparison(one, peaks) for one in left]
        seconds[WHAT] = None if any(one is None for one in each) else sum(one for one in each if one)
    return seconds
