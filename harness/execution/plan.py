"""The plan of a run: every cell with its key, and whether its result is known already. Nothing is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from harness import corpora
from harness.errors import UserError
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.cell_cache import CellCache
from harness.execution.code_digest import MEASURING, code_digest, package_digest
from harness.execution.resolve import resolve_all
from harness.measures.measure import Settings
from harness.measures.registry import MEASURES
from harness.models.adapter import Adapter
from harness.models.compiled_kernel import planned_kernel
from harness.models.contract import TYPES, ModelSource
from harness.models.digest import hash_of
from harness.models.registry import adapter_of, opening_of
from harness.models.resolved import Resolved
from harness.notice import notice
from harness.plugins import plugin_of
from harness.promises import PluginFailed
from harness.results.fingerprint import Fingerprint, cpu_flags, fingerprint
from harness.results.instructions import instructions
from harness.suite.cells import Cell
from harness.suite.load import LoadedSuite
from harness.suite.schema import Suite
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


def make_plan(loaded: LoadedSuite, allowed: Allowed = NOTHING_MORE) -> Plan:
    """Resolve every model, text and task of a suite and compute every cell's key. Raises UserError."""
    suite = loaded.suite
    library = allowed.library(suite)
    machine = fingerprint()
    on_devices = [_with_device(cell, machine) for cell in loaded.cells]
    all_cells = list(dict.fromkeys(on_devices))  # `device: [auto, cpu]` may be one device
    resolved = resolve_all(suite.models, all_cells, allowed.trust_remote_code)
    cache = CellCache()
    digests = Digests(library)
    told = Told(library)
    planned = []
    told.check(all_cells)
    for cell in all_cells:
        model = resolved[cell.trained_model]
        threads = int(cell.axes.get("threads") or default_threads())
        source = replace(
            model.source,
            precision=cell.axes["precision"],  # type: ignore[arg-type]
            device=str(cell.axes["device"]),
        )
        if why_not := model.why_not or told.failed(cell):
            planned.append(_failed(cell, model, source, threads, why_not))
            continue
        try:
            rest = all_but_the_kernel(cell, source, threads, machine, digests)
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
                )
            )
        except PluginFailed as failed:
            planned.append(_failed(cell, model, source, threads, str(failed)))
    return Plan(suite, planned, machine, library)


def _failed(cell: Cell, model: Resolved, source: ModelSource, threads: int, why_not: str) -> PlannedCell:
    """A cell of a plugin that failed: what determines its result is not known, so its key is one that none has."""
    key = hash_of([cell.trained_model, cell.measure, cell.settings, sorted(cell.axes.items()), why_not])[:32]
    return PlannedCell(cell, key, model, source, threads, False, why_not)


class Digests:
    """What the texts and tasks of a suite are, each found out once."""

    def __init__(self, library: TaskLibrary) -> None:
        self._library = library
        self._known: dict[tuple[str, str], str] = {}

    def texts(self, names: tuple[str, ...]) -> dict[str, str]:
        """The digest of each text."""
        return {name: self._once("text", name, corpora.digest) for name in names}

    def tasks(self, names: tuple[str, ...]) -> dict[str, str]:
        """The digest of each task: its files, its code and its data."""
        return {name: self._once("task", name, self._library.digest) for name in names}

    def read(self, cell: Cell) -> tuple[tuple[str, str, str], ...]:
        """See `PlannedCell.read`."""
        measure, settings = MEASURES[cell.measure], cell.typed
        texts, tasks = self.texts(measure.texts(settings)), self.tasks(measure.tasks(settings))
        return (*(("text", *one) for one in texts.items()), *(("task", *one) for one in tasks.items()))

    def made_with(self, names: tuple[str, ...]) -> dict[str, str]:
        """Of each task, a hash of the packages that make its prompts and scores, and of what its code may do."""
        return {
            name: self._once("made with", name, lambda task: hash_of(self._library.made_with(task))) for name in names
        }

    def _once(self, kind: str, name: str, find_out: Callable[[str], str]) -> str:
        if (kind, name) not in self._known:
            self._known[kind, name] = find_out(name)
        return self._known[kind, name]


class Told:
    """What must be said of a suite's cells before they run, each found out once."""

    def __init__(self, library: TaskLibrary) -> None:
        self._library = library
        self._failed: dict[tuple[str, Settings], str] = {}
        self._missing: dict[str, str | None] = {}
        self._notes: dict[tuple[str, Settings], tuple[str, ...]] = {}
        self._unsupported: dict[tuple[str, Settings, str], str | None] = {}

    def check(self, cells: list[Cell]) -> None:
        """Ask the cells' measures what can be told before anything runs. Raises UserError for settings that are wrong;
        where a plugin fails, `failed` says so of its cells."""
        for measure, settings in dict.fromkeys((cell.measure, cell.typed) for cell in cells):
            try:
                MEASURES[measure].check(self._library, settings)
            except PluginFailed as failed:
                self._failed[measure, settings] = str(failed)

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


def key_of(rest: str, kernel: str | None) -> str:
    """The key of a cell, same key, same result: a hash of `all_but_the_kernel`, and of the kernel that it is planned
    with or, once it has run, that it ran with."""
    return hash_of([rest, kernel])[:32]


def all_but_the_kernel(cell: Cell, source: ModelSource, threads: int, machine: Fingerprint, digests: Digests) -> str:
    """Hash of what determines a cell's result, but for the compiled kernel.

    The model's digest (for a trained one: what determines it), what opens it, settings, digests of texts and tasks, the
    packages that make a task's prompts and scores, whether its code may run (behind the fence other statements do), the
    measure's version, the code (of a plugin's measure or adapter also its package's), the libraries' versions, and the
    instructions that products are computed with; where the cell measures speed or memory also the machine's class and
    the threads. Of quality the threads are no part: who adds which share of a sum moves its last bits, as the batch
    size does.
    """
    measure = MEASURES[cell.measure]
    settings = cell.typed
    determined_by: dict[str, object] = {
        "measure": f"{measure.name}@{measure.version}",
        "settings": cell.settings,
        "texts": digests.texts(measure.texts(settings)),
        "tasks": digests.tasks(measure.tasks(settings)),
        "tasks made with": digests.made_with(measure.tasks(settings)),
        "model": source.digest,
        "opened by": source.kind,
        "precision": source.precision,
        "device": source.device,
        "code": code_digest(MEASURING),
        "instructions": instructions(os.environ, cpu_flags()),
        "torch": machine.packages.get("torch"),
        "tokenizers": machine.packages.get("tokenizers"),
        "libraries": _versions(source, machine),
    }
    adapter = adapter_of(source.kind)
    for group, name in (("harness.measures", measure.name), ("harness.models", adapter.name)):
        if (plugin := plugin_of(group, name)) is not None:
            determined_by[group] = [plugin.package, package_digest(plugin.module)]
    if measure.isolated:
        determined_by |= {"machine": machine.class_id, "threads": threads}
    return hash_of(determined_by)


def _versions(source: ModelSource, machine: Fingerprint) -> dict[str, str | None]:
    """The libraries that decide what a model computes at its precision, beside those that every cell has."""
    names = [*opening_of(source.kind).packages, *(["bitsandbytes"] if source.precision in ("nf4", "fp4") else [])]
    return {name: machine.packages.get(name) or _installed(name) for name in sorted(set(names))}


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _labeled(cell: Cell, source: ModelSource, quantized_by: str) -> Cell:
    """The cell as tables show it: weights that came quantized are not called by the type of their activations."""
    if not quantized_by or source.precision not in TYPES:
        return cell
    return cell.at(precision=f"{quantized_by}, {source.precision} activations")


def _with_device(cell: Cell, machine: Fingerprint) -> Cell:
    threads = cell.axes.get("threads")
    if isinstance(threads, int) and threads > cores_allowed():
        raise UserError(
            f"threads: {threads} is more than the {cores_allowed()} cores that this process may use; lower it",
            place="matrix.threads",
        )
    device = cell.axes["device"]
    if device == "cuda" and not machine.gpus:
        raise UserError(
            "device: cuda asks for an NVIDIA GPU and none is visible here; use `device: auto`, or a machine with one",
            place="matrix.device",
        )
    if device == "auto":
        device = "cuda" if machine.gpus else "cpu"
    return cell.at(device=device)
