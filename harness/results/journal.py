"""Writing a run folder while the run goes, so that whatever ends the run loses at most the cell in flight."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from harness.results.finding import ExpectationOutcome, Finding
from harness.results.record import CellResult
from harness.results.run import CELLS, EXPECTATIONS, FINDINGS, MANIFEST, RECORDS, Manifest, Run
from harness.whole_file import put_in_place, write_whole

if TYPE_CHECKING:
    import pandas as pd


class Journal:
    """The writing end of one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def start(cls, folder: Path, manifest: Manifest) -> Journal:
        """A new run folder with its manifest."""
        folder.mkdir(parents=True)
        journal = cls(folder)
        journal.write_manifest(manifest)
        return journal

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        write_whole(self.folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")

    def append(self, result: CellResult, samples: pd.DataFrame | Path | None) -> CellResult:
        """Add one cell that ended: its samples first, then its line, flushed to the disk before this returns."""
        if samples is not None:
            name = f"samples/{result.key}.parquet"
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            if isinstance(samples, Path):
                shutil.copyfile(samples, path)
            else:
                samples.to_parquet(path, index=False)
            result = result.model_copy(update={"samples": name})
        line = result.model_dump_json() + "\n"
        cells = self.folder / CELLS
        self._end_a_torn_line(cells)
        with cells.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        return result

    def write_records(self) -> None:
        """Every record as Parquet (axes and settings as columns)."""
        path = self.folder / RECORDS
        building = path.with_suffix(".building")
        try:
            Run(self.folder).records.to_parquet(building, index=False)
            put_in_place(building, path)
        finally:
            building.unlink(missing_ok=True)

    def write_findings(self, findings: Iterable[Finding], outcomes: Iterable[ExpectationOutcome]) -> None:
        """What analyses found and how expectations came out."""
        write_whole(self.folder / FINDINGS, json_list(findings))
        write_whole(self.folder / EXPECTATIONS, json_list(outcomes))

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
