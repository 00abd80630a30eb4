"""`harness doctor`: what this machine is, what it can do, what is missing and how to install it."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_problem, cache_root
from harness.errors import UserError
from harness.execution.events import OnEvent, unheard
from harness.execution.prepare import NotPrepared, prepare_peaks
from harness.execution.worker import preload
from harness.fences.enclosure import Fences, available
from harness.models import compiled_kernel
from harness.models.adapter import Part
from harness.models.registry import ADAPTERS
from harness.results.conditions import QUIET, taken_now
from harness.results.fingerprint import Fingerprint, fingerprint
from harness.results.peaks import Peaks, cached_peaks
from harness.threads import default_threads

PARTS = (
    Part("torch", "every model", "pip install torch"),
    *(part for adapter in ADAPTERS.values() for part in adapter.parts),
    Part("gguf", "the SmolLM2 asset", "pip install gguf"),
    Part("altair", "charts in reports", "pip install altair vl-convert-python"),
    Part("datasets", "texts from the hub (hub:NAME)", "pip install 'gpt-harness[hub]'"),
    Part("pytest_benchmark", "the benchmarks of a checkout", "pip install 'gpt-harness[test]'"),
)


@dataclass(frozen=True)
class Examination:
    """What the doctor found."""

    fingerprint: Fingerprint
    threads: int
    peaks: Peaks | None
    peaks_problem: str | None
    cache: Path | None
    """Where results are kept; None where they can't be."""
    cache_problem: str | None
    """Why nothing can be kept there."""
    missing: tuple[Part, ...]
    kernel: str
    """Where the compiled decode step of the reference lies, or why there is none and decoding is slower."""
    fences: Fences
    """What keeps foreign code in."""
    busy: str | None
    """A warning where other processes keep the cores busy."""


def examine(*, measure: bool = True, on_event: OnEvent = unheard) -> Examination:
    """Examine this machine; with `measure`, measure its peaks where they are not known (a few seconds)."""
    machine = fingerprint()
    threads = default_threads()
    device = "cuda" if machine.gpus else "cpu"
    unusable, peaks, problem = cache_problem(), None, None
    with contextlib.suppress(UserError):  # there is no cache, which `unusable` says
        peaks = cached_peaks(machine.class_id, threads, device)
    if peaks is None and unusable:
        problem = "not measured: there is no cache to keep them in"
    elif peaks is None and measure:
        preload(["torch"])
        with tempfile.TemporaryDirectory() as folder:
            try:
                peaks = prepare_peaks(machine, device, threads, Path(folder, "worker.log"), on_event)
            except NotPrepared as error:
                problem = str(error)
    missing = tuple(part for part in PARTS if importlib.util.find_spec(part.module) is None)
    place = None if unusable else cache_root()
    return Examination(
        machine, threads, peaks, problem, place, unusable, missing, compiled_kernel.described(), available(), _busy()
    )


def _busy() -> str | None:
    """Look at the machine for half a second of doing nothing."""
    share = taken_now(0.5)
    if share is None or share <= QUIET:
        return None
    return f"other programs take {share:.0%} of the cores: speeds measured now will be too low"
