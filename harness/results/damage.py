"""What can't be believed in a run folder, a sentence each: what is left out, and how it is made again."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from harness.results import made_files, samples
from harness.results.cell_lines import Lines
from harness.results.manifest import Manifest
from harness.results.run_folder import CELLS


def of_cells(folder: Path, lines: Lines, manifest: Manifest | None) -> list[str]:
    """Of the cells and their samples. manifest: None where it can't be read."""
    return [
        *_of_lines(folder, lines),
        *([] if manifest is None else _of_missing_cells(folder, lines, manifest)),
        *(
            f"{folder / str(cell.samples)}: {why}"
            for cell in lines.cells
            if (why := samples.why_none(folder, cell)) is not None
        ),
    ]


def of_made_files(folder: Path, manifest: Manifest | None) -> list[str]:
    """Of what was made of the cells: findings, outcomes, tables, reports. Raises UserError where findings or outcomes
    can't be read."""
    if manifest is None:
        return []
    return [
        f"{folder / name}: {why}; `harness report {folder}` writes it again"
        for name in made_files.names(folder, manifest)
        if (why := made_files.why_not(folder, name, manifest)) is not None
    ]


def _of_lines(folder: Path, lines: Lines) -> list[str]:
    cells, again = folder / CELLS, f"`harness run --resume {folder}` measures"
    alike = defaultdict(list)
    for number, reason in lines.damaged.items():
        alike[reason].append(number)
    return [
        f"{cells}:{first}: this line is damaged ({reason}), so its cell is left out; {again} it again"
        if not more
        else f"{cells}:{first}: this line and {len(more)} more are damaged ({reason}), so their cells "
        f"are left out; {again} them again"
        for reason, (first, *more) in alike.items()
    ]


def _of_missing_cells(folder: Path, lines: Lines, manifest: Manifest) -> list[str]:
    planned = manifest.expected
    left = sum((Counter(planned) - Counter(cell.planned_key for cell in lines.cells)).values())
    if not left or manifest.status != "finished":
        return []
    return [
        f"{folder / CELLS}: {left} of {len(planned)} cells are missing; `{manifest.goes_on(folder)}` measures what is "
        "missing"
    ]
