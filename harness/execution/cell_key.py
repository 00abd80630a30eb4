"""What determines a cell's result, as one hash: same key, same result."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from harness import corpora
from harness.execution.code_digest import MEASURING, code_digest, package_digest
from harness.execution.mistakes import Mistakes
from harness.measures.measure import Settings
from harness.measures.registry import MEASURES
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from harness.models.registry import adapter_of, opening_of
from harness.plugins import plugin_of
from harness.promises import PluginFailed
from harness.results.fingerprint import Fingerprint, cpu_flags
from harness.results.instructions import instructions
from harness.suite.cells import Cell
from harness.suite.schema import Suite
from harness.suite.where_named import where_named
from harness.tasks.files.library import TaskLibrary

Asked = tuple[str, Settings]
"""A measure by its name, with settings."""


def key_of(rest: str, kernel: str | None) -> str:
    """The key of a cell, same key, same result: a hash of `all_but_the_kernel`, and of the kernel that it is planned
    with or, once it has run, that it ran with."""
    return hash_of([rest, kernel])[:32]


def all_but_the_kernel(
    cell: Cell,
    source: ModelSource,
    threads: int,
    machine: Fingerprint,
    digests: Digests,
    asked: Sequence[ModelSource] = (),
) -> str:
    """Hash of what determines a cell's result, but for the compiled kernel.

    The model's digest (for a trained one: what determines it), those of the models that the measure asks, what opens
    them, settings, digests of texts and tasks, the
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
    if asked:
        determined_by["asked"] = [[one.digest, one.kind, _versions(one, machine)] for one in asked]
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


class Digests:
    """What the texts and tasks of a suite are, each found out once."""

    def __init__(self, library: TaskLibrary) -> None:
        self._library = library
        self._known: dict[tuple[str, str], str] = {}

    def find(self, cells: list[Cell], suite: Suite, mistakes: Mistakes) -> set[Asked]:
        """Look for the texts and tasks of cells. What isn't there is among the mistakes; returns what asks for it."""
        lacking: set[Asked] = set()
        for name, settings in dict.fromkeys((cell.measure, cell.typed) for cell in cells):
            measure = MEASURES[name]
            try:
                texts, tasks = measure.texts(settings), measure.tasks(settings)
            except PluginFailed:
                continue  # its cells say so
            for one, find_out in (*((text, self.texts) for text in texts), *((task, self.tasks) for task in tasks)):
                before = len(mistakes.sentences)
                with mistakes.at(where_named(suite, name, one)):
                    find_out((one,))
                if len(mistakes.sentences) > before:
                    lacking.add((name, settings))
        return lacking

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
