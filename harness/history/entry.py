"""What is added to a history at once: the rows of a run, of a folder of `harness ci` or of one of `harness ab`, and the
verdict where there is one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import kept_file, strict_json
from harness.errors import UserError, told
from harness.gate.judgment import GateResult
from harness.gate.written.plain_data import as_json
from harness.history.folder import HISTORY, Added, add_rows, add_verdict, check_history
from harness.history.row import Row
from harness.history.rows_of_lockstep import AB, rows_of_ab, rows_of_ci
from harness.history.rows_of_run import commit_facts, machine_class_of, rows_of_run, time_of
from harness.history.verdict import KeptVerdict, VerdictKind
from harness.kept_file import Damaged, Unsealed
from harness.results.find import find_cells
from harness.results.run import Run
from harness.results.run_folder import MANIFEST

VERDICT = "verdict.json"
"""Of a folder of `harness ci` or `harness ab`."""


@dataclass(frozen=True)
class Entry:
    """What is added at once."""

    name: str
    """Of the run or the folder."""
    rows: tuple[Row, ...]
    verdict: KeptVerdict | None = None
    notes: tuple[str, ...] = ()
    """What could not be added, and why: a sentence each."""


@dataclass(frozen=True)
class Kept:
    """What the history has of an entry now."""

    entry: Entry
    rows: Added | None
    verdict: Added | None

    @property
    def sentences(self) -> list[str]:
        """What became of it."""
        said, name = [], self.entry.name
        if self.rows is not None:
            one = len(self.entry.rows) == 1
            what = f"{len(self.entry.rows)} row{'' if one else 's'} of {name} {'was' if one else 'were'}"
            told = f"{what} added" if self.rows.is_new else f"{what} there already; nothing was added"
            said.append(f"{told} ({self.rows.path})")
        if self.verdict is not None:
            told = "was kept" if self.verdict.is_new else "was there already"
            said.append(f"the verdict on {name} {told} ({self.verdict.path})")
        return said


def add_to_history(
    what: str | Path | Run | Entry, history: str | Path = HISTORY, *, out: str | Path = "results/runs"
) -> Kept:
    """Add a run, or what `harness.ci` or `harness.ab` measured, to a history. What is there is not added twice.

    what: a run, its folder, its name below `out`, or `latest`; a folder of `ci` or `ab`; or what `entry_of_gate` gives.
    Raises UserError where it has nothing, or the history can't be written to.
    """
    check_history(history)
    return keep(what if isinstance(what, Entry) else entry_of(what, out), history)


def entry_of(what: str | Path | Run, out: str | Path = "results/runs") -> Entry:
    """What a history keeps of a run, or of a folder of `harness ci` or `harness ab`. Raises UserError."""
    if isinstance(what, Run):
        return entry_of_run(what)
    folder = Path(what)
    if (folder / VERDICT).is_file() and not (folder / MANIFEST).is_file():
        return entry_of_folder(folder)
    run = find_cells(what, Path(out))
    damage = tuple(run.damage_of_cells)
    return replace(entry_of_run(run), notes=damage)


def keep(entry: Entry, history: str | Path = HISTORY) -> Kept:
    """Add an entry. Raises UserError where it has nothing, or the history can't be written to."""
    if not entry.rows and entry.verdict is None:
        raise UserError("it has no cell that ended, so there is nothing to add", place=entry.name)
    rows = add_rows(entry.rows, history) if entry.rows else None
    verdict = None if entry.verdict is None else add_verdict(entry.verdict, history)
    return Kept(entry, rows, verdict)


def entry_of_run(run: Run) -> Entry:
    """A run's rows. Raises UserError where it can't be read."""
    return Entry(run.manifest.run, tuple(rows_of_run(run)))


def entry_of_gate(result: GateResult, head: Run, base: Run) -> Entry:
    """What `harness gate` said of a run, and its rows."""
    rows, manifest = tuple(rows_of_run(head)), head.manifest
    said = as_json(result)
    verdict = KeptVerdict(
        kind="gate",
        suite=manifest.suite,
        machine_class=machine_class_of(manifest.fingerprint),
        run=manifest.run,
        run_id=rows[0].run_id if rows else manifest.id,
        time=datetime.now(UTC).replace(microsecond=0),
        base=commit_facts(base.manifest.git)["commit"],
        **_of_commit(manifest.git),
        **_words(said),
        said=said,
    )
    return Entry(manifest.run, rows, verdict)


def entry_of_folder(folder: Path) -> Entry:
    """A folder of `harness ci` or `harness ab`. Raises UserError where it is neither, or damaged."""
    path = folder / VERDICT
    try:
        said, run_id = _read(path)
        if "judged" in said:
            return _of_ci(folder, said, run_id)
        if "arms" in said:
            return _of_ab(folder, said, run_id)
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        why = str(error) if isinstance(error, Damaged) else told(error)
        raise UserError(f"the verdict is corrupted ({why}); run the command again", place=str(path)) from None
    raise UserError("this is no verdict of `harness ci` or `harness ab`", place=str(path))


def _of_ci(folder: Path, said: dict[str, Any], run_id: str) -> Entry:
    runs = sorted(path.parent for path in folder.glob(f"head/*/{MANIFEST}"))
    run = Run(runs[-1]) if runs else None
    values = [] if run is None else rows_of_run(run)
    notes = [] if run is None else list(run.damage_of_cells)
    if "states" not in said:
        notes.append(f"{folder}: an earlier version of harness wrote this without commits, so its times are left out")
        return Entry(folder.name, tuple(values), None, tuple(notes))
    head = commit_facts(said["states"]["head"])
    suite, suite_hash = str(said["suite_name"]), str(said["suite_hash"])
    values = [replace(row, suite=suite, suite_hash=suite_hash, **head) for row in values]  # of the whole suite
    verdict = _verdict("ci", folder, said, run_id, said["states"]["head"], said["states"]["base"], suite)
    return Entry(folder.name, (*rows_of_ci(said, folder.name, run_id), *values), verdict, tuple(notes))


def _of_ab(folder: Path, said: dict[str, Any], run_id: str) -> Entry:
    if "states" not in said:
        raise UserError(
            "an earlier version of harness wrote this without commits, so it has no place in a history",
            place=str(folder),
        )
    verdict = _verdict("ab", folder, said, run_id, said["states"].get("b", {}), said["states"].get("a", {}), AB)
    return Entry(folder.name, tuple(rows_of_ab(said, folder.name, run_id)), verdict)


def _verdict(
    kind: VerdictKind,
    folder: Path,
    said: dict[str, Any],
    run_id: str,
    head: dict[str, Any],
    base: dict[str, Any],
    suite: str,
) -> KeptVerdict:
    when = time_of(said.get("time"))
    if when is None:
        raise ValueError("it has no time")
    return KeptVerdict(
        kind=kind,
        suite=suite,
        machine_class=str(said["machine_class"]),
        run=folder.name,
        run_id=run_id,
        time=when,
        base=commit_facts(base)["commit"],
        **_of_commit(head),
        **_words(said),
        said=said,
    )


def _of_commit(git: dict[str, Any]) -> dict[str, Any]:
    facts = commit_facts(git)
    return {name: facts[name] for name in ("commit", "dirty", "branch")}


def _words(said: dict[str, Any]) -> dict[str, Any]:
    reason = said["reason"] if "reason" in said else "; ".join(said.get("reasons") or ())
    return {"verdict": str(said["verdict"]), "exit_code": int(said["exit_code"]), "reason": str(reason)}


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """A verdict, and what tells it from every other one. Raises OSError, Damaged and ValueError."""
    try:
        content = kept_file.read_json(path, VERDICT)
    except Unsealed:  # as `ci` wrote it at first
        content = path.read_bytes()
    said = strict_json.loads(content)
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    return said, hashlib.sha256(content).hexdigest()[:32]
