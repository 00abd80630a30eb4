"""Writing a run folder while the run goes, so that whatever ends the run loses at most the cell in flight."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from harness import kept_file
from harness.errors import UserError
from harness.results.baseline import is_baseline
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.manifest import Manifest
from harness.results.record import CellResult
from harness.results.run import Run
from harness.results.run_folder import CELLS, EXPECTATIONS, FINDINGS, MANIFEST, RECORDS
from harness.whole_file import write_whole

if TYPE_CHECKING:
    import pandas as pd


class Journal:
    """The writing end of one run folder."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError for the folder of a baseline: that is written whole, by `harness baseline set` alone."""
        for place in (folder, folder.parent):
            if is_baseline(place):
                raise UserError(
                    "this is a baseline, which only `harness baseline set` moves: name the run that it was made from, "
                    "or another folder",
                    place=str(place),
                )
        self.folder = folder
        self._manifest: Manifest | None = None
        """As this journal wrote it last."""
        self._samples: dict[str, tuple[str | None, str | None]] | None = None
        """Of each cell in the folder the name and the sha256 of its samples; None: not read yet."""

    @classmethod
    def start(cls, folder: Path, manifest: Manifest) -> Journal:
        """A new run folder with its manifest."""
        folder.mkdir(parents=True)
        journal = cls(folder)
        journal.write_manifest(manifest)
        journal._samples = {}
        return journal

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is now. Raises UserError where it is missing or corrupted."""
        if self._manifest is None:
            self._manifest = Run(self.folder).manifest
        return self._manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        kept_file.write_json(self.folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n", MANIFEST)
        self._manifest = manifest

    def append(self, result: CellResult, samples: pd.DataFrame | Path | None) -> CellResult:
        """Add one cell that ended: its samples first, then its line, flushed to the disk before this returns.

        samples: what was measured, or the file of the cell cache that holds it. Raises Damaged where that file is not
        what the result says.
        """
        told = result
        if samples is not None:
            name, sha256 = self._add_samples(result, samples)
            told = result.model_copy(update={"samples": name, "samples_sha256": sha256, "samples_bytes": None})
        told = told.model_copy(update={"run_id": self.manifest.id})
        line = kept_file.seal(told.model_dump_json(), CELLS) + "\n"
        cells = self.folder / CELLS
        self._end_a_torn_line(cells)
        try:
            with cells.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = error.filename or str(cells)  # what writes knows no name, and a full disk is told of by it
            raise
        if self._samples is not None:
            self._samples[told.identity] = told.samples, told.samples_sha256
        return told

    def _add_samples(self, result: CellResult, samples: pd.DataFrame | Path) -> tuple[str, str]:
        """The name and the sha256 of a cell's file of samples. Two cells may have one key: two names for one model."""
        (self.folder / "samples").mkdir(exist_ok=True)
        name = f"samples/{result.key}.parquet"
        others: dict[str | None, str | None] = {}
        if (self.folder / name).exists():
            if self._samples is None:
                cells = Run(self.folder).cells
                self._samples = {cell.identity: (cell.samples, cell.samples_sha256) for cell in cells}
            others = dict(held for identity, held in self._samples.items() if identity != result.identity)
        names = (name, *(f"samples/{result.key}-{number}.parquet" for number in range(2, len(others) + 3)))
        name = next(name for name in names if name not in others)
        path = self.folder / name
        if isinstance(samples, Path):
            sha256 = kept_file.copy(samples, path)
            if sha256 != result.samples_sha256:
                path.unlink()
                raise kept_file.Damaged("the sha256 of its samples is another than when they were written")
        else:
            sha256 = kept_file.write_frame(path, samples)
        if same := next((other for other in names if others.get(other) == sha256), None):
            path.unlink()
            return same, sha256
        return name, sha256

    def drop_damaged(self, run: Run) -> None:
        """Take damaged lines out of the cells: they are about to be measured again. run: this folder as it was read."""
        if run.damaged_lines:
            lines = (self.folder / CELLS).read_bytes().split(b"\n")
            kept = (line for number, line in enumerate(lines, start=1) if number not in run.damaged_lines)
            write_whole(self.folder / CELLS, b"\n".join(kept))

    def write_records(self, run: Run) -> None:
        """Every record as Parquet (axes and settings as columns). run: this folder as it was read."""
        kept_file.write_frame(self.folder / RECORDS, run.records)

    def write_findings(self, findings: Iterable[Finding], outcomes: Iterable[ExpectationOutcome]) -> None:
        """What analyses found and how expectations came out."""
        write_whole(self.folder / FINDINGS, json_list(findings))
        write_whole(self.folder / EXPECTATIONS, json_list(outcomes))

    def without_reports(self) -> None:
        """Say in the manifest that what is made of the cells is about to be made again."""
        if self.manifest.files:
            self.write_manifest(self.manifest.model_copy(update={"files": {}}))

    def with_reports(self, names: Iterable[str], problems: list[str]) -> None:
        """Say in the manifest what the files are that were made of the cells (those of `names` that are there)."""
        files = {name: kept_file.content_sha256(self.folder / name) for name in names if (self.folder / name).is_file()}
        self.write_manifest(self.manifest.model_copy(update={"files": files, "problems": list(problems)}))

    @staticmethod
    def _end_a_torn_line(path: Path) -> None:
        """Cut off half a line that a kill left behind: that cell did not end."""
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


def json_list(items: Iterable[BaseModel]) -> str:
    """A JSON list, each item written by its own model, which says how a float that is no number is written."""
    return "[\n" + ",\n".join(item.model_dump_json(indent=2) for item in items) + "\n]\n"
