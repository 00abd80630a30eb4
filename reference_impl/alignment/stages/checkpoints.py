"""Weights of a stage at chosen moments: kept beside its state while it goes, and in its folder at the end.

A run that was killed goes on from a state that is older than the newest of them: what was kept after that moment is
kept again, of the same bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reference_impl.alignment import processes
from reference_impl.alignment.settings.checkpoints import CheckpointSettings, at_kl, at_number
from reference_impl.alignment.stages.result import KeptCheckpoint, StageResult, write_result
from reference_impl.training.checkpoint_folder import MANIFEST, write_folder
from reference_impl.training.state import Report

FOLDER = "checkpoints"
"""Of a stage's folder: where its checkpoints are, a folder each."""
_INDEX = "kept.json"
_KEPT = TypeAdapter(tuple[KeptCheckpoint, ...])


class CheckpointKeeper:
    """Keeps the weights where their moment has come."""

    def __init__(
        self,
        settings: CheckpointSettings,
        folder: Path,
        write: Callable[[Path], None],
        steps_each: int = 1,
        *,
        goes_on: bool = False,
    ) -> None:
        """folder: where they are kept meanwhile. write: writes the model's files into an empty folder. steps_each:
        steps between two numbers of `after`. goes_on: the run goes on from a state, with what it kept before.

        Raises ValueError where that is gone.
        """
        self._settings, self._folder, self._write, self._steps_each = settings, folder, write, steps_each
        self._kept: tuple[KeptCheckpoint, ...] = ()
        self._first = True
        if goes_on:
            try:
                self._kept = _KEPT.validate_json((folder / _INDEX).read_bytes())
            except (OSError, ValidationError) as error:
                raise ValueError(
                    f"{folder}: the checkpoints that were kept beside the state can't be read; start again."
                ) from error
            if gone := [one.folder for one in self._kept if not (folder / one.folder / MANIFEST).is_file()]:
                raise ValueError(f"{folder / gone[0]} is gone, which was kept beside the state; start again.")
        elif not processes.number():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._save()

    @property
    def settings(self) -> CheckpointSettings:
        """At which moments."""
        return self._settings

    @property
    def is_done(self) -> bool:
        """Whether no moment is left that has not come."""
        return {name for one in self._kept for name in one.names} == set(self._settings.names)

    def offer(self, number: int, values: Mapping[str, float]) -> None:
        """The weights are those after so many rollouts or steps: keep them, if that was asked for. Called with rising
        numbers; the first call of a run that goes on says where it does. values: what was measured of them, `kl`
        among it."""
        if self._first:
            self._first = False
            self._kept = tuple(one for one in self._kept if one.after < number)
        had = {name for one in self._kept for name in one.names}
        here = [at_kl(at) for at in self._settings.kl if values["kl"] >= at]
        here += [at_number(at) for at in self._settings.after if at == number]
        names = tuple(name for name in here if name not in had)
        if not names:
            return
        name = f"after-{number:06d}"
        self._kept = (*self._kept, KeptCheckpoint(names, name, number, number * self._steps_each, dict(values)))
        if processes.number():
            return
        shutil.rmtree(self._folder / name, ignore_errors=True)
        write_folder(self._folder / name, self._write)
        self._save()

    def keep_in(self, out: Path, result: StageResult) -> None:
        """All of them as folders of their own within the stage's folder, each with how the stage went until then."""
        for one in self._kept:
            copy_checkpoint(self._folder / one.folder, out / FOLDER / one.folder, _until(result, one))

    @property
    def kept(self) -> tuple[KeptCheckpoint, ...]:
        """What was kept so far."""
        return self._kept

    def remove(self) -> None:
        """All that is kept meanwhile."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _save(self) -> None:
        temporary = self._folder / f".{_INDEX}.tmp"
        temporary.write_bytes(_KEPT.dump_json(self._kept))
        os.replace(temporary, self._folder / _INDEX)


def _until(result: StageResult, kept: KeptCheckpoint) -> StageResult:
    """How a stage went until then: its reports, the last of which says what was measured of these weights."""
    before = [report for report in result.reports if report.step < kept.step]
    at = [report for report in result.reports if report.step == kept.step]
    first = result.reports[0]
    last = (at or before or [Report(0, first.steps, {}, {}, 0.0)])[-1]
    here = replace(last, step=kept.step, values={**last.values, **kept.values})
    return replace(result, reports=(*before, here), checkpoints=(kept,), seconds=here.seconds)


def copy_checkpoint(source: Path, out: Path, result: StageResult | None = None) -> None:
    """The model of one folder in another, whole. result: is written beside it, in the place of what is there."""

    def write(folder: Path) -> None:
        for path in source.iterdir():
            if path.is_file() and path.name != MANIFEST:
                shutil.copyfile(path, folder / path.name)
        if result is not None:
            write_result(folder, result)

    write_folder(out, write)
