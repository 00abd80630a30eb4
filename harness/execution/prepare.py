"""Fetch, train and calibrate what cells need, once, before they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import assets, corpora
from harness.errors import UserError, no_room
from harness.execution.events import OnEvent, Preparing
from harness.execution.requests import MeasurePeaks, PeaksMeasured, Refused
from harness.execution.train import train_side_by_side
from harness.execution.worker import Worker, WorkerDied
from harness.models.resolved import Resolved
from harness.results.conditions import QUIET
from harness.results.fingerprint import Fingerprint
from harness.results.peaks import Peaks, cached_peaks, store_peaks
from harness.tasks.files.library import TaskLibrary


class NotPrepared(Exception):
    """Something that cells need can't be had: its cells fail with this reason, and the rest goes on."""


def prepare_text(text: str, on_event: OnEvent) -> None:
    """Bring a text into reach. Raises NotPrepared."""
    what = f"text {text}"
    try:
        corpora.ensure(text, lambda done, total: on_event(Preparing(what, _share(done, total))))
        notes = corpora.notes(text)
    except UserError as error:
        raise NotPrepared(str(error)) from None
    on_event(Preparing(what, 1.0, "; ".join(notes)))


def prepare_task(name: str, library: TaskLibrary, on_event: OnEvent) -> None:
    """Bring a task's data into reach. Raises NotPrepared."""
    what = f"task {name}"
    try:
        on_event(Preparing(what, 0.0))
        library.ensure(name)
    except UserError as error:
        raise NotPrepared(str(error)) from None
    on_event(Preparing(what, 1.0))


def prepare_model(resolved: Resolved, threads: int, log: Path, on_event: OnEvent, *, watched: bool = False) -> None:
    """Fetch or train a model. watched: see `TrainModel`. Raises NotPrepared."""
    if not resolved.needed and resolved.training is None:
        _fetch(resolved, on_event)
    else:
        reason = prepare_trainings([resolved], threads, 1, log, on_event, watched=watched)[resolved.source.digest]
        if reason is not None:
            raise NotPrepared(reason)


def _fetch(resolved: Resolved, on_event: OnEvent) -> None:
    """Fetch the asset that a model is of, where it is of one. Raises NotPrepared."""
    if resolved.asset is None:
        return
    what = what_is_fetched(resolved)
    try:
        assets.get(resolved.asset, lambda done, total: on_event(Preparing(what, _share(done, total))))
    except UserError as error:
        raise NotPrepared(str(error)) from None
    on_event(Preparing(what, 1.0))


def what_is_fetched(resolved: Resolved) -> str:
    """How an asset that a model is of is named while it comes: `Preparing.what`."""
    return f"{resolved.source.name}: asset {resolved.asset}"


def prepare_trainings(
    models: Sequence[Resolved], threads: int, at_once: int, log: Path, on_event: OnEvent, *, watched: bool = False
) -> dict[str, str | None]:
    """Train models, `at_once` of them side by side; by digest the reason where one failed. watched: see `TrainModel`.

    What a training starts from and what it asks come before it: what needs nothing of all models first. What several
    models share is made once, and not again where it is there already.
    """
    asked_for = {model.source.digest for model in models}
    by_depth: dict[int, dict[str, Resolved]] = {}
    for model in models:
        for stage in model.stages:
            if stage.source.digest in asked_for or not stage.ready:
                by_depth.setdefault(stage.depth, {}).setdefault(stage.source.digest, stage)
    failed: dict[str, str] = {}
    for _, stages in sorted(by_depth.items()):
        able = []
        for digest, stage in stages.items():
            reasons = [failed[model.source.digest] for model in stage.needed if model.source.digest in failed]
            if reasons:
                failed[digest] = reasons[0]
            else:
                able.append(stage)
        found = _prepare_stages(able, threads, at_once, log, on_event, watched)
        failed |= {digest: reason for digest, reason in found.items() if reason is not None}
    return {model.source.digest: failed.get(model.source.digest) for model in models}


def _prepare_stages(
    models: Sequence[Resolved], threads: int, at_once: int, log: Path, on_event: OnEvent, watched: bool
) -> dict[str, str | None]:
    """Train models that have what they start from, or fetch them."""
    reasons: dict[str, str | None] = {}
    able = []
    for model in models:
        try:
            if model.training is None:
                _fetch(model, on_event)
                continue
            for text in model.training.texts:
                prepare_text(text, on_event)
            able.append(model)
        except NotPrepared as error:
            reasons[model.source.digest] = str(error)
        except (OSError, ValueError) as error:
            if no_room(error):
                raise
            reasons[model.source.digest] = f"the text of {model.title} could not be prepared: {error}"
    return reasons | train_side_by_side(able, threads, at_once, log, on_event, watched)


def prepare_peaks(machine: Fingerprint, device: str, threads: int, log: Path, on_event: OnEvent) -> Peaks:
    """This machine's peaks for a thread count. Raises NotPrepared.

    Measured when they are not known yet, or when other programs kept the cores busy the last time.
    """
    known = cached_peaks(machine.class_id, threads, device)
    if known is not None and (known.others_share or 0.0) <= QUIET:
        return known
    what = f"peaks of this machine ({device}, {threads} threads)"
    on_event(Preparing(what, 0.0))
    with Worker(threads, log, lane=0) as worker:
        try:
            answer = worker.ask(MeasurePeaks(device))
        except WorkerDied as error:
            raise NotPrepared(f"the peaks could not be measured: {error}") from None
    if isinstance(answer, Refused):
        raise NotPrepared(f"the peaks could not be measured: {answer.reason}")
    assert isinstance(answer, PeaksMeasured)
    store_peaks(answer.machine_class, threads, answer.peaks)  # of where they were measured, whatever was planned
    on_event(Preparing(what, 1.0))
    return cached_peaks(answer.machine_class, threads, device) or answer.peaks


def _share(done: float, total: float) -> float:
    return min(done / total, 0.999) if total else 0.0
