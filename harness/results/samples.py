"""Samples of a run's cells: the evidence per document, iteration or launch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness import kept_file
from harness.errors import UserError, told
from harness.file_digest import file_sha256
from harness.results.record import CellResult
from harness.results.run_folder import first_line, folder_here, inside

if TYPE_CHECKING:
    import pandas as pd


def path_of(folder: Path, cell: CellResult) -> Path:
    """Where the samples of one cell lie; the run folder itself where it has none."""
    return inside(folder, cell.samples or "")


def why_none(folder: Path, cell: CellResult) -> str | None:
    """Why a cell's samples are not believed; None where they are, or where there are none. Hashed once."""
    if cell.samples is None:
        return None
    try:
        path = path_of(folder, cell)
        if path.is_dir():
            return folder_here(path, "run the suite again").message
        if cell.samples_sha256 is not None and file_sha256(path) != cell.samples_sha256:
            return (
                "the samples are damaged, their sha256 is another than when they were written; "
                "`harness run SUITE --fresh` measures it again"
            )
        if cell.samples_sha256 is None:
            path.stat()
    except UserError as error:
        return error.message
    except FileNotFoundError:
        return "the samples are missing; run the suite again"
    except OSError as error:
        return f"the samples can't be read ({first_line(error)}); `harness run SUITE --fresh` measures it again"
    return None


def read(folder: Path, cell: CellResult) -> pd.DataFrame:
    """The samples of one cell; UserError where the file is missing or corrupted."""
    import pandas as pd

    if cell.samples is None:
        return pd.DataFrame()
    path = path_of(folder, cell)
    if path.is_dir():  # which pandas would read as one table in many files
        raise folder_here(path, "run the suite again")
    if not path.is_file():
        raise UserError("the samples are missing; run the suite again", place=str(path))
    try:
        return kept_file.read_frame(path, cell.samples_sha256)
    except (OSError, ValueError) as error:
        raise UserError(
            f"the samples can't be read ({first_line(error)}); `harness run SUITE --fresh` measures it again",
            place=str(path),
        ) from None


@contextmanager
def reading_samples(*files: Path) -> Iterator[None]:
    """Around what looks into samples: a column that is missing or holds something else becomes a UserError that names
    the files, as a file that can't be read does."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        wrong = f"no column {error}" if isinstance(error, KeyError) else told(error)
        raise UserError(
            f"not what the samples of this cell should hold ({wrong}); run the suite again",
            place=", ".join(map(str, files)),
        ) from error
