"""Whether a model's context holds what its cells read and write at once, where its files say how long that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.execution.estimate import shape_of
from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.measures.registry import MEASURES
from harness.suite.where_named import where_setting
from harness.yaml_files.document import KeyPath


def check_context(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Cells that ask for more tokens than their model can hold: they are skipped."""
    found: dict[tuple[KeyPath, str], list[PlannedCell]] = {}
    for item in items:
        shape = shape_of(item)
        if shape is None or not shape.is_bounded:
            continue
        for names in MEASURES[item.cell.measure].fills:
            given = {name: value for name in names if isinstance(value := item.cell.settings.get(name), int)}
            if sum(given.values()) > shape.context:
                path = where_setting(plan.suite, item.cell.measure, *max(given.items(), key=lambda one: one[1]))
                asked = " + ".join(f"`{name}: {value}`" for name, value in given.items())
                total = f", {sum(given.values())} tokens," if len(given) > 1 else " tokens"
                why = (
                    f"{asked}{total} do not fit in the context of {item.cell.model}, which is {shape.context}: ask "
                    "for fewer, or leave this model out of it"
                )
                found.setdefault((path, why), []).append(item)
    for (path, why), cells in found.items():
        yield Impossible(path, why, tuple(cells), skipped=True)
