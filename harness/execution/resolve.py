"""A suite's model entries resolved by their adapters: where the weights lie or will lie, and what determines them.

Nothing heavy happens here: `harness plan` resolves a suite without fetching, training or loading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.errors import UserError, shown
from harness.execution.code_digest import training_code
from harness.execution.mistakes import Mistakes
from harness.measures.registry import MEASURES
from harness.models.adapter import Point
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from harness.models.resolved import Resolved
from harness.promises import PluginFailed
from harness.spelling import nearest
from harness.suite.cells import Cell
from harness.suite.schema import ModelEntry, Suite
from harness.suite.where_named import where_named
from harness.yaml_files.document import KeyPath


def resolve(
    name: str,
    entry: ModelEntry,
    seed: int | None,
    trust_remote_code: bool,
    compute: float | None = None,
    *,
    models: Mapping[str, ModelEntry] | None = None,
    within: tuple[str, ...] = (),
) -> Resolved:
    """Resolve one entry at a point of the axes of its training. Raises UserError where what it names
    does not exist, and for a budget that can't be. Where a plugin's adapter fails, what is returned says why.

    models: those of its suite, which it may start from or ask. within: those that are being resolved, each of which
    needs the next, and the last one this.
    """
    chain = (*within, name)

    def other(wanted: str) -> Resolved:
        assert models is not None
        if wanted not in models:
            there = ", ".join(one for one in models if one != name)
            raise UserError(f"the suite has no model '{shown(wanted)}'{nearest(wanted, models)}; it has: {there}")
        if wanted in chain:
            circle = " -> ".join((*chain[chain.index(wanted) :], wanted))
            raise UserError(f"these models need one another, so none can be the first: {circle}")
        return resolve(wanted, models[wanted], seed, trust_remote_code, models=models, within=chain)

    point = Point(seed, compute, trust_remote_code, training_code, *(() if models is None else (other,)))
    try:
        return entry.adapter.resolve(name, entry.settings, point)
    except PluginFailed as failed:
        kind, path = entry.adapter.openings[0].kind, entry.settings.model  # a plugin's has one at least
        return Resolved(ModelSource(name, kind, path, hash_of([name, str(failed)])), why_not=str(failed))


def resolve_all(
    models: Mapping[str, ModelEntry], cells: list[Cell], mistakes: Mistakes, trust_remote_code: bool = False
) -> dict[str, Resolved]:
    """Every model that the cells ask for, by `Cell.trained_model`, in their order, without those that can't be: what is
    wrong with them is among the mistakes."""
    found: dict[str, Resolved] = {}
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(cell.trained_model, cell)
    for name, cell in first.items():
        seed, compute = cell.axes.get("seed"), cell.axes.get("compute")
        with mistakes.at(path_of_model(cell.model, models[cell.model])):
            resolved = resolve(
                cell.model,
                models[cell.model],
                seed if isinstance(seed, int) else None,
                trust_remote_code,
                compute if isinstance(compute, float) else None,
                models=models,
            )
            found[name] = replace(resolved, title=name)
    return found


def resolve_asked(
    suite: Suite, cells: list[Cell], mistakes: Mistakes, trust_remote_code: bool = False
) -> dict[Cell, tuple[tuple[str, Resolved], ...]]:
    """The other models that the cells' measures ask (`Measure.asks`), by their names, each trained with the seed of its
    cell. Cells that ask for a model that can't be are left out: what is wrong is among the mistakes."""
    known: dict[tuple[str, int | None], Resolved | None] = {}
    found: dict[Cell, tuple[tuple[str, Resolved], ...]] = {}
    for cell in cells:
        seed = cell.axes.get("seed")
        seed = seed if isinstance(seed, int) else None
        try:
            names = MEASURES[cell.measure].asks(cell.typed)
        except PluginFailed:
            names = ()  # its cells say so
        asked: list[tuple[str, Resolved]] = []
        for name in names:
            if (name, seed) not in known:
                known[name, seed] = None
                with mistakes.at(where_named(suite, cell.measure, name)):
                    if name not in suite.models:
                        there = ", ".join(suite.models)
                        raise UserError(
                            f"the suite has no model '{shown(name)}'{nearest(name, suite.models)}; it has: {there}"
                        )
                    entry = suite.models[name]
                    model = resolve(name, entry, seed, trust_remote_code, models=suite.models)
                    known[name, seed] = replace(model, title=name if seed is None else f"{name} seed={seed}")
            if (resolved := known[name, seed]) is not None:
                asked.append((name, resolved))
        if len(asked) == len(names):
            found[cell] = tuple(asked)
    return found


def path_of_model(name: str, entry: ModelEntry) -> KeyPath:
    """Where a suite says which model it is."""
    return ("models", name, entry.adapter.name)
