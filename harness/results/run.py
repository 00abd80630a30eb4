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

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness import kept_file
from harness.errors import UserError, told
from harness.file_digest import file_sha256
from harness.kept_file import Damaged, Unsealed
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.record import SCHEMA_VERSION, CellResult, Record, Scalar
from harness.results.run_folder import inside, refuse_links

if TYPE_CHECKING:
    import pandas as pd

Read = TypeVar("Read", bound=BaseModel)

MANIFEST = "manifest.json"
CELLS = "cells.jsonl"
RECORDS = "records.parquet"
FINDINGS = "findings.json"
EXPECTATIONS = "expectations.json"
MARKDOWN = "summary.md"
HTML = "report.html"
PROVENANCE = ("run", "suite", "time", "commit")
"""Columns of `Run.records` that say of what run a record is."""
UNCHECKED_VERSION = 1
"""The version whose runs have no checksums."""


class Manifest(BaseModel):
    """What ran, where, and how it ended. Written when a run starts and again when it ends."""

    model_config = ConfigDict(extra="allow")

    schema_version: int = SCHEMA_VERSION
    run: str
    """Name of the run: its folder's name."""
    id: str = ""
    """Drawn when the run begins, and in each of its lines: those of another run are not believed here, though it be
    one of the same suite. Empty: that version drew none."""
    sequence: int = 0
    """Which run of its folder of runs it is, counted from 1, as clocks are set back. 0: that version did not count."""
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
    plugins: dict[str, str] = Field(default_factory=dict)
    """By name the packages of the measures and analyses that do not ship with the harness: `gpt-words 1.0`."""
    cells: list[str] = Field(default_factory=list)
    """Keys of all cells of the plan, in order."""
    files: dict[str, str] = Field(default_factory=dict)
    """By name the sha256 of each file that was made of the cells: records, findings, outcomes, reports."""


@dataclass(frozen=True)
class _Lines:
    """`cells.jsonl` as it was read."""

    cells: list[CellResult]
    """The last line of each cell."""
    damaged: dict[int, str]
    """By the number of the line, from 1: why it is not believed."""
    unchecked: bool
    """Whether lines have no checksum, because an earlier version wrote them."""


@dataclass(frozen=True)
class Run:
    """A run folder, read lazily. What is damaged in it is left out, and `damage` says so."""

    folder: Path

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
        refuse_links(self.folder)
        path = self.folder / MANIFEST
        again = "run the suite again, cached cells are kept"
        try:
            if (found := self._content(MANIFEST, again)) is None:
                raise UserError(
                    "not a run folder (it has no manifest.json); `harness show` lists the runs here",
                    place=str(self.folder),
                )
            content, checked = _unsealed(found.removesuffix(b"\n"), MANIFEST)
            manifest = Manifest.model_validate_json(content)
            if not checked and manifest.schema_version != UNCHECKED_VERSION:
                raise Unsealed
            if manifest.schema_version > SCHEMA_VERSION:
                raise UserError(
                    f"a run of version {manifest.schema_version}, and this harness reads {SCHEMA_VERSION}: read it "
                    "with the harness that made it",
                    place=str(path),
                )
        except ValueError as error:  # as pydantic and codecs say it, too
            raise UserError(
                f"the manifest is corrupted ({_first_line(error)}); run the suite again, cached cells are kept",
                place=str(path),
            ) from None
        return manifest

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

    @cached_property
    def damage(self) -> list[str]:
        """What can't be believed in this folder and is left out, a sentence each. (A damaged manifest raises.)"""
        cells, again = self.folder / CELLS, f"`harness run --resume {self.folder}` measures"
        alike = defaultdict(list)
        for number, reason in self.damaged_lines.items():
            alike[reason].append(number)
        found = [
            f"{cells}:{first}: this line is damaged ({reason}), so its cell is left out; {again} it again"
            if not more
            else f"{cells}:{first}: this line and {len(more)} more are damaged ({reason}), so their cells "
            f"are left out; {again} them again"
            for reason, (first, *more) in alike.items()
        ]
        planned = self.planned
        ended = Counter(cell.planned_key for cell in self.cells)
        left = sum((Counter(planned) - ended).values())
        if left and self._status == "finished":
            found.append(f"{cells}: {left} of {len(planned)} cells are missing; {again} what is missing")
        found += [
            f"{self.folder / str(cell.samples)}: {why}"
            for cell in self.cells
            if (why := self.why_no_samples(cell)) is not None
        ]
        for name in self._made:
            if (why := self._why_other(name)) is not None:
                found.append(f"{self.folder / name}: {why}; `harness report {self.folder}` writes it again")
        return found

    @cached_property
    def unchecked(self) -> bool:
        """Whether an earlier version wrote it, without checksums: it is read as it stands."""
        return self._lines.unchecked or self.manifest.schema_version == UNCHECKED_VERSION

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every record as a tidy DataFrame: axes and settings as columns, and last what it is of. `run` and `suite`;
        `time`: when its cell was measured, UTC; `commit`: of the checkout in which it was measured, None where the
        result came from the cache."""
        frame = records_frame([record for cell in self.cells for record in cell.records])
        suite: str | None = None
        commit: str | None = None
        with suppress(UserError):  # told of where the manifest is asked for; the numbers are shown
            suite, commit = self.manifest.suite, self.manifest.git.get("commit")
        cells = [cell for cell in self.cells for _ in cell.records]
        frame["run"], frame["suite"] = self.name, suite
        frame["time"] = [cell.measured for cell in cells]
        frame["commit"] = [commit if cell.source == "measured" else None for cell in cells]
        return frame

    def samples_file(self, cell: CellResult) -> Path:
        """Where the samples of one cell lie; the run folder itself where it has none."""
        return inside(self.folder, cell.samples or "")

    def why_no_samples(self, cell: CellResult) -> str | None:
        """Why a cell's samples are not believed; None where they are, or where there are none. Hashed once."""
        if cell.samples is None:
            return None
        try:
            path = self.samples_file(cell)
            if path.is_dir():
                return _folder_here(path, "run the suite again").message
            if cell.samples_sha256 is not None and file_sha256(path) != cell.samples_sha256:
                return (
                    "the samples are damaged, their sha256 is another than when they were written; "
                    "run the suite again with --fresh"
                )
            if cell.samples_sha256 is None:
                path.stat()
        except UserError as error:
            return error.message
        except FileNotFoundError:
            return "the samples are missing; run the suite again"
        except OSError as error:
            return f"the samples can't be read ({_first_line(error)}); run the suite again with --fresh"
        return None

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
            return kept_file.read_frame(path, cell.samples_sha256)
        except (OSError, ValueError) as error:
            raise UserError(
                f"the samples can't be read ({_first_line(error)}); run the suite again with --fresh",
                place=str(path),
            ) from None

    @cached_property
    def findings(self) -> list[Finding]:
        """Findings of the suite's analyses; none where the file is damaged, which `damage` says."""
        return self._list(FINDINGS, Finding)

    @cached_property
    def expectations(self) -> list[ExpectationOutcome]:
        """Outcomes of the suite's expectations; none where the file is damaged, which `damage` says."""
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

    @cached_property
    def _lines(self) -> _Lines:
        refuse_links(self.folder)
        again = f"measure its cells again: harness run --resume {self.folder}"
        lines = (self._content(CELLS, again) or b"").split(b"\n")
        ended: dict[str, CellResult] = {}
        damaged: dict[int, str] = {}
        unchecked = False
        try:
            manifest = self.manifest
        except UserError:  # told of where it is asked for; the lines are shown
            manifest = None
        planned = frozenset(() if manifest is None else manifest.cells)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                result, checked = _cell_of(line)
                if manifest is not None:
                    _of_this_run(result, checked, manifest, planned)
            except ValueError as error:  # as pydantic says it, too
                if number < len(lines) or self._status == "finished":
                    damaged[number] = _first_line(error)
                continue
            unchecked = unchecked or not checked
            ended[result.identity] = result
        return _Lines(list(ended.values()), damaged, unchecked)

    @property
    def planned(self) -> list[str]:
        """The keys of the plan; none where the manifest can't be read."""
        try:
            return self.manifest.cells
        except UserError:
            return []

    @property
    def _status(self) -> str:
        try:
            return self.manifest.status
        except UserError:
            return ""

    @property
    def _made(self) -> list[str]:
        """The files that were made of the cells."""
        try:
            manifest = self.manifest
        except UserError:
            return []
        read = [name for name in (FINDINGS, EXPECTATIONS) if (self.folder / name).exists()]
        return list(dict.fromkeys([*manifest.files, *read]))

    def _why_other(self, name: str) -> str | None:
        """Why a file that was made of the cells is not believed; None where it is what the manifest says."""
        try:
            content = self._content(name, f"write it again: harness report {self.folder}")
        except UserError as error:
            if name in _KINDS:
                raise
            return error.message
        if content is None:
            return "it is missing"
        if self.manifest.schema_version != UNCHECKED_VERSION:
            if name not in self.manifest.files:
                return "the manifest does not name it, as what wrote it did not end"
            if hashlib.sha256(content).hexdigest() != self.manifest.files[name]:
                return "it is damaged, its sha256 is another than when it was written"
        try:
            if name in _KINDS:
                _KINDS[name].validate_json(content)
        except ValidationError as error:  # an earlier version's, or one that somebody wrote with its checksum
            return f"it is not what belongs here ({_first_line(error)})"
        return None

    def _list(self, name: str, kind: type[Read]) -> list[Read]:
        path = self.folder / name
        if not path.exists() or self._why_other(name) is not None:
            return []
        found: list[Read] = TypeAdapter(list[kind]).validate_json(path.read_bytes())  # type: ignore[valid-type]
        return found


_KINDS: dict[str, TypeAdapter[Any]] = {
    FINDINGS: TypeAdapter(list[Finding]),
    EXPECTATIONS: TypeAdapter(list[ExpectationOutcome]),
}


def _unsealed(content: bytes, name: str) -> tuple[bytes, bool]:
    """A JSON object, and whether its checksum was compared: an earlier version wrote none. Raises Damaged."""
    try:
        return kept_file.unseal(content, name), True
    except Unsealed:
        return content, False


def _cell_of(line: bytes) -> tuple[CellResult, bool]:
    """A line of `cells.jsonl`, and whether its checksum was compared. Raises Damaged, or ValidationError."""
    content, checked = _unsealed(line, CELLS)
    result = CellResult.model_validate_json(content)
    if not checked and result.schema_version != UNCHECKED_VERSION:
        raise Unsealed
    if result.schema_version > SCHEMA_VERSION:
        raise Damaged(f"of version {result.schema_version}, and this harness reads {SCHEMA_VERSION}")
    return result, checked


def _of_this_run(result: CellResult, checked: bool, manifest: Manifest, planned: frozenset[str]) -> None:
    """Raise Damaged where a line is another run's, copied here."""
    if checked:
        other = result.run_id != manifest.id or (bool(planned) and result.planned_key not in planned)
    else:
        other = manifest.schema_version != UNCHECKED_VERSION
    if other:
        raise Damaged("it is of another run")


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

    own = {*Record.model_fields, *PROVENANCE}
    rows = []
    for record in records:
        row = record.model_dump(mode="python", exclude={"axes", "settings", "resolved"})
        row["status"], row["direction"] = str(record.status), str(record.direction)
        extra = record.axes | settled(record.settings, record.resolved)
        rows.append(row | {(f"setting_{name}" if name in own else name): value for name, value in extra.items()})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(
            columns=[name for name in Record.model_fields if name not in ("axes", "settings", "resolved")]
        )
    axes = list(dict.fromkeys(name for record in records for name in record.axes))
    settings = list(dict.fromkeys(name for record in records for name in (*record.settings, *record.resolved)))
    settings = [f"setting_{name}" if name in own else name for name in settings if name not in axes]
    lead = ["model", *axes, "measure", *settings, "part", "metric", "value", "unit", "low", "high", "status"]
    return frame[lead + [column for column in frame.columns if column not in lead]]


def settled(settings: Mapping[str, Scalar], resolved: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Settings with what the model settled in place of those that were left open."""
    return {**settings, **resolved}


def _folder_here(path: Path, again: str) -> UserError:
    return UserError(f"a folder stands where this file belongs; remove the folder, then {again}", place=str(path))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else str(first["msg"])
    return lines[0] if lines else type(error).__name__
