"""What a plan would take: rough estimates of time and memory per cell, from counts and this machine's peaks.

An estimate is arithmetic, not a measurement (of memory: `memory_estimate`): half of the measured (or, before `harness
doctor`, assumed) peaks, plus the start of the process. A cell that was measured before shows what it took then, and
trainings are corrected by those of their method that were done on this machine (`training_pace.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from harness.execution.cell_cache import CellCache
from harness.execution.comparisons import Comparison, comparisons
from harness.execution.memory_estimate import BYTES_PER_WEIGHT, LOADING, memory_of
from harness.execution.plan import Plan, PlannedCell
from harness.execution.training_pace import is_known, pace_of
from harness.measures.cost import Pace
from harness.measures.registry import MEASURES
from harness.measures.side_by_side import NAME
from harness.models.alignment_time import seconds_of_stage
from harness.models.registry import adapter_of, opening_of
from harness.models.resolved import Resolved
from harness.models.shape import ModelShape
from harness.models.size import ModelSize
from harness.notice import notice
from harness.promises import PluginFailed
from harness.results.peaks import Peaks, cached_peaks
from harness.suite.cells import TRAINED_AXES
from harness.threads import default_threads

if TYPE_CHECKING:
    import pandas as pd

Known = TypeVar("Known")

ASSUMED = Peaks(flops={"fp32": 50e9, "bf16": 50e9}, bandwidth=10e9)
"""What a small machine does, where nothing has been measured yet."""
EFFICIENCY = 0.4
"""Share of the peaks that real cells reach."""
COLUMNS = ("model", "measure", "cell", "cached", "seconds", "memory_bytes", "estimate")
"""Of a plan without a cell: a suite of analyses alone."""


def plan_frame(plan: Plan) -> pd.DataFrame:
    """One row per cell: model, axes, measure, cached, seconds, bytes of memory, and where the figures are from.

    A row with measure `train` or `fetch` stands for each stage of a model that has to be trained first, and for each
    model that has to be fetched; one with `side_by_side` for each comparison.
    """
    return frame_of(plan_rows(plan))


def frame_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Those rows as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows, columns=None if rows else [*COLUMNS])


def plan_rows(plan: Plan) -> list[dict[str, object]]:
    """The rows of `plan_frame`, in which whole numbers stay whole."""
    peaks = peaks_for_estimates(plan.fingerprint.class_id)
    rows: list[dict[str, object]] = []
    prepared = set()
    for item in plan.cells:
        due = [] if item.unsupported is not None or item.resolved.why_not else item.models
        for stage in (stage for model in due if not model.ready for stage in model.stages):
            is_made = stage.training is not None or stage.asset is not None
            if is_made and stage.source.digest not in prepared and not stage.ready:
                prepared.add(stage.source.digest)
                rows.append(_preparation_row(item, stage, plan.fingerprint.class_id, peaks))
        rows.append(_row(item, peaks))
    return [*rows, *(_comparison_row(one, peaks) for one in comparisons(plan.suite, plan.cells))]


def peaks_for_estimates(machine: str) -> Peaks:
    """What is known of a machine (its fingerprint's class), or what a small one does."""
    return cached_peaks(machine, default_threads(), "cpu") or ASSUMED


def seconds_of_cell(item: PlannedCell, peaks: Peaks) -> float | None:
    """Seconds to measure a cell: what it took before, or else an estimate; None where nobody can tell."""
    known = CellCache().glance(item.key) if item.cached else None
    if known is not None:
        return known.seconds
    return 0.0 if item.unsupported else _seconds(item, size_of(item), peaks)


def seconds_of_training(stages: Sequence[Resolved], machine: str, peaks: Peaks) -> float | None:
    """Seconds to train stages, by arithmetic and by what such stages took before on that machine (its fingerprint's
    class); None where nothing is known of one of them."""
    found = [(stage.training.method, arithmetic_of_stage(stage, peaks)) for stage in stages if stage.training]
    known = [seconds * pace_of(machine, method) for method, seconds in found if seconds is not None]
    return sum(known) if len(known) == len(found) else None


def arithmetic_of_stage(stage: Resolved, peaks: Peaks) -> float | None:
    """Seconds that a stage would take with its process's start, from what determines its work."""
    training, size = stage.training, _size(stage)
    if training is None or size is None:
        return None
    rate, start = EFFICIENCY * peaks.flops["fp32"], opening_of(stage.source.kind).start
    if training.method == "pretrain":
        return None if training.work is None else training.work / rate + start
    asked = [_size(model) for _, model in stage.asked]
    if any(one is None for one in asked):
        return None
    read = 4.0 * size.parameters / (EFFICIENCY * peaks.bandwidth)
    seconds = seconds_of_stage(stage, size.matmul, sum(one.matmul for one in asked if one), rate, read)
    return None if seconds is None else seconds + start


def _row(item: PlannedCell, peaks: Peaks) -> dict[str, object]:
    seconds = seconds_of_cell(item, peaks)
    known = item.cached and CellCache().glance(item.key) is not None
    return {
        "model": item.cell.model,
        **item.cell.axes,
        "measure": item.cell.measure,
        "cell": item.cell.title,
        "cached": item.cached,
        "seconds": seconds,
        "memory_bytes": memory_of_cell(item),
        "estimate": "measured before" if known else "estimated" if seconds is not None else "unknown",
        "missing": item.missing,
        "skipped": item.unsupported,
        "notes": list(item.notes),
    }


def memory_of_cell(item: PlannedCell) -> float | None:
    """Bytes that a cell's worker would hold at most; None where the model's size is not known."""
    size, source, cell = size_of(item), item.source, item.cell
    if size is None or item.unsupported is not None:
        return None
    shape = shape_of(item)
    libraries = opening_of(source.kind).libraries
    if shape is None:
        return libraries + size.parameters * BYTES_PER_WEIGHT[source.precision] * LOADING
    passes = _unless_failed(lambda: MEASURES[cell.measure].passes(cell.typed, shape))
    if passes is None:
        return None
    return memory_of(passes, libraries, source.precision, size.parameters, shape)


def _preparation_row(item: PlannedCell, stage: Resolved, machine: str, peaks: Peaks) -> dict[str, object]:
    training = stage.training
    which = {axis: item.cell.axes[axis] for axis in TRAINED_AXES if axis in item.cell.axes}
    row: dict[str, object] = {"model": item.cell.model, **which, "cached": False}
    if training is None:
        name = f"{stage.source.name} fetch asset {stage.asset}"
        return row | {"measure": "fetch", "cell": name, "estimate": "unknown"}
    seconds = seconds_of_training([stage], machine, peaks)
    known = is_known(machine, training.method)
    how = "unknown" if seconds is None else "by earlier ones" if known else "estimated"
    return row | {
        "measure": "train",
        "cell": f"{_named(item, stage)} {training.what}, {training.length}",
        "seconds": seconds,
        "memory_bytes": memory_of_training(item),
        "estimate": how,
    }


def _named(item: PlannedCell, stage: Resolved) -> str:
    """The model of a suite that a stage makes: that of the cell, with its axes, or another one that it builds on."""
    return item.cell.trained_model if stage.source.name == item.cell.model else stage.source.name


def memory_of_training(item: PlannedCell) -> float | None:
    """Bytes that the training of a cell's model would hold; None where nothing has to be trained."""
    size = size_of(item)
    if not item.resolved.is_made_here or item.resolved.ready or size is None:
        return None
    return opening_of(item.source.kind).libraries + 16.0 * size.parameters + 4e8


def size_of(item: PlannedCell) -> ModelSize | None:
    """Parameters of a cell's model, without loading it; None where they are not known (a hub model, say)."""
    return _size(item.resolved)


def _size(model: Resolved) -> ModelSize | None:
    if model.why_not:
        return None
    return _unless_failed(lambda: adapter_of(model.source.kind).size(model))


def shape_of(item: PlannedCell) -> ModelShape | None:
    """The sizes of a cell's model, without loading it; None where they are not known."""
    if item.resolved.why_not:
        return None
    return _unless_failed(lambda: adapter_of(item.source.kind).shape(item.resolved))


def _seconds(item: PlannedCell, size: ModelSize | None, peaks: Peaks) -> float | None:
    if size is None:
        return None
    pace = _pace(item, size, peaks)
    return _unless_failed(lambda: MEASURES[item.cell.measure].seconds(item.cell.typed, pace))


def _pace(item: PlannedCell, size: ModelSize, peaks: Peaks) -> Pace:
    return Pace(
        start=opening_of(item.source.kind).start if item.isolated else 0.5,
        flops_per_token=2.0 * size.matmul,
        rate=EFFICIENCY * peaks.flops.get("bf16" if item.source.precision in ("bf16", "fp16") else "fp32", 50e9),
        read=size.parameters * BYTES_PER_WEIGHT[item.source.precision] / (EFFICIENCY * peaks.bandwidth),
    )


def seconds_of_comparison(compared: Comparison, peaks: Peaks) -> float | None:
    """Seconds that two models take side by side; None where the size of one is not known."""
    if not compared.can_be:
        return 0.0
    base, head = size_of(compared.base), size_of(compared.head)
    if base is None or head is None:
        return None
    return compared.seconds(_pace(compared.base, base, peaks), _pace(compared.head, head, peaks))


def _comparison_row(compared: Comparison, peaks: Peaks) -> dict[str, object]:
    known = CellCache().glance(compared.key) if compared.cached else None
    seconds = seconds_of_comparison(compared, peaks) if known is None else known.seconds
    how = "measured before" if known else "estimated" if seconds is not None else "unknown"
    cell = compared.head.cell
    row: dict[str, object] = {"model": cell.model, **cell.axes, "measure": NAME, "cell": f"{NAME} {compared.title}"}
    return row | {"cached": known is not None, "seconds": seconds, "estimate": how}


def _unless_failed(ask: Callable[[], Known | None]) -> Known | None:
    """What a measure or an adapter knows; None, and a warning, where a plugin's fails: no cell needs an estimate."""
    try:
        return ask()
    except PluginFailed as failed:
        notice(str(failed))
        return None
