"""Finding a run folder by what a person types: a folder, a name or a part of it, `latest`, or `baseline:NAME`.

A part is the suite's whole name, or else a beginning of the run's or the suite's name, or else what stands within:
`tiny` is the run of the suite `tiny` though there is one of `tiny-2` too. What fits several runs is none of them.

A baseline goes by its name alone too, where no run is called the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import kept_file
from harness.errors import UserError, shown
from harness.kept_file import Damaged, Unsealed
from harness.notice import notice
from harness.results.baseline import (
    BASELINES,
    PREFIX,
    Baseline,
    BaselineMissing,
    find_baseline,
    is_baseline,
    named_baseline,
    nearest,
)
from harness.results.manifest import UNCHECKED_VERSION, read_manifest
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.results.schema_version import LaterVersion

MOST_NAMED = 5
"""Runs that a sentence names."""
SHORTEST_DIGITS = 4


def run_folders(out: Path) -> list[Path]:
    """Every run folder below `out`, oldest first: by the number that each got when it began, not by a clock."""
    return sorted((path.parent for path in out.glob(f"*/{MANIFEST}")), key=_order)


def next_sequence(out: Path) -> int:
    """The number of the next run below `out`."""
    return 1 + max((_facts(path).get("sequence", 0) for path in out.glob(f"*/{MANIFEST}")), default=0)


def find_run(name: str | Path | Run, out: Path, baselines: Path = BASELINES) -> Run:
    """A run by itself, by folder, by its name (or a part that fits one alone) below `out`, or `latest`; a baseline as
    `baseline:NAME`, or by its name alone where no run is called so. What is damaged in it is told of. Raises
    UserError, and BaselineMissing for a baseline that isn't there."""
    run = _find(_named(name), out, baselines)
    for sentence in run.damage:
        notice(sentence)
    return run


def find_cells(name: str | Path | Run, out: Path, baselines: Path = BASELINES) -> Run:
    """The same for what reads a run's cells and samples alone: damage of what was made of them is not told of."""
    run = _find(_named(name), out, baselines)
    for sentence in run.damage_of_cells:
        notice(sentence)
    return run


def run_before(run: Run, out: str | Path) -> Run:
    """The last run below `out` that began before this one and is of the same suite. Raises UserError where there is
    none."""
    suite, folders = run.manifest.suite, run_folders(Path(out))
    here = [folder.resolve() for folder in folders]
    earlier = folders[: here.index(run.folder.resolve())] if run.folder.resolve() in here else []
    same = [folder for folder in earlier if _facts(folder / MANIFEST).get("suite") == suite]
    if not same:
        raise UserError(f"there is no run of the suite '{shown(suite)}' before {run.name}; name the run to compare "
                        "with (`harness show` lists them)", place=str(out))  # fmt: skip
    return Run(same[-1])


def find_whole_name(name: str, out: Path, baselines: Path = BASELINES) -> Run:
    """A run as a file names it that is read again and again: by folder, by its whole name below `out`, or a baseline.
    A part of a name or `latest` would mean another run tomorrow. Raises UserError."""
    found = _by_whole_name(name, out, baselines)
    if found is None:
        raise BaselineMissing(
            f"there is no run and no baseline '{shown(name)}' (a run is named by its folder or its whole name, a "
            "baseline as `harness baseline list` shows it)",
            place=str(out),
        )
    return found


def _named(run: str | Path | Run) -> str:
    return str(run.folder if isinstance(run, Run) else run)


def _find(name: str, out: Path, baselines: Path) -> Run:
    if name == "latest" and not (Path(name) / MANIFEST).is_file():
        return _latest(out)
    found = _by_whole_name(name, out, baselines)
    if found is not None:
        if found.folder == nearest(baselines) / name and len(parts := _with_part(name, out)) == 1:
            notice(f"'{name}' is the baseline {PREFIX}{name} here; the run is called {parts[0].name}")
        return found
    matching = _with_part(name, out)
    if len(matching) == 1:
        return Run(matching[0])
    if name and not matching and Path(name).is_dir():
        Run(Path(name)).manifest  # noqa: B018 - fails here, with its own sentence: the folder is not a run
    if matching:
        raise UserError(f"'{shown(name)}' fits {len(matching)} runs: name one of {_newest(matching)}", place=str(out))
    digits = "; runs have no numbers: name one, or a part of its name" if _is_a_number(name) else ""
    raise UserError(f"no run '{shown(name)}'{digits}; runs here: {_newest(run_folders(out))}", place=str(out))


def _newest(folders: list[Path]) -> str:
    """The last few, for a sentence."""
    older = f" and {len(folders) - MOST_NAMED} older ones" if len(folders) > MOST_NAMED else ""
    return (", ".join(path.name for path in folders[-MOST_NAMED:]) or "none") + older


def _with_part(name: str, out: Path) -> list[Path]:
    """The runs that a name fits best: those of a suite of that name, or else whose name or suite begins so, or else
    has it in it."""
    if not name:
        return []
    folders = run_folders(out)
    for fits in (_is_suite, _begins, _is_within):
        if found := [path for path in folders if fits(path.name, name)]:
            return found
    return []


def _is_suite(run: str, name: str) -> bool:
    return _suite_in(run) == name


def _begins(run: str, name: str) -> bool:
    return run.startswith(name) or _suite_in(run).startswith(name)


def _is_within(run: str, name: str) -> bool:
    return name in run and not _is_a_number(name)


def _is_a_number(name: str) -> bool:
    """Whether it looks like a run's number, which there is none of; longer digits are a part of a date or a time."""
    return name.isdecimal() and len(name) < SHORTEST_DIGITS


def _suite_in(run: str) -> str:
    """The suite in a run's name, behind its date and time; the name itself where it has no such."""
    date, _, rest = run.partition("-")
    time, _, suite = rest.partition("-")
    return suite if date.isdecimal() and time.isdecimal() and suite else run


def _by_whole_name(name: str, out: Path, baselines: Path) -> Run | None:
    """By folder or by whole name; None where there is no such run and no such baseline."""
    if name.startswith(PREFIX):
        return _believed(find_baseline(name.removeprefix(PREFIX), baselines))
    if (Path(name) / MANIFEST).is_file():
        return _believed(Baseline(Path(name))) if is_baseline(Path(name)) else Run(Path(name))
    run = out / name if name and Path(name).name == name and (out / name / MANIFEST).is_file() else None
    baseline = named_baseline(name, baselines)
    if run is not None and baseline is not None:
        raise UserError(
            f"a run and a baseline are both called '{name}': {PREFIX}{name} is the baseline, and {run} the run"
        )
    return Run(run) if run is not None else None if baseline is None else _believed(baseline)


def _believed(baseline: Baseline) -> Run:
    """The run that a baseline is; raises UserError where nobody knows that this is what was set."""
    if (why := baseline.why_not) is not None:
        raise UserError(why, place=str(baseline.folder))
    for sentence in baseline.log_damage:
        notice(sentence)
    return baseline.run


def _latest(out: Path) -> Run:
    folders = run_folders(out)
    if not folders:
        raise UserError("there is no run here yet; `harness run quickstart` makes one", place=str(out))
    for folder in folders:
        if not _facts(folder / MANIFEST):
            notice(f"{folder / MANIFEST}: {_why_unknown(folder)}, so nobody knows whether this run is the latest")
    return Run(folders[-1])


def _why_unknown(folder: Path) -> str:
    try:
        read_manifest(folder)
    except LaterVersion:
        return "a later version of harness wrote the manifest"
    except UserError:
        pass
    return "the manifest is corrupted"


def _order(folder: Path) -> tuple[int, str, int, str]:
    """Runs of versions that did not count come first, by when they began and, within a second, by their number."""
    facts = _facts(folder / MANIFEST)
    return facts.get("sequence", 0), facts.get("started", ""), len(folder.name), folder.name


def _facts(manifest: Path) -> dict[str, Any]:
    """A manifest as it stands, without the cost of checking every field; empty where it can't be believed."""
    try:
        try:
            found = json.loads(kept_file.read_json(manifest, MANIFEST))
        except Unsealed:
            found = json.loads(manifest.read_bytes())
            if found.get("schema_version") != UNCHECKED_VERSION:
                return {}
        return found if isinstance(found.get("sequence", 0), int) and isinstance(found.get("started"), str) else {}
    except (OSError, Damaged, ValueError, AttributeError, RecursionError):
        return {}
