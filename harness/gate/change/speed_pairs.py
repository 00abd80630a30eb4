"""What a suite's gated times come to in lockstep: for each cell a unit of work, done by both states of the project.

A model that the suite trains is opened from one checkpoint by both, so that only the code differs; where its training
is what is timed, both train. A model's folder that lies in the project is each state's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.comparison.gate_entry import MOST_PAIRS, GateEntry
from harness.comparison.metric_kind import DEFAULT_MARGINS, Kind, kind_of_metric
from harness.errors import UserError
from harness.evidence.selection import selects_row
from harness.gate.arms.arm import Arm, ArmChoice
from harness.gate.arms.model_arm import with_model
from harness.gate.arms.model_choice import ModelChoice
from harness.gate.arms.model_part import ModelWork, Part
from harness.gate.change.project import State
from harness.gate.lockstep.launch import Side
from harness.measures.registry import MEASURES
from harness.models.registry import ADAPTERS
from harness.results.fingerprint import fingerprint
from harness.results.run import Run
from harness.suite.cells import Cell
from harness.suite.expectations import planned_rows
from harness.suite.load import LoadedSuite
from harness.suite.schema import Suite


@dataclass(frozen=True)
class SpeedPair:
    """A part of a cell's work whose time is gated."""

    cell: Cell
    part: Part
    metrics: tuple[str, ...]
    """Those that it decides: TTFT and the prefill rate are one time."""
    margin: float = DEFAULT_MARGINS[Kind.TIME]
    """The smallest slowdown of interest."""
    entries: tuple[GateEntry, ...] = field(default=(), compare=False)
    """Of the gate, that name it; none where the suite has no gate."""

    @property
    def title(self) -> str:
        """`decode of nano int8 inference`."""
        return f"{self.part} of {self.cell.title}"


MOST_UNASKED = 3
"""Times that are gated where a suite has no `gate:`."""


def speed_pairs(loaded: LoadedSuite) -> list[SpeedPair]:
    """The times that a suite's `gate:` names; without one, decoding in the first timed cell of each model. Raises
    UserError for a time that can't be decided in lockstep, and where there are more than ten to judge."""
    suite = loaded.suite
    found: dict[tuple[Cell, Part], SpeedPair] = {}
    for number, entry in enumerate(suite.gate):
        name = entry.metric.partition("@")[0]
        for cell in loaded.cells:
            metric = MEASURES[cell.measure].metric(name)
            if metric is None or kind_of_metric(metric) is not Kind.TIME or not _means(entry, cell):
                continue
            if metric.times is None:
                raise UserError(
                    f"{name} is a time that no two models can take turns at, so it can only be watched: gate ttft, "
                    "tpot, prefill_rate, decode_rate or training_rate",
                    place=f"gate.{number}",
                )
            known = found.get((cell, metric.times), SpeedPair(cell, metric.times, ()))
            margins = [one.margin for one in (*known.entries, entry) if one.margin is not None]
            found[cell, metric.times] = replace(
                known,
                metrics=(*known.metrics, name),
                margin=min(margins, default=known.margin),
                entries=(*known.entries, entry),
            )
    pairs = list(found.values()) if suite.gate else _unasked(loaded.cells)
    if suite.gate and len(suite.gate) + len(suite.calls) > MOST_PAIRS:
        raise UserError(
            f"{len(suite.gate)} entries of `gate` and {len(suite.calls)} of `calls` are more than the {MOST_PAIRS} "
            "that one command judges",
            place="gate",
        )
    return pairs


def _unasked(cells: Sequence[Cell]) -> list[SpeedPair]:
    """Decoding in the first timed cell of each model."""
    found: dict[str, SpeedPair] = {}
    for cell in cells:
        metric = next((one for one in MEASURES[cell.measure].metrics if one.times == "decode" and one.headline), None)
        if metric is not None:
            found.setdefault(cell.model, SpeedPair(cell, "decode", (metric.name,)))
    return list(found.values())[:MOST_UNASKED]


def _means(entry: GateEntry, cell: Cell) -> bool:
    row = planned_rows([cell])[0]
    return selects_row(entry.where, row) and entry.measure in (None, cell.measure)


def arms_of(
    pair: SpeedPair,
    suite: Suite,
    states: dict[Side, State],
    trained: Run | None,
    threads: int,
    trust_remote_code: bool,
    tell: Callable[[str], None],
) -> dict[Side, Arm]:
    """Both arms of a pair. trained: the run whose checkpoints both open. Raises UserError."""
    arms: dict[Side, Arm] = {}
    entries = {side: _entry(pair, suite, state, trained) for side, state in states.items()}
    if _same_files(pair, suite, states):
        entries["a"] = entries["b"]
    axes, settings = pair.cell.axes, pair.cell.settings
    work = ModelWork(
        part=pair.part,
        **{name: int(settings[name] or 1) for name in ("prompt", "generate", "batch") if name in settings},
        seed=int(settings.get("prompt_seed") or 0),
    )
    for side, state in states.items():
        choice = ArmChoice(
            model=ModelChoice(entry=entries[side], precision=str(axes["precision"]), device=_device(axes["device"]))
        )
        arm = Arm(choice, sys.executable, ahead=(str(state.path),), built=state.commit, environment=state.name)
        arms[side] = with_model(arm, work, side, "", trust_remote_code, threads, tell)
    return arms


def _entry(pair: SpeedPair, suite: Suite, state: State, trained: Run | None) -> dict[str, Any]:
    """The model as a suite's entry, as it is at a state."""
    model = suite.models[pair.cell.model]
    if model.settings.is_trained_here and pair.part != "training":
        known = {} if trained is None else trained.manifest.models.get(pair.cell.trained_model, {})
        if not known.get("path"):
            raise UserError(
                f"{pair.cell.trained_model} was not trained: measure its quality in the suite", place="gate"
            )
        return {"reference": str(known["path"])}
    entry: dict[str, Any] = model.model_dump(mode="json", exclude_unset=True)
    entry.pop("matrix", None)
    for name in ADAPTERS:
        if name in entry and (state.folder / str(entry[name])).is_dir():
            entry[name] = str((state.folder / str(entry[name])).resolve())
    return entry


def _same_files(pair: SpeedPair, suite: Suite, states: dict[Side, State]) -> bool:
    """Whether the model's folder, if it has one in the project, is the same at both states."""
    from harness.models.digest import folder_digest

    entry = suite.models[pair.cell.model].model_dump(mode="json", exclude_unset=True)
    for name in ADAPTERS:
        folders = [state.folder / str(entry.get(name)) for state in states.values()]
        if name in entry and all(folder.is_dir() for folder in folders):
            digests = {folder_digest(Path(folder)) for folder in folders}
            return len(digests) == 1
    return True


def _device(name: Any) -> str:
    if name == "auto":
        return "cuda" if fingerprint().gpus else ""
    return "" if name == "cpu" else str(name)
