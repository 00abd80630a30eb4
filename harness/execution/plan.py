"""The plan of a run: every cell with its key, and whether its result is known already. Nothing is run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.cell_cache import CellCache
from harness.execution.cell_key import Asked, Digests, all_but_the_kernel, key_of
from harness.execution.mistakes import Mistakes
from harness.execution.resolve import resolve_all, resolve_asked
from harness.measures.measure import Settings
from harness.measures.registry import MEASURES
from harness.models.adapter import Adapter
from harness.models.compiled_kernel import planned_kernel
from harness.models.contract import TYPES, ModelSource
from harness.models.digest import hash_of
from harness.models.registry import adapter_of
from harness.models.resolved import Resolved
from harness.notice import notice
from harness.promises import PluginFailed
from harness.results.fingerprint import Fingerprint, fingerprint
from harness.suite.cells import Cell
from harness.suite.load import LoadedSuite
from harness.suite.schema import Suite
from harness.suite.where_named import where_axis, where_named
from harness.tasks.files.library import TaskLibrary
from harness.threads import cores_allowed, default_threads

IN_PROCESS = (
    "measured in the process that holds the model: one launch beside whatever else that process does, and launches "
    "there are not independent"
)
"""Of cells of models in memory."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell, resolved: which model at which precision on which device, with how many threads, and its key."""

    cell: Cell
    key: str
    resolved: Resolved
    source: ModelSource
    threads: int
    cached: bool
    missing: str | None = None
    """Why it can't run, as a sentence: packages that it needs and that aren't installed, or a plugin that failed."""
    unsupported: str | None = None
    """Why its model can't be measured so, a sentence: it is skipped."""
    notes: tuple[str, ...] = ()
    """What a reader of its result must know."""
    rest: str = ""
    """A hash of all that determines its result beside the compiled kernel: see `key_of`."""
    kernel: str | None = None
    """The compiled kernel that it is planned with; None where the device has none."""
    read: tuple[tuple[str, str, str], ...] = ()
    """The texts and tasks that it reads: kind (`text`, `task`), name and digest."""
    asked: tuple[tuple[str, Resolved], ...] = ()
    """Other models that its measure asks, by their names: see `Measure.asks`."""

    @property
    def asked_sources(self) -> tuple[tuple[str, ModelSource], ...]:
        """What opens those: at the precision of the cell, on its device."""
        return tuple((name, _at(model.source, self.cell)) for name, model in self.asked)

    @property
    def models(self) -> tuple[Resolved, ...]:
        """Its model, and those that its measure asks."""
        return (self.resolved, *(model for _, model in self.asked))

    @property
    def identity(self) -> str:
        """Which cell of the run this is: see `CellResult.identity`."""
        return f"{self.key} {self.cell.model} {sorted(self.cell.axes.items())}"

    @property
    def isolated(self) -> bool:
        """Whether it runs alone, each launch in a fresh process."""
        return MEASURES[self.cell.measure].isolated


@dataclass(frozen=True)
class Plan:
    """All cells of a suite on this machine."""

    suite: Suite
    cells: list[PlannedCell]
    fingerprint: Fingerprint
    library: TaskLibrary
    """Where its tasks are found."""
    told: tuple[str, ...] = ()
    """What was found beforehand to make cells impossible, sentences with their places."""


def make_plan(loaded: LoadedSuite, allowed: Allowed = NOTHING_MORE) -> Plan:
    """Resolve every model, text and task of a suite and compute every cell's key. Raises UserError with every mistake.

    `harness.execution.preflight` makes the plan of a run, and looks at more.
    """
    mistakes = Mistakes(loaded)
    plan = plan_of(loaded, allowed, mistakes)
    mistakes.refuse()
    return plan


def plan_of(loaded: LoadedSuite, allowed: Allowed, mistakes: Mistakes) -> Plan:
    """The same, of the cells that can be planned: what is wrong with the others is added to the mistakes."""
    suite = loaded.suite
    library = allowed.library(suite)
    machine = fingerprint()
    on_devices = [_with_device(cell, machine, suite, mistakes) for cell in loaded.cells]
    all_cells = list(dict.fromkeys(on_devices))  # `device: [auto, cpu]` may be one device
    resolved = resolve_all(suite.models, all_cells, mistakes, allowed.trust_remote_code)
    others = resolve_asked(suite, all_cells, mistakes, allowed.trust_remote_code)
    cache = CellCache()
    digests = Digests(library)
    told = Told(library)
    planned = []
    unread = told.check(all_cells, suite, mistakes)
    unread |= digests.find(all_cells, suite, mistakes)
    for cell in all_cells:
        if cell.trained_model not in resolved or (cell.measure, cell.typed) in unread or cell not in others:
            continue
        model = resolved[cell.trained_model]
        threads = int(cell.axes.get("threads") or default_threads())
        source, asked = _at(model.source, cell), others[cell]
        if why_not := model.why_not or told.failed(cell) or next((one.why_not for _, one in asked if one.why_not), ""):
            planned.append(_failed(cell, model, source, threads, why_not))
            continue
        try:
            rest = all_but_the_kernel(cell, source, threads, machine, digests, [one.source for _, one in asked])
            kernel = _kernel() if source.device == "cpu" else None
            key = key_of(rest, kernel)
            planned.append(
                PlannedCell(
                    *(_labeled(cell, source, model.quantized_by), key, model, source, threads),
                    cached=cache.has(key),
                    missing=told.missing(cell),
                    unsupported=told.unsupported(cell, source.kind),
                    notes=told.notes(cell, source.kind),
                    rest=rest,
                    kernel=kernel,
                    read=digests.read(cell),
                    asked=asked,
                )
            )
        except PluginFailed as failed:
            planned.append(_failed(cell, model, source, threads, str(failed)))
    return Plan(suite, planned, machine, library)


def _at(source: ModelSource, cell: Cell) -> ModelSource:
    """Opens a model at the precision of a cell, on its device."""
    precision: Any = cell.axes["precision"]
    return replace(source, precision=precision, device=str(cell.axes["device"]))


def _failed(cell: Cell, model: Resolved, source: ModelSource, threads: int, why_not: str) -> PlannedCell:
    """A cell of a plugin that failed: what determines its result is not known, so its key is one that none has."""
    key = hash_of([cell.trained_model, cell.measure, cell.settings, sorted(cell.axes.items()), why_not])[:32]
    return PlannedCell(cell, key, model, source, threads, False, why_not)


class Told:
    """What must be said of a suite's cells before they run, each found out once."""

    def __init__(self, library: TaskLibrary) -> None:
        self._library = library
        self._failed: dict[tuple[str, Settings], str] = {}
        self._missing: dict[str, str | None] = {}
        self._notes: dict[tuple[str, Settings], tuple[str, ...]] = {}
        self._unsupported: dict[tuple[str, Settings, str], str | None] = {}

    def check(self, cells: list[Cell], suite: Suite, mistakes: Mistakes) -> set[Asked]:
        """Ask the cells' measures what can be told before anything runs. Settings that are wrong are among the
        mistakes, and returned; where a plugin fails, `failed` says so of its cells."""
        wrong: set[Asked] = set()
        for measure, settings in dict.fromkeys((cell.measure, cell.typed) for cell in cells):
            before = len(mistakes.sentences)
            try:
                names = MEASURES[measure].tasks(settings)
                with mistakes.at(where_named(suite, measure, names[0] if names else "")):
                    MEASURES[measure].check(self._library, settings)
            except PluginFailed as failed:
                self._failed[measure, settings] = str(failed)
            if len(mistakes.sentences) > before:
                wrong.add((measure, settings))
        return wrong

    def failed(self, cell: Cell) -> str | None:
        """How the check of a cell's settings failed; None where it didn't."""
        return self._failed.get((cell.measure, cell.typed))

    def missing(self, cell: Cell) -> str | None:
        """See `PlannedCell.missing`."""
        names = MEASURES[cell.measure].tasks(cell.typed)
        for name in names:
            if name not in self._missing:
                self._missing[name] = self._library.missing(name)
        return next((self._missing[name] for name in names if self._missing[name] is not None), None)

    def unsupported(self, cell: Cell, kind: str) -> str | None:
        """See `PlannedCell.unsupported`."""
        which, adapter = (cell.measure, cell.typed, kind), adapter_of(kind)
        if which not in self._unsupported:
            self._unsupported[which] = MEASURES[cell.measure].why_not(self._library, cell.typed, adapter)
        precision = adapter.why_not(cell.axes["precision"])  # type: ignore[arg-type]
        return self._unsupported[which] or precision or _why_not_here(cell, adapter)

    def notes(self, cell: Cell, kind: str) -> tuple[str, ...]:
        """See `PlannedCell.notes`."""
        which = cell.measure, cell.typed
        if which not in self._notes:
            self._notes[which] = MEASURES[cell.measure].notes(self._library, cell.typed)
        return (*self._notes[which], *((IN_PROCESS,) if adapter_of(kind).in_process else ()))


def _why_not_here(cell: Cell, adapter: Adapter) -> str | None:
    """Why a cell can't run in the process that holds its model; None where it can, or needn't."""
    if not adapter.in_process:
        return None
    if any(metric.depends_on == "memory" for metric in MEASURES[cell.measure].metrics):
        return "memory is measured in a fresh process that opens the model: save it, and name its folder"
    return None


def _kernel() -> str:
    native = planned_kernel()
    if native.recompiled:
        notice(native.recompiled)
    return native.identity


def _labeled(cell: Cell, source: ModelSource, quantized_by: str) -> Cell:
    """The cell as tables show it: weights that came quantized are not called by the type of their activations."""
    if not quantized_by or source.precision not in TYPES:
        return cell
    return cell.at(precision=f"{quantized_by}, {source.precision} activations")


def _with_device(cell: Cell, machine: Fingerprint, suite: Suite, mistakes: Mistakes) -> Cell:
    threads = cell.axes.get("threads")
    if isinstance(threads, int) and threads > cores_allowed():
        mistakes.add(
            where_axis(suite, "threads", threads),
            f"{threads} is more than the {cores_allowed()} cores that this process may use; lower it",
        )
    device = cell.axes["device"]
    if device == "cuda" and not machine.gpus:
        mistakes.add(
            where_axis(suite, "device", "cuda"),
            "`cuda` asks for an NVIDIA GPU and none is visible here; use `device: auto`, or a machine with one",
        )
    if device == "auto":
        device = "cuda" if machine.gpus else "cpu"
    return cell.at(device=device)
