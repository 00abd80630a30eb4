"""Setting a baseline, which nothing else does: a run is cut down into a folder that takes the old one's place at once,
with the log of all that were set before it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import kept_file
from harness.baselines.cutting import cut
from harness.baselines.replacing import replace_folder
from harness.baselines.who import whoever
from harness.comparison.gate_entry import GateEntry
from harness.errors import UserError, WrongArgument, no_room, shown, told
from harness.gate.stored.stored_runs import declared_gate
from harness.results.baseline import (
    BASELINES,
    LOG,
    PREFIX,
    Baseline,
    Move,
    Origin,
    is_baseline,
    named_baseline,
    nearest,
    why_no_name,
)
from harness.results.find import find_cells
from harness.results.folder_lock import one_at_a_time
from harness.results.manifest import Manifest
from harness.results.record import SCHEMA_VERSION, CellResult, Status
from harness.results.run import Run
from harness.results.run_folder import CELLS, MANIFEST
from harness.results.schema_version import LaterVersion

NOT_REPORTS = "findings, outcomes of expectations, reports"


@dataclass(frozen=True)
class Allowed:
    """What a run may be that a baseline shouldn't."""

    incomplete: bool = False
    """A run that did not finish, or in which a cell failed."""
    dirty: bool = False
    """A run of a checkout with changes that are in no commit."""
    another_suite: bool = False
    """A run of another suite than the baseline of this name was of."""


def set_baseline(
    run: str | Path | Run,
    *,
    why: str,
    name: str | None = None,
    by: str | None = None,
    incomplete: bool = False,
    dirty: bool = False,
    another_suite: bool = False,
    out: str | Path = "results/runs",
    below: str | Path = BASELINES,
) -> Baseline:
    """Make a run the baseline `name` (that of its suite where none is given) in the folder `below`, and say so in its
    log; returns the baseline.

    run: a run, its folder, its name below `out`, or `latest`. why: the reason, for the log. by: who does it; left out,
    git's user. incomplete, dirty, another_suite: take a run that did not finish or in which cells failed, one of code
    that is in no commit, one of another suite than the baseline was of. Raises UserError for a run that is damaged, and
    for one that is not allowed so; the baseline then stays what it was.
    """
    if not why.strip():
        raise WrongArgument("needs the reason, such as 'int8 kernels of October are in'", place="why")
    if by is not None and not by.strip():
        raise WrongArgument("needs a name", place="by")
    found = run if isinstance(run, Run) else find_cells(str(run), Path(out))
    manifest = found.manifest
    name, folders = manifest.suite if name is None else name, nearest(Path(below))
    if (wrong := why_no_name(name)) is not None:
        raise WrongArgument(f"{wrong} (this is '{shown(name)}')", place="name")
    allowed = Allowed(incomplete, dirty, another_suite)
    _refuse(found, allowed)
    with _written(folders), one_at_a_time(folders):
        before = named_baseline(name, folders)
        damage = [] if before is None else _damage(before)
        if before is not None:
            _refuse_over(before, damage, found, allowed)
        with _building(folders / name) as building:
            dropped = _write(found, building)
            move = Move(
                **_origin(manifest).model_dump(),
                number=1 if before is None or not before.moves else before.moves[-1].number + 1,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                who=whoever() if by is None else by.strip(),
                why=why.strip(),
                before=None if before is None else _origin_of(before),
                cells_sha256=kept_file.content_sha256(building / CELLS),
                dropped=dropped,
                damage=tuple(damage),
            )
            moves = [*(before.moves if before is not None else ()), move]
            kept_file.write_lines(building / LOG, [one.model_dump_json() for one in moves], LOG)
            replace_folder(building, folders / name)
    return Baseline(folders / name)


def _refuse(run: Run, allowed: Allowed) -> None:
    """Raise UserError for a run that makes no baseline, whatever the baseline is now."""
    manifest, place = run.manifest, str(run.folder)
    if is_baseline(run.folder):
        raise UserError("this is a baseline, not a run; name the run", place=place)
    if run.damage_of_cells:
        raise UserError(f"this run is damaged and makes no baseline ({run.damage_of_cells[0]})", place=place)
    if not run.cells:
        raise UserError("there is no cell in this run, so that nothing could be compared with it", place=place)
    if not allowed.incomplete:
        if manifest.status != "finished":
            raise UserError(
                f"this run is {run.status}, not finished: go on with it (`harness run --resume {place}`), or "
                "take it as it is with --incomplete",
                place=place,
            )
        failed = [cell for cell in run.cells if not cell.whole and cell.status is not Status.SKIPPED]
        if failed:
            first = failed[0]
            reason = first.reason or next((one.reason for one in first.missing if one.reason), "no reason given")
            raise UserError(
                f"{len(failed)} of {len(run.cells)} cells of this run failed, the first: {first.model} "
                f"{first.measure}: {shown(reason, 200)}; take it as it is with --incomplete",
                place=place,
            )
    if manifest.git.get("dirty") and not allowed.dirty:
        raise UserError(
            f"this run was made with changes that are in no commit (after {str(manifest.git.get('commit'))[:12]}), so "
            "nobody can get its code again: commit them and run it again, or take it as it is with --dirty",
            place=place,
        )


def _refuse_over(before: Baseline, damage: Sequence[str], run: Run, allowed: Allowed) -> None:
    """Raise UserError where a run may not take the place of this baseline."""
    last = before.moves[-1] if before.moves else None
    if last is None:
        return
    suite = run.manifest.suite
    if last.suite != suite and not allowed.another_suite:
        raise UserError(
            f"{PREFIX}{before.name} is of the suite {last.suite}, and this run of {suite}, so that nothing in them may "
            f"be comparable: choose another --name, or move it all the same with --another-suite",
            place=str(run.folder),
        )
    same = (last.run_id, last.started) == (run.manifest.id, run.manifest.started)
    if same and last.run == run.manifest.run and not damage:
        raise UserError(
            f"{PREFIX}{before.name} is this run already ({last.who} set it on {last.time}: {last.why})",
            place=str(run.folder),
        )


def _damage(before: Baseline) -> list[str]:
    """What is wrong with the baseline that is replaced, for the log. Raises LaterVersion: its log can't be gone on
    with."""
    told_of = list(before.log_damage)
    try:
        if (why := before.why_not) is not None:
            told_of.append(why)
        told_of += before.run.damage_of_cells
    except LaterVersion:
        raise
    except UserError as error:
        told_of.append(str(error))
    return told_of


def _write(run: Run, building: Path) -> tuple[str, ...]:
    """Write manifest, cells and samples; returns what was left out."""
    gate = declared_gate(run)
    (building / "samples").mkdir()
    dropped: dict[str, None] = {}
    kept: dict[str | None, tuple[str | None, str | None]] = {None: (None, None)}
    lines = []
    for cell in run.cells:
        if cell.samples not in kept:
            kept[cell.samples] = _write_samples(run, cell, gate, building, dropped)
        samples, sha256 = kept[cell.samples]
        changes = {"schema_version": SCHEMA_VERSION, "run_id": run.manifest.id, "samples_bytes": None}
        lines.append(cell.model_copy(update=changes | {"samples": samples, "samples_sha256": sha256}).model_dump_json())
    kept_file.write_lines(building / CELLS, lines, CELLS)
    manifest = run.manifest.model_copy(update={"schema_version": SCHEMA_VERSION, "files": {}, "problems": []})
    kept_file.write_json(building / MANIFEST, manifest.model_dump_json(indent=2) + "\n", MANIFEST)
    return NOT_REPORTS, *dropped


def _write_samples(
    run: Run, cell: CellResult, gate: Sequence[GateEntry], building: Path, dropped: dict[str, None]
) -> tuple[str | None, str | None]:
    """The name and the sha256 of a cell's samples as they are kept; cells that share them keep them once."""
    frame, left_out = cut(cell, run.samples_of(cell), gate)
    dropped.update(dict.fromkeys(left_out))
    if frame is None:
        return None, None
    name = f"samples/{Path(str(cell.samples)).name}"
    return name, kept_file.write_small_frame(building / name, frame)


def _origin(manifest: Manifest) -> Origin:
    commit, dirty = manifest.git.get("commit"), manifest.git.get("dirty")
    return Origin(
        run=manifest.run,
        run_id=manifest.id,
        started=manifest.started,
        commit=commit if isinstance(commit, str) else None,
        dirty=dirty if isinstance(dirty, bool) else None,
        suite=manifest.suite,
        suite_hash=manifest.suite_hash,
    )


def _origin_of(before: Baseline) -> Origin | None:
    """What a baseline was: as its log says, where there is none as its manifest does."""
    if before.moves:
        return Origin(**before.moves[-1].model_dump(include=set(Origin.model_fields)))
    try:
        return _origin(before.run.manifest)
    except UserError:
        return None


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A folder beside the baseline, empty; gone afterwards, with what killed ones left behind."""
    for left in folder.parent.glob(f".{folder.name}.*.building"):
        shutil.rmtree(left, ignore_errors=True)
    building = folder.with_name(f".{folder.name}.{os.getpid()}.building")
    building.mkdir()
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """The folder of baselines; that it can't be written to is one sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if no_room(error):
            raise
        place = str(error.filename or folder)
        raise UserError(f"can't be written to ({told(error)}); choose another --dir", place=place) from None
