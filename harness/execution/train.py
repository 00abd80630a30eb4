"""Models trained side by side, a worker each on cores of its own.

A small model can't use more than a core or two: its matrices are too small to cut up. A ladder of them is ready much
sooner one core each than one after the other with all cores. Everything happens in the caller's thread, which waits on
all workers at once: no locks, and Ctrl-C ends them like anything else.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from harness.execution.estimate import arithmetic_of_stage, peaks_for_estimates
from harness.execution.events import OnEvent, Preparing
from harness.execution.requests import Refused, Step, Trained, TrainModel
from harness.execution.training_pace import keep_pace
from harness.execution.worker import Worker, WorkerDied
from harness.models.resolved import Resolved
from harness.results.fingerprint import fingerprint

DOMINANT = 0.75
"""A model with more than this part of all the work is what the others wait for: it gets all threads."""


def shares(models: Sequence[Resolved], threads: int, room: int) -> tuple[int, int]:
    """With how many threads each model is trained, and how many at once, on `room` threads.

    threads: what the models' cells compute with, the most that one gets. Two small models with a core each are ready
    sooner than one after the other with two, and on a busy machine neither waits for a core that another program has.
    """
    room = max(room, threads)
    work = [_work(model) for model in models]
    shared = len(models) > 1 and max(work) <= DOMINANT * sum(work)
    each = min(threads, max(1, room // len(models))) if shared else threads
    return each, room // each


@dataclass
class _UnderWay:
    """A training in its lane."""

    model: Resolved
    worker: Worker
    lane: int
    began: float = field(default_factory=time.monotonic)

    @property
    def what(self) -> str:
        return what_is_trained(self.model)


def what_is_trained(model: Resolved) -> str:
    """How a training is named while it goes: `Preparing.what`."""
    assert model.training is not None
    return f"{model.title}: {model.training.what}".removeprefix(": ")


def train_side_by_side(
    models: Sequence[Resolved], threads: int, at_once: int, log: Path, on_event: OnEvent, watched: bool = False
) -> dict[str, str | None]:
    """Train models whose texts are there, `at_once` of them with `threads` threads each; by digest the reason where
    one failed, which costs the others nothing.

    The longest begin first, so that no core is left waiting for one that began last. Whatever ends this function ends
    the workers; a folder of a training that was cut off is not whole, and is trained again by the next run. watched:
    see `TrainModel`: such a training goes on from the state that it kept.
    """
    waiting = sorted(models, key=_work)
    free = list(range(at_once))[::-1]
    under_way: dict[int, _UnderWay] = {}
    reasons: dict[str, str | None] = {}
    try:
        while waiting or under_way:
            while waiting and free:
                lane = free.pop()
                model = waiting.pop()
                under_way[lane] = _UnderWay(model, Worker(threads, log, lane), lane)
                assert model.training is not None
                start = None if model.before is None else model.before.source
                asked = tuple((name, other.source) for name, other in model.asked)
                with contextlib.suppress(WorkerDied):  # told when its messages are read
                    under_way[lane].worker.begin(TrainModel(model.training, model.source, start, asked, watched))
            connections = [item.worker.connection for item in under_way.values()]
            ready = wait(connections)
            for item in [item for item in under_way.values() if item.worker.connection in ready]:
                ended, reason = _heard(item, on_event)
                if ended:
                    reasons[item.model.source.digest] = reason
                    free.append(item.lane)
                    del under_way[item.lane]
                    item.worker.close()
    finally:
        for item in under_way.values():
            item.worker.end_now()
        for item in under_way.values():
            item.worker.close()
    return reasons


def _heard(item: _UnderWay, on_event: OnEvent) -> tuple[bool, str | None]:
    """Whether the next message of a training is its last one, and the reason if it failed."""
    name = item.model.title
    try:
        message = item.worker.next_message()
    except WorkerDied as error:
        reason = f"the training of {name} did not end: {error}"
    else:
        if isinstance(message, Step):
            on_event(Preparing(item.what, min(message.done, 0.999), message.text, message.sample))
            return False, None
        if isinstance(message, Trained):
            if message.is_whole:
                _remember(item)
            on_event(Preparing(item.what, 1.0, str(message.summary.get("text", ""))))
            return True, None
        assert isinstance(message, Refused)
        reason = f"the training of {name} failed: {message.reason}"
    on_event(Preparing(item.what, 1.0, ""))
    return True, reason


def _remember(item: _UnderWay) -> None:
    """How long it took, beside what was estimated: for later estimates."""
    machine, training = fingerprint().class_id, item.model.training
    estimated = arithmetic_of_stage(item.model, peaks_for_estimates(machine))
    if training is not None and estimated is not None:
        keep_pace(machine, training.method, time.monotonic() - item.began, estimated)


def _work(model: Resolved) -> float:
    return 0.0 if model.training is None else model.training.work or 0.0
