"""What has been prepared for the cells of a run, each thing once, and the reason where it can't be had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import no_room, unexpected
from harness.execution.events import OnEvent
from harness.execution.needs import ModelNeed, Need, PeaksNeed, TaskNeed, TextNeed, needs_of, peaks_of
from harness.execution.plan import PlannedCell
from harness.execution.prepare import (
    NotPrepared,
    prepare_model,
    prepare_peaks,
    prepare_task,
    prepare_text,
    prepare_trainings,
)
from harness.execution.train import shares
from harness.execution.worker_log import WorkerLog
from harness.measures.registry import MEASURES
from harness.models.resolved import Resolved
from harness.models.training_evidence import kept_summary
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks, cached_peaks
from harness.tasks.files.library import TaskLibrary
from harness.threads import default_threads


class Prepared:
    """What one run has prepared on this machine."""

    def __init__(self, machine: Fingerprint, library: TaskLibrary, log: WorkerLog, on_event: OnEvent) -> None:
        self._machine = machine
        self._library = library
        self._log = log
        self._on_event = on_event
        self._reasons: dict[Need, str | None] = {}
        """Of what was prepared: None, or the reason where it failed."""
        self.models: dict[str, dict[str, Any]] = {}
        """Summaries of the models by `Cell.trained_model`, for the manifest."""
        self.peaks: dict[PeaksNeed, Peaks] = {}

    def look(self, items: Iterable[PlannedCell]) -> None:
        """Find the models and peaks that are there already; nothing is prepared."""
        for item in items:
            if item.resolved.ready:
                self._have(item, item.resolved)
            need = peaks_of(item)
            peaks = cached_peaks(self._machine.class_id, need.threads, need.device)
            if peaks is not None and MEASURES[item.cell.measure].needs_peaks:
                self.peaks[need] = peaks

    def why_not(self, item: PlannedCell) -> str | None:
        """Prepare what a cell needs; the reason why it can't run, if it can't."""
        if item.missing is not None:
            return item.missing
        for need in needs_of(item):
            if need not in self._reasons:
                self._reasons[need] = self._why_not_prepared(need, item)
            if self._reasons[need] is not None:
                return self._reasons[need]
        return None

    def train_side_by_side(self, items: Sequence[PlannedCell]) -> None:
        """Train what is not ready side by side, but for models whose training is timed: those are trained alone, with
        their cells' threads, when their first cell is due."""
        timed = {item.source.digest for item in items if MEASURES[item.cell.measure].times_training}
        by_threads: dict[int, dict[str, tuple[PlannedCell, Resolved]]] = {}
        for item in items:
            for resolved in item.models:
                if not resolved.is_made_here or resolved.ready:
                    continue
                if timed.isdisjoint(stage.source.digest for stage in resolved.stages):
                    by_threads.setdefault(item.threads, {}).setdefault(resolved.source.digest, (item, resolved))
        for threads, group in by_threads.items():
            left = {digest: one for digest, one in group.items() if ModelNeed(digest) not in self._reasons}
            models = [resolved for _, resolved in left.values()]
            each, at_once = shares(models, threads, default_threads())
            reasons = prepare_trainings(models, each, at_once, self._log.path, self._on_event, watched=True)
            for digest, reason in reasons.items():
                self._reasons[ModelNeed(digest)] = reason
                if reason is None:
                    self._have(*left[digest])

    def _why_not_prepared(self, need: Need, item: PlannedCell) -> str | None:
        try:
            self._prepare(need, item)
        except NotPrepared as error:
            return str(error)
        except Exception as error:
            if no_room(error):
                raise
            self._log.write_trace(f"preparing {need}", error)
            return unexpected(f"preparing {need}", error)
        return None

    def _prepare(self, need: Need, item: PlannedCell) -> None:
        match need:
            case TextNeed(name):
                prepare_text(name, self._on_event)
            case TaskNeed(name):
                prepare_task(name, self._library, self._on_event)
            case PeaksNeed(device, threads):
                self.peaks[need] = prepare_peaks(self._machine, device, threads, self._log.path, self._on_event)
            case ModelNeed():
                resolved = next(one for one in item.models if ModelNeed(one.source.digest) == need)
                if not resolved.ready:
                    prepare_model(resolved, item.threads, self._log.path, self._on_event)
                self._have(item, resolved)

    def _have(self, item: PlannedCell, resolved: Resolved) -> None:
        """Say in the manifest what a model is that a cell needs: its own, or one that its measure asks."""
        self.models[item.cell.trained_model if resolved is item.resolved else resolved.title] = _summary(resolved)


def _summary(resolved: Resolved) -> dict[str, Any]:
    source = resolved.source
    training, folder = resolved.training, Path(source.path)
    trained = {}
    if training is not None:
        trained = kept_summary(training, folder)
    return {"kind": source.kind, "path": source.path, "digest": source.digest} | trained
