"""Baselines as they lie on disk: in `results/baselines/NAME` a run folder that was cut down, and the log of its moves.

A baseline is moved by `harness baseline set` alone (`harness.baselines`), which adds a line to the log. Where the last
line tells of other cells than those that lie here, something else moved it, and nothing is compared with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from harness import kept_file
from harness.errors import ExitCode, UserError, shown
from harness.input_file import why_no_path
from harness.kept_file import Damaged
from harness.results.record import SCHEMA_VERSION
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST, first_line, refuse_links
from harness.results.schema_version import LaterVersion, version_of
from harness.spelling import nearest as nearest_word
from harness.strict_models import Kept, constructed, first_mistake

BASELINES = Path("results/baselines")
"""Where baselines are, below the working folder or one above it: see `nearest`."""
PREFIX = "baseline:"
"""What a name begins with that always means a baseline."""
LOG = "log.jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class BaselineMissing(UserError):
    """There is nothing to compare with."""

    exit_code = ExitCode.BASELINE_MISSING


@constructed(first_mistake)
class Origin(Kept):
    """Which run a baseline is."""

    run: str
    run_id: str = ""
    """`Manifest.id`; empty of a version that drew none."""
    started: str
    commit: str | None = None
    """Of the checkout that it was started in; None outside of one."""
    dirty: bool | None = None
    suite: str
    suite_hash: str


class Move(Origin):
    """A line of the log: a baseline was set to a run."""

    schema_version: int = SCHEMA_VERSION
    number: int
    """Counted from 1."""
    time: str
    """UTC."""
    who: str
    why: str
    before: Origin | None = None
    """What it was before; None of the first one, and where that could not be read."""
    cells_sha256: str
    """Of the baseline's `cells.jsonl`, whose lines have those of the samples."""
    dropped: tuple[str, ...] = ()
    """What of the run was not kept, a sentence each."""
    damage: tuple[str, ...] = ()
    """What was wrong with the baseline and with this log before, a sentence each."""


@dataclass(frozen=True)
class Baseline:
    """A baseline, read lazily."""

    folder: Path

    @property
    def name(self) -> str:
        """As it is asked for."""
        return self.folder.name

    @cached_property
    def run(self) -> Run:
        """The run folder."""
        return Run(self.folder)

    @cached_property
    def moves(self) -> list[Move]:
        """The log, oldest first; damaged lines are left out. Raises LaterVersion."""
        return [move for move in self._lines if isinstance(move, Move)]

    @cached_property
    def log_damage(self) -> list[str]:
        """What is wrong with the log since it was last repaired, a sentence each; the last line aside (`why_not`)."""
        told, expected = [], 1
        for place, line in enumerate(self._lines, start=1):
            where = f"{self.folder / LOG}:{place}"
            if isinstance(line, Damaged):
                told.append(f"{where}: this line is damaged ({first_line(line)}), so nobody knows who moved it then")
                expected += 1
                continue
            if line.damage:
                told.clear()
            elif line.number != expected:
                told.append(f"{where}: this is move {line.number}, and {expected} was expected: lines are missing")
            expected = line.number + 1
        return told

    @property
    def problem(self) -> str:
        """What is wrong with it, a sentence; empty where nothing is."""
        try:
            found = [*filter(None, [self.why_not]), *self.log_damage, *self.run.damage_of_cells]
        except UserError as error:
            return str(error)
        return found[0] if found else ""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    @cached_property
    def why_not(self) -> str | None:
        """Why nobody knows that what lies here is what was set, as a sentence; None where it is. Raises UserError where
        the manifest can't be read."""
        repair = "take it from git again, or set it with `harness baseline set`"
        if not (self.folder / LOG).is_file():
            return f"there is no {LOG} in this folder, so nobody knows who made it a baseline and why; {repair}"
        lines = self._lines
        if not lines or isinstance(lines[-1], Damaged):
            return f"{LOG} is cut short, or its last line is damaged, so nobody knows what was set; {repair}"
        last, manifest = lines[-1], self.run.manifest
        if (last.run_id, last.started) != (manifest.id, manifest.started):
            told = f"the log was last moved to the run {last.run}, and what lies here is {manifest.run}"
            return f"{told}: one of the two was cut short or moved by hand; {repair}"
        try:
            same = kept_file.content_sha256(self.folder / CELLS) == last.cells_sha256
        except OSError as error:
            return f"{CELLS} can't be read ({first_line(error)}); {repair}"
        return None if same else f"{CELLS} is not what was set ({last.time}): it was changed by hand; {repair}"

    @cached_property
    def _lines(self) -> list[Move | Damaged]:
        refuse_links(self.folder)
        path = self.folder / LOG
        try:
            return [self._move(line, f"{path}:{n}") for n, line in enumerate(kept_file.read_lines(path, LOG), start=1)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"can't be read ({first_line(error)}); make it readable", place=str(path)) from None

    @staticmethod
    def _move(line: bytes | Damaged, place: str) -> Move | Damaged:
        if isinstance(line, Damaged):
            return line
        try:
            if (version := version_of(line)) > SCHEMA_VERSION:
                raise LaterVersion(version, place)
            return Move.model_validate_json(line)
        except ValidationError as error:
            return Damaged(first_line(error))


def nearest(below: Path, beside: Path | None = None) -> Path:
    """Where the baselines of a project are, seen from a folder in it: a relative folder is one below the working
    folder; where that has none, below the nearest folder above it, up to the repository's root; where none has, the
    same seen from a file (`beside`). As it is given where there is none yet."""
    for start in (Path.cwd(), *([] if beside is None else [beside.absolute().parent])):
        above = (start, *start.parents)
        root = next((place for place, folder in enumerate(above) if (folder / ".git").exists()), 0)
        for folder in above[: root + 1]:
            if (folder / below).is_dir():
                return below if folder == Path.cwd() else folder / below
    return below


def baselines_of(suite: str) -> Path:
    """Where the baselines are that a suite's runs are compared with. suite: its file, or the name that it goes by."""
    is_file = why_no_path(suite) is None and Path(suite).is_file()
    return nearest(BASELINES, Path(suite) if is_file else None)


def is_baseline(folder: Path) -> bool:
    """Whether a folder has the log of a baseline."""
    return (folder / LOG).exists()


def baselines(below: Path = BASELINES) -> list[Baseline]:
    """Every baseline below a folder, by name, damaged ones too."""
    below = nearest(below)
    try:
        names = sorted(path.name for path in below.iterdir() if path.is_dir() and _NAME.fullmatch(path.name))
    except OSError:
        return []
    return [Baseline(below / name) for name in names if _is_there(below / name)]


def set_aside(folder: Path) -> Path:
    """Where a baseline lies for the moment in which another takes its place."""
    return folder.with_name(f".{folder.name}.before")


def named_baseline(name: str, below: Path = BASELINES) -> Baseline | None:
    """The baseline of a name, damaged or not; None where there is none."""
    if _NAME.fullmatch(name) is None:
        return None
    below = nearest(below)
    places = (below / name, set_aside(below / name))  # the second after a kill, where folders can't be exchanged
    return next((Baseline(place) for place in places if _is_there(place)), None)


def suite_baseline(suite: str, below: Path = BASELINES) -> Baseline:
    """The baseline of a suite: that of its name, else the only one that is a run of it. Raises BaselineMissing, and
    UserError where several are."""
    if (own := named_baseline(suite, below)) is not None:
        return own
    found = [one for one in baselines(below) if one.moves and one.moves[-1].suite == suite]
    if len(found) > 1:
        names = ", ".join(f"{PREFIX}{one.name}" for one in found)
        raise UserError(f"several baselines are of the suite {suite}: name one of {names}", place=str(below))
    if not found:
        raise BaselineMissing(f"there is no baseline of the suite {suite}", place=str(below))
    return found[0]


def find_baseline(name: str, below: Path = BASELINES) -> Baseline:
    """The baseline of a name. Raises BaselineMissing where there is none."""
    if (found := named_baseline(name, below)) is not None:
        return found
    there = [one.name for one in baselines(below)]
    if not name:
        told = "name a baseline, as in baseline:ci"
    else:
        told = f"there is no baseline '{shown(name)}'{nearest_word(name, there)}"
    raise BaselineMissing(
        f"{told} (baselines here: {', '.join(there) or 'none'}); `harness baseline set RUN --why REASON` makes one",
        place=str(below),
    )


def why_no_name(name: str) -> str | None:
    """Why a baseline can't be called so; None where it can."""
    if name == "latest":
        return "`latest` is the latest run, and no name of a baseline; choose another"
    if _NAME.fullmatch(name) is None:
        return "a baseline's name has letters, digits, `.`, `_` and `-` alone, and begins with a letter or a digit"
    return None


def _is_there(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() or is_baseline(folder)
