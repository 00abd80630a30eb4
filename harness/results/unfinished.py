"""Which run to go on with: the last one of a suite that was not finished."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.results.exit_code import has_failed
from harness.results.find import run_folders
from harness.results.run import Run
from harness.results.run_folder import HTML


def last_unfinished(out: Path, suite: str, suite_hash: str) -> Path:
    """The folder of the last run of a suite below `out` that was not finished; also of a finished one in which a cell
    failed, where it is the last of all. suite_hash: of the suite's text as it is now. Raises UserError where there is
    none, or where its suite has changed."""
    newest = True
    for folder in reversed(run_folders(out)):
        run = Run(folder)
        try:
            manifest = run.manifest
        except UserError:
            continue  # a damaged run is not the one to go on with, and must not stand in the way of another
        if manifest.suite != suite:
            continue
        newest, is_newest = False, newest
        whole = manifest.status == "finished" and (folder / HTML).is_file()  # a full disk may have kept it out
        if whole and not (is_newest and has_failed(run)):
            continue
        if manifest.suite_hash == suite_hash:
            return folder
        raise UserError(
            "the suite has changed since this run began; run it again, or resume it as it was: "
            f"harness run --resume {folder}",
            place=str(folder),
        )
    raise UserError(f"no unfinished run of the suite '{suite}' here to resume; leave out --resume", place=str(out))
