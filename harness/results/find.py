"""Finding a run folder by what a person types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import kept_file
from harness.errors import UserError
from harness.kept_file import Damaged, Unsealed
from harness.notice import notice
from harness.results.manifest import UNCHECKED_VERSION, read_manifest
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.results.schema_version import LaterVersion


def run_folders(out: Path) -> list[Path]:
    """Every run folder below `out`, oldest first: by the number that each got when it began, not by a clock."""
    return sorted((path.parent for path in out.glob(f"*/{MANIFEST}")), key=_order)


def next_sequence(out: Path) -> int:
    """The number of the next run below `out`."""
    return 1 + max((_facts(path).get("sequence", 0) for path in out.glob(f"*/{MANIFEST}")), default=0)


def find_run(name: str, out: Path) -> Run:
    """A run by folder, by its name (or the unambiguous start of it) below `out`, or `latest`; what is damaged in it is
    told of. Raises UserError."""
    run = _find(name, out)
    for sentence in run.damage:
        notice(sentence)
    return run


def find_cells(name: str, out: Path) -> Run:
    """The same for what reads a run's cells and samples alone: damage of what was made of them is not told of."""
    run = _find(name, out)
    for sentence in run.damage_of_cells:
        notice(sentence)
    return run


def _find(name: str, out: Path) -> Run:
    if (Path(name) / MANIFEST).is_file() or (name not in ("latest", "") and Path(name).is_dir()):
        run = Run(Path(name))
        if not (run.folder / MANIFEST).is_file():
            run.manifest  # noqa: B018 - fails here, with its own sentence: the folder is not a run
        return run
    folders = run_folders(out)
    if name == "latest":
        if not folders:
            raise UserError("there is no run here yet; `harness run quickstart` makes one", place=str(out))
        for folder in folders:
            if not _facts(folder / MANIFEST):
                notice(f"{folder / MANIFEST}: {_why_unknown(folder)}, so nobody knows whether this run is the latest")
        return Run(folders[-1])
    matching = [path for path in folders if path.name == name] or [path for path in folders if name in path.name]
    if len(matching) == 1:
        return Run(matching[0])
    names = ", ".join(path.name for path in (matching or folders)[-5:]) or "none"
    problem = f"'{name}' fits {len(matching)} runs" if matching else f"no run '{name}'"
    raise UserError(f"{problem}; runs here: {names}", place=str(out))


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
