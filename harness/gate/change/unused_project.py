"""Whether a change could show at all: a suite that loads nothing of a project passes whatever was changed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.file_digest import file_sha256
from harness.gate.change.project import State
from harness.gate.change.quality_of_change import QualityOfChange
from harness.gate.change.timed_work import TimedWork
from harness.gate.lockstep.launch import Side
from harness.results.provenance import SOURCES
from harness.results.run import Run


def why_nothing_shows(
    states: Mapping[Side, State], quality: QualityOfChange | None, works: Sequence[TimedWork]
) -> str | None:
    """Why the verdict says nothing of the change; None where something of the project was loaded, or where its code is
    what it was."""
    before, after = states["a"].path, states["b"].path
    names = module_names(after)
    if not names or code_of(before) == code_of(after):
        return None
    if any("call" in work.at for work in works):
        return None  # a call that loads nothing of the project is an error by itself
    if quality is not None and (
        names & {name for run in (quality.base, quality.head) for name in imported(run)}
        or weights(quality.base) != weights(quality.head)
    ):
        return None
    launches = [one.launch for work in works if work.begun for one in work.begun.lockstep.measured.first]
    files = [file for launch in launches for file in launch.states["b"]]
    if any(Path(file).is_relative_to(after) for file in files):
        return None
    told = ", ".join(sorted(names)[:4])
    return (
        f"nothing that the suite measures loads this project ({told}), so no change of it can show: give the suite "
        "models that use it, or `calls` of its functions"
    )


def module_names(folder: Path) -> set[str]:
    """Top-level packages and modules of a built project, and the names of its distributions."""
    found = set()
    for entry in folder.iterdir():
        if entry.name.endswith(".dist-info"):
            found.add(entry.stem.partition("-")[0])
        elif entry.is_dir() and any(entry.rglob("*.py")):
            found.add(entry.name)
        elif entry.suffix in (".py", ".so"):
            found.add(entry.name.partition(".")[0])
    return found


def code_of(folder: Path) -> dict[str, str]:
    """By name the digest of each source and library of a built project."""
    files = [path for path in folder.rglob("*") if path.suffix in SOURCES and path.is_file()]
    return {str(path.relative_to(folder)): file_sha256(path) for path in files}


def imported(run: Run) -> set[str]:
    """Names of the packages that a run's workers imported."""
    found: set[str] = set()
    for cell in run.cells:
        packages = cell.provenance.packages if cell.provenance is not None else None
        found.update(packages or {})
    return found


def weights(run: Run) -> dict[str, object]:
    """By model the digest of its weights."""
    return {name: model.get("digest") for name, model in run.manifest.models.items()}
