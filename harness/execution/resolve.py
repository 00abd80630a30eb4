"""A suite's model entries resolved by their adapters: where the weights lie or will lie, and what determines them.

Nothing heavy happens here: `harness plan` resolves a suite without fetching, training or loading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.execution.code_digest import TRAINING, code_digest
from harness.models.adapter import Point
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from harness.models.resolved import Resolved
from harness.promises import PluginFailed
from harness.suite.cells import Cell
from harness.suite.schema import ModelEntry


def resolve(
    name: str, entry: ModelEntry, seed: int | None, trust_remote_code: bool, compute: float | None = None
) -> Resolved:
    """Resolve one entry at a point of the axes of its training. Raises UserError where what it names
    does not exist, and for a budget that can't be. Where a plugin's adapter fails, what is returned says why."""
    point = Point(seed, compute, trust_remote_code, code_digest(TRAINING))
    try:
        return entry.adapter.resolve(name, entry.settings, point)
    except PluginFailed as failed:
        kind, path = entry.adapter.openings[0].kind, entry.settings.model
        return Resolved(ModelSource(name, kind, path, hash_of([name, str(failed)])), why_not=str(failed))


def resolve_all(
    models: Mapping[str, ModelEntry], cells: list[Cell], trust_remote_code: bool = False
) -> dict[str, Resolved]:
    """Every model that the cells ask for, by `Cell.trained_model`, in their order."""
    found: dict[str, Resolved] = {}
    for cell in cells:
        if cell.trained_model not in found:
            seed, compute = cell.axes.get("seed"), cell.axes.get("compute")
            resolved = resolve(
                cell.model,
                models[cell.model],
                seed if isinstance(seed, int) else None,
                trust_remote_code,
                compute if isinstance(compute, float) else None,
            )
            found[cell.trained_model] = replace(resolved, title=cell.trained_model)
    return found
