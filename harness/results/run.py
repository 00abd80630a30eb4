"""A run as it lies on disk: one execution of one suite on one machine.

manifest.json      what ran, where, on which machine, and how it ended
cells.jsonl        one line per cell that ended, appended as the run goes (kill -9 loses only the cell in flight)
samples/KEY.parquet   per-document or per-iteration evidence of a cell
records.parquet    every record, written when the run ends
findings.json, expectations.json, summary.md, report.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import UserError, told
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.record import SCHEMA_VERSION, CellResult, Record
from harness.results.run_folder import inside, refuse_links

if TYPE_CHECKING:
    import pandas as pd

Read = TypeVar("Read", bound=BaseModel)

MANIFEST = "manifest.json"
CELLS = "cells.jsonl"
RECORDS = "records.parquet"
FINDINGS = "findings.json"
EXPECTATIONS = "expectations.json"


class Manifest(BaseModel):
    """What ran, where, and how it ended. Written when a run starts and again when it ends."""

    model_config = ConfigDict(extra="allow")

    schema_version: int = SCHEMA_VERSION
    run: str
    """Name of the run: its folder's name."""
    suite: str
    about: str = ""
    suite_hash: str
    suite_text: str
    """The suite as resolved (includes merged), as YAML."""
    suite_source: str
    """The suite's path or name as given."""
    status: str = "running"
    """running, finished, interrupted."""
    started: str
    ended: str | None = None
    seconds: float | None = None
    command: list[str] = Field(default_factory=list)
    git: dict[str, Any] = Field(default_factory=dict)
    fingerprint: dict[str, Any] = Field(default_factory=dict)
    fingerprint_class: str = ""
    peaks: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By model name: source, digest, and for trained ones the training summary."""
    fresh: bool = False
    """Whether cells are measured again whose results are known from earlier runs; a resumed run goes on so."""
    problems: list[str] = Field(default_factory=list)
    """Reports that could not be written, and why: a sentence each."""
    cells: list[str] = Field(default_factory=list)
    """Keys of all cells of the plan, in order."""


@dataclass(frozen=True)
class Run:
    """A run folder, read lazily."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest; UserError where it is missing or corrupted, or where the folder has links."""
        refuse_links(self.folder)
        path = self.folder / MANIFEST
        if (content := self._content(MANIFEST, "run the suite again, cached cells are kept")) is None:
            raise UserError(
                "not a run folder (it has no manifest.json); `harness show` lists the runs here",
                place=str(self.folder),
            )
        try:
            return Manifest.model_validate_json(content)
        except (ValidationError, UnicodeDecodeError) as error:
            raise UserError(
                f"the manifest is corrupted ({_first_line(error)}); run the suite again, cached cells are kept",
                place=str(path),
            ) from None

    @cached_property
    def cells(self) -> list[CellResult]:
        """The cells that ended, the last line of each key; UserError names a corrupted line.

        A torn last line (a kill in the middle of a write) is dropped: that cell did not end.
        """
        refuse_links(self.folder)
        path = self.folder / CELLS
        ended: dict[str, CellResult] = {}
        again = f"measure its cells again: harness run --resume {self.folder}"
        lines = (self._content(CELLS, again) or b"").split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                result = CellResult.model_validate_json(line)
            except ValidationError as error:
                if number == len(lines):
                    continue
                raise UserError(
                    f"this line is not a cell result ({_first_line(error)}); delete the line and "
                    f"`harness run --resume {self.folder}` measures that cell again",
                    place=f"{path}:{number}",
                ) from None
            ended[result.identity] = result
        return list(ended.values())

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every record as a tidy DataFrame, axes and settings as columns."""
        return records_frame([record for cell in self.cells for record in cell.records])

    def samples_file(self, cell: CellResult) -> Path:
        """Where the samples of one cell lie; the run folder itself where it has none."""
        return inside(self.folder, cell.samples or "")

    def samples(self, cell: CellResult) -> pd.DataFrame:
        """The samples of one cell; UserError where the file is missing or corrupted."""
        import pandas as pd

        if cell.samples is None:
            return pd.DataFrame()
        path = self.samples_file(cell)
        if path.is_dir():  # which pandas would read as one table in many files
            raise _folder_here(path, "run the suite again")
        if not path.is_file():
            raise UserError("the samples are missing; run the suite again", place=str(path))
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise UserError(
                f"the samples can't be read ({_first_line(error)}); run the suite again with --fresh",
                place=str(path),
            ) from None

    @cached_property
    def findings(self) -> list[Finding]:
        """Findings of the suite's analyses."""
        return self._list(FINDINGS, Finding)

    @cached_property
    def expectations(self) -> list[ExpectationOutcome]:
        """Outcomes of the suite's expectations."""
        return self._list(EXPECTATIONS, ExpectationOutcome)

    def _content(self, name: str, again: str) -> bytes | None:
        """A file of this folder; None where there is none. Raises UserError where it can't be read; `again` is how it
        is made again."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise _folder_here(path, again) from None
        except OSError as error:
            raise UserError(f"can't be read ({error.strerror}); make it readable", place=str(path)) from None

    def _list(self, name: str, kind: type[Read]) -> list[Read]:
        path = self.folder / name
        if (content := self._content(name, f"write it again: harness report {self.folder}")) is None:
            return []
        try:
            return TypeAdapter(list[kind]).validate_json(content)  # type: ignore[valid-type]
        except ValidationError as error:
            raise UserError(
                f"not what belongs here ({_first_line(error)}); `harness report {self.folder}` writes it again",
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


def records_frame(records: list[Record]) -> pd.DataFrame:
    """Records as a tidy DataFrame: identity first, then one column per axis and per setting, then the rest.

    Settings and axes share one name space (a suite may not use a name twice), so `frame.query("batch == 8")` reads
    as the suite does. A setting named like a record's own field keeps a `setting_` prefix.
    """
    import pandas as pd

    own = set(Record.model_fields)
    rows = []
    for record in records:
        row = record.model_dump(mode="python", exclude={"axes", "settings"})
        row["status"], row["direction"] = str(record.status), str(record.direction)
        extra = record.axes | record.settings
        rows.append(row | {(f"setting_{name}" if name in own else name): value for name, value in extra.items()})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=[name for name in Record.model_fields if name not in ("axes", "settings")])
    axes = list(dict.fromkeys(name for record in records for name in record.axes))
    settings = list(dict.fromkeys(name for record in records for name in record.settings))
    settings = [f"setting_{name}" if name in own else name for name in settings if name not in axes]
    lead = ["model", *axes, "measure", *settings, "part", "metric", "value", "unit", "low", "high", "status"]
    return frame[lead + [column for column in frame.columns if column not in lead]]


def _folder_here(path: Path, again: str) -> UserError:
    return UserError(f"a folder stands where this file belongs; remove the folder, then {again}", place=str(path))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else str(first["msg"])
    return lines[0] if lines else type(error).__name__
