"""Finding a run folder by what a person types."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.results.run import MANIFEST, Run


def run_folders(out: Path) -> list[Path]:
    """Every run folder below `out`, oldest first (their names begin with the time)."""
    return sorted(path.parent for path in out.glob(f"*/{MANIFEST}"))


def find_run(name: str, out: Path) -> Run:
    """A run by folder, by its name (or the unambiguous start of it) below `out`, or `latest`. Raises UserError."""
    if (Path(name) / MANIFEST).is_file() or (name not in ("latest", "") and Path(name).is_dir()):
        run = Run(Path(name))
        run.manifest  # noqa: B018 - fails here, with its own sentence, if the folder is not a run
        return run
    folders = run_folders(out)
    if name == "latest":
        if not folders:
            raise UserError("there is no run here yet; `harness run quickstart` makes one", place=str(out))
        return Run(folders[-1])
    matching = [path for path in folders if path.name == name] or [path for path in folders if name in path.name]
    if len(matching) == 1:
        return Run(matching[0])
    names = ", ".join(path.name for path in (matching or folders)[-5:]) or "none"
    problem = f"'{name}' fits {len(matching)} runs" if matching else f"no run '{name}'"
    raise UserError(f"{problem}; runs here: {names}", place=str(out))
