"""A run as it lies on disk: one execution of one suite on one machine.

Every line of cells.jsonl and the manifest hold their own sha256; a cell's line holds that of its samples, the manifest
those of the rest (see `harness.kept_file`).

manifest.json      what ran, where, on which machine, and how it ended
cells.jsonl        one line per cell that ended, appended as the run goes (kill -9 loses only the cell in flight)
samples/KEY.parquet   per-document or per-iteration evidence of a cell
records.parquet    every record, written when the run ends
findings.json, expectations.json, summary.md, report.html
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, WrongArgument, shown
from harness.results import made_files, samples
from harness.results.cell_lines import Lines, read_lines
from harness.results.damage import of_cells, of_made_files
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.held_folder import is_held
from harness.results.made_files import Read
from harness.results.manifest import UNCHECKED_VERSION, Manifest, read_manifest
from harness.results.record import CellResult
from harness.results.records_frame import PROVENANCE, records_frame
from harness.results.run_folder import EXPECTATIONS, FINDINGS
from harness.results.schema_version import LaterVersion

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """A run folder, read lazily. What is damaged in it is left out, and `damage` says so."""

    folder: Path
    """A path, or a text that is one."""

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | PathLike):
            raise WrongArgument(f"should be the path of a run folder, not {shown(repr(self.folder))}", place="folder")
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def with_its_cells(self) -> Run:
        """The same run, read again but for its cells, which stay as they were read: after something was made of
        them."""
        again = Run(self.folder)
        of_cells = ("_lines", "records")
        again.__dict__.update({name: self.__dict__[name] for name in of_cells if name in self.__dict__})
        return again

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest; UserError where it is missing or corrupted, or where the folder has links."""
        return read_manifest(self.folder)

    @property
    def cells(self) -> list[CellResult]:
        """The cells that ended, the last line of each; a damaged line is left out.

        A torn last line (a kill in the middle of a write) is dropped: that cell did not end.
        """
        return self._lines.cells

    @property
    def damaged_lines(self) -> dict[int, str]:
        """The lines of `cells.jsonl` that are left out, by number from 1, and why."""
        return self._lines.damaged

    @property
    def status(self) -> str:
        """finished, interrupted, running; or stopped, where the manifest says that it runs and its process is gone: it
        was killed, or the machine went down. Raises UserError where the manifest can't be read."""
        said = self.manifest.status
        return "stopped" if said == "running" and not is_held(self.folder) else said

    @cached_property
    def damage(self) -> list[str]:
        """What can't be believed in this folder and is left out, a sentence each. (A damaged manifest raises.)"""
        return [*self.damage_of_cells, *of_made_files(self.folder, self._believed_manifest)]

    @cached_property
    def damage_of_cells(self) -> list[str]:
        """Of those the sentences that matter to who reads cells and samples alone: a missing report does not."""
        return of_cells(self.folder, self._lines, self._believed_manifest)

    @cached_property
    def unchecked(self) -> bool:
        """Whether an earlier version wrote it, without checksums: it is read as it stands."""
        return self._lines.unchecked or self.manifest.schema_version == UNCHECKED_VERSION

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every record as a tidy DataFrame: axes and settings as columns, and last what it is of. `run` and `suite`;
        `time`: when its cell was measured, UTC; `commit`: of the checkout in which it was measured, also where that
        was by an earlier run (None where a version measured it that did not keep it)."""
        frame = records_frame([record for cell in self.cells for record in cell.records])
        told = [self.told_of(cell) for cell in self.cells for _ in cell.records]
        for name in PROVENANCE:
            frame[name] = [one[name] for one in told]
        return frame

    def told_of(self, cell: CellResult) -> dict[str, str | None]:
        """What `records` says of a cell beside its own: `run`, `suite`, `time` and `commit`."""
        suite: str | None = None
        commit: str | None = None
        with suppress(UserError):  # told of where the manifest is asked for; the numbers are shown
            suite, commit = self.manifest.suite, self.manifest.git.get("commit")
        return {"run": self.name, "suite": suite, "time": cell.measured, "commit": _commit(cell, commit)}

    def measured(self, cell: CellResult) -> bool:
        """Whether this run itself measured a cell: it came neither from the cache nor from what an earlier run had
        collected. (Of an earlier version, which kept no more, whether it is marked so.)"""
        if cell.provenance is not None and cell.provenance.run_id != self.manifest.id:
            return False
        return cell.source == "measured"

    def samples_file(self, cell: CellResult) -> Path:
        """Where the samples of one cell lie; the run folder itself where it has none."""
        return samples.path_of(self.folder, cell)

    def why_no_samples(self, cell: CellResult) -> str | None:
        """Why a cell's samples are not believed; None where they are, or where there are none. Hashed once."""
        return samples.why_none(self.folder, cell)

    def samples_of(self, cell: CellResult) -> pd.DataFrame:
        """The samples of one cell; UserError where the file is missing or corrupted."""
        return samples.read(self.folder, cell)

    @cached_property
    def findings(self) -> list[Finding]:
        """Findings of the suite's analyses; none where the file is damaged, which `damage` says."""
        return self._list(FINDINGS, Finding)

    @cached_property
    def expectations(self) -> list[ExpectationOutcome]:
        """Outcomes of the suite's expectations; none where the file is damaged, which `damage` says."""
        return self._list(EXPECTATIONS, ExpectationOutcome)

    @property
    def planned(self) -> list[str]:
        """The keys of the plan; none where the manifest can't be read."""
        manifest = self._believed_manifest
        return [] if manifest is None else manifest.expected

    @cached_property
    def _lines(self) -> Lines:
        return read_lines(self.folder, self._believed_manifest)

    @property
    def _believed_manifest(self) -> Manifest | None:
        """None where it can't be read, which is told of where it is asked for: the rest is shown. Raises LaterVersion:
        of such a run nothing is shown."""
        try:
            return self.manifest
        except LaterVersion:
            raise
        except UserError:
            return None

    def _list(self, name: str, kind: type[Read]) -> list[Read]:
        if not (self.folder / name).exists():
            return []
        return made_files.read_list(self.folder, name, kind, self.manifest)


def _commit(cell: CellResult, of_run: str | None) -> str | None:
    """The commit that a cell was measured in. of_run: that of the run in whose folder it is."""
    if cell.provenance is not None:
        return cell.provenance.commit
    return of_run if cell.source == "measured" else None
