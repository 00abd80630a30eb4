"""`cells.jsonl` of a run: a line per cell that ended, believed where its checksum and its run are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.kept_file import Damaged, Unsealed
from harness.results.manifest import UNCHECKED_VERSION, Manifest, unsealed
from harness.results.record import SCHEMA_VERSION, CellResult
from harness.results.run_folder import CELLS, content, first_line, refuse_links
from harness.results.schema_version import LaterVersion, version_of


@dataclass(frozen=True)
class Lines:
    """`cells.jsonl` as it was read."""

    cells: list[CellResult]
    """The last line of each cell."""
    damaged: dict[int, str]
    """By the number of the line, from 1: why it is not believed."""
    unchecked: bool
    """Whether lines have no checksum, because an earlier version wrote them."""


def read_lines(folder: Path, manifest: Manifest | None) -> Lines:
    """The lines of a run folder. manifest: the run's, which says whose lines they are; None where it can't be read. A
    torn last line is dropped unless the run has ended. Raises UserError where the file can't be read at all, and
    LaterVersion where a later version wrote a line: that is not damaged, and not to be measured again."""
    refuse_links(folder)
    again = f"measure its cells again: harness run --resume {folder}"
    lines = (content(folder, CELLS, again) or b"").split(b"\n")
    finished = manifest is not None and manifest.status == "finished"
    ended: dict[str, CellResult] = {}
    damaged: dict[int, str] = {}
    unchecked = False
    planned = frozenset(() if manifest is None else manifest.expected)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            result, checked = _cell_of(line, f"{folder / CELLS}:{number}")
            if manifest is not None:
                _of_this_run(result, checked, manifest, planned)
        except ValueError as error:  # as pydantic says it, too
            if number < len(lines) or finished:
                damaged[number] = first_line(error)
            continue
        unchecked = unchecked or not checked
        ended[result.identity] = result
    return Lines(list(ended.values()), damaged, unchecked)


def _cell_of(line: bytes, place: str) -> tuple[CellResult, bool]:
    """A line of `cells.jsonl`, and whether its checksum was compared. Raises Damaged, ValidationError, LaterVersion."""
    content, checked = unsealed(line, CELLS)
    version = version_of(content)
    if not checked and version != UNCHECKED_VERSION:
        raise Unsealed
    if version > SCHEMA_VERSION:
        raise LaterVersion(version, place)
    return CellResult.model_validate_json(content), checked


def _of_this_run(result: CellResult, checked: bool, manifest: Manifest, planned: frozenset[str]) -> None:
    """Raise Damaged where a line is another run's, copied here."""
    if checked:
        other = result.run_id != manifest.id or (bool(planned) and result.planned_key not in planned)
    else:
        other = manifest.schema_version != UNCHECKED_VERSION
    if other:
        raise Damaged("it is of another run")
