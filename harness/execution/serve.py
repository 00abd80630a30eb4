"""The worker process: answers requests one at a time until its parent is gone.

Speed and memory cells get a process of their own; quality cells that share a model share one, which keeps the last
model open.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness.errors import Unsupported, UserError, memory_ran_out, printable, told, unexpected
from harness.execution.imported import imported_packages
from harness.execution.opened_model import CannotOpen, Loader, OpenedModel
from harness.execution.requests import (
    Answer,
    Collect,
    Collected,
    MeasurePeaks,
    PeaksMeasured,
    Refused,
    Request,
    Said,
    Step,
    Trained,
    TrainModel,
)
from harness.notice import listen, notice, remarks_to
from harness.results.conditions import conditions
from harness.results.fingerprint import fingerprint, imported_versions, other_than_planned
from harness.results.folder_lock import holding
from harness.results.record import Status

if TYPE_CHECKING:
    from harness.measures.measure import Sample


def serve(connection: Connection, threads: int, log: str, lane: int | None = None) -> None:
    """Main of a worker. Library chatter goes to `log`, so that it can't spoil the parent's display."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _chatter_to(log)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    listen(lambda sentence: connection.send(Said(sentence)))
    pin_threads(threads, lane)
    opened = OpenedModel()
    with remarks_to(sys.stderr), contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request: Request = connection.recv()
            answered = answer(request, opened, threads, connection.send)
            try:
                connection.send(answered)
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # samples that can't be pickled
                connection.send(refusal(error, "handing over the samples"))


def answer(request: Request, opened: OpenedModel, threads: int, send: Callable[[Step], None]) -> Answer:
    """Do what is asked; whatever goes wrong comes back as `Refused` with one sentence."""
    try:
        match request:
            case Collect():
                return collect(request, opened, send)
            case TrainModel():
                return _train(request, send)
            case MeasurePeaks():
                from harness.results.peaks import measure_peaks

                return PeaksMeasured(measure_peaks(threads, request.device), fingerprint().class_id)
    except CannotOpen as error:
        assert error.__cause__ is not None
        return refusal(error.__cause__, "opening the model")
    except BaseException as error:
        return refusal(error, _doing(request))


def _doing(request: Request) -> str:
    """What a request asks for, as in `while measuring perplexity`."""
    match request:
        case Collect():
            return f"measuring {request.measure}"
        case TrainModel():
            return "training"
        case MeasurePeaks():
            return "measuring the peaks"


def pin_threads(threads: int, lane: int | None) -> None:
    """Give torch exactly `threads` threads, and with a lane the process as many of the cores that it may use: lane 0
    the first ones, lane 1 those after them, and from the first again where there are no more."""
    import torch

    fingerprint()  # of the whole machine, and the same from here on: pinned, this process sees its own cores alone
    torch.set_num_threads(threads)
    if lane is not None and hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        if threads < len(allowed):
            first = lane % (len(allowed) // threads) * threads
            os.sched_setaffinity(0, allowed[first : first + threads])


def refusal(error: BaseException, what: str) -> Refused:
    """An exception as one sentence with a status; `what` was being done, as in `while opening the model`.

    A sentence of ours needs no traceback, unless something that nobody foresaw is behind it."""
    is_foreseen = isinstance(error, UserError | Unsupported) and error.__cause__ is None
    trace = "" if is_foreseen else printable("".join(traceback.format_exception(error)))
    if isinstance(error, Unsupported):
        return Refused(Status.SKIPPED, printable(str(error)), trace)
    if memory_ran_out(error):
        return Refused(Status.OUT_OF_MEMORY, f"out of memory while {what}: {told(error)}", trace)
    return Refused(Status.FAILED, unexpected(what, error), trace)


def collect(request: Collect, opened: OpenedModel, send: Callable[[Step], None]) -> Collected:
    """Collect the samples of one launch of one cell in this process. Raises what its measure raises."""
    import torch

    from harness.measures.registry import MEASURES

    if request.threads is not None:
        torch.set_num_threads(request.threads)
    measure = MEASURES[request.measure]
    before = conditions()
    loader = Loader(request, opened, send)
    _compare_with_plan(request)
    samples = measure.collect(loader, request.settings)
    after = conditions()
    _compare_with_plan(request)
    found = {"before": before, "after": after} | _of_this_process(request)
    identity = opened.open(request.source).identity
    return Collected([_printable(row) for row in samples], identity, found, imported_packages())


def _of_this_process(request: Collect) -> dict[str, Any]:
    """What ran: see `Collected.conditions`."""
    import torch

    from harness.models.compiled_kernel import kernel_in_use

    device = request.source.device
    return {
        "threads": torch.get_num_threads(),
        "pid": os.getpid(),
        "kernel": kernel_in_use(),
        "aten": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else fingerprint().cpu_model,
        "class": fingerprint().class_id,
        "imported": imported_versions(),
        "other": [] if request.machine is None else other_than_planned(request.machine),
    }


def _compare_with_plan(request: Collect) -> None:
    """Raises UserError where a text or a task isn't the one that the cell's key tells of. What was begun is dropped."""
    from harness import corpora

    for kind, name, planned in request.read:
        found = corpora.digest(name) if kind == "text" else request.library.digest(name)
        if found != planned:
            if request.unfinished is not None:
                Path(request.unfinished).unlink(missing_ok=True)
            raise UserError("has changed since the run began; run the suite again", place=f"the {kind} {name}")


def _printable(row: Sample) -> Sample:
    """The same row, its texts such that a file takes them: a model's or a task's may hold half a character."""
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list) and value and isinstance(value[0], str | list | None):
        return [_text(inner) for inner in value]
    return value


def _train(request: TrainModel, send: Callable[[Step], None]) -> Trained:
    """Train a model, unless another run does so meanwhile: then what that one keeps is the answer."""
    from harness.models.stage import training_lock
    from harness.models.training_evidence import is_trained, kept_summary

    folder = Path(request.source.path)

    waited = False

    def on_wait() -> None:
        nonlocal waited
        waited = True
        sentence = "another run does this training now; this one waits for it and takes what it keeps"
        notice(f"{request.source.name}: {sentence}")
        send(Step(0.0, "waiting for another run"))

    folder.parent.mkdir(parents=True, exist_ok=True)
    with holding(training_lock(folder), on_wait):
        if is_trained(folder):
            return Trained(kept_summary(request.training, folder), is_whole=False)
        if waited:
            notice(f"{request.source.name}: the other run ended without keeping it, so it is trained here")
        return _train_alone(request, send)


def _train_alone(request: TrainModel, send: Callable[[Step], None]) -> Trained:
    import torch
    from filelock import FileLock

    from harness.cache import cache_folder
    from harness.measures.memory_meter import memory_meter, return_free_memory
    from harness.models.stage import Maker, Making, maker_of, state_file
    from harness.models.training_evidence import Evidence, keep_evidence

    maker = cast(Maker, import_module(maker_of(request.training)))
    folder = Path(request.source.path)
    shutil.rmtree(folder, ignore_errors=True)  # half of one, or a damaged one: see `is_trained`
    send(Step(0.0, "reading the text"))
    with FileLock(cache_folder("tokens") / ".lock"):  # trainings side by side make what they share once
        maker.read(request.training)  # before the memory is read
    gc.collect()
    return_free_memory()
    meter = memory_meter("cpu")
    meter.reset()
    baseline, before = meter.held(), conditions()
    said = Step(0.0, "")

    def step(done: float, text: str) -> None:
        nonlocal said
        said = Step(done, text)
        send(said)

    def sample(text: str) -> None:
        send(replace(said, sample=text))

    state = state_file(folder) if request.watched else None
    making = Making(
        source=request.source,
        start=request.start,
        asked=dict(request.asked),
        state=state,
        on_step=step,
        on_sample=sample if request.watched else None,
    )
    is_whole = state is None or not any(state.parent.glob(f"{state.name}*"))
    summary = maker.make(request.training, making)
    evidence = Evidence(
        training=request.training,
        worker_class=fingerprint().class_id,
        threads=torch.get_num_threads(),
        device="cpu",
        peak_memory=meter.peak() - baseline,
        meter=meter.name,
        before=before,
        after=conditions(),
    )
    keep_evidence(folder, evidence)
    return Trained(summary, is_whole)


def _chatter_to(log: str) -> None:
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # the run folder is gone, or the disk is full: the parent says so
        descriptor = os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the locale: what is printed must not end a cell
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
