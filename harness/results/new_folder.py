"""A new run folder below the folder of runs, with a number and a name that no other run has."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.errors import UserError, no_room, printable
from harness.results.find import next_sequence
from harness.results.folder_lock import one_at_a_time
from harness.results.journal import Journal
from harness.results.manifest import Manifest


def new_folder(out: Path, manifest: Manifest) -> Journal:
    """A run folder with its manifest, which gets the next number below `out`. Raises UserError where none can be
    made."""
    if (place := str(out.absolute())) != printable(place):
        raise UserError("the folder's name is not UTF-8, as Parquet files need it; choose another --out", place=place)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(out):  # two runs that begin at once get two numbers
            return _numbered(out, manifest.model_copy(update={"sequence": next_sequence(out)}))
    except FileExistsError:
        raise UserError("a file stands where the run folder should go; move it or use --out", place=str(out)) from None
    except NotADirectoryError:
        raise UserError("this is a file, not a folder; choose another --out", place=str(out)) from None
    except OSError as error:
        if no_room(error):
            raise
        raise UserError(f"can't be written to ({error.strerror}); choose another --out", place=str(out)) from None


def going_on(journal: Journal) -> Manifest:
    """The manifest of a run that goes on, kept with the next number beside it: it is the one that ran last."""
    out = journal.folder.parent
    with one_at_a_time(out):
        last = next_sequence(out) - 1
        if journal.manifest.sequence < last or not last:
            journal.write_manifest(journal.manifest.model_copy(update={"sequence": last + 1}))
    return journal.manifest


def why_no_run_there(out: Path, option: str = "--out", what: str = "the run folder") -> str | None:
    """Why nothing can be kept below `out`, which `option` names; None where it can. Leaves nothing behind. what: goes
    there."""
    there = out
    while not (there.exists() or there.is_symlink()) and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".harness-", dir=there):
            return None
    except (FileExistsError, NotADirectoryError):
        return f"{there}: a file stands where {what} should go; move it or use {option}"
    except OSError as error:
        return f"{out}: can't be written to ({error.strerror}); choose another {option.removeprefix('another ')}"


def _numbered(out: Path, manifest: Manifest) -> Journal:
    for number in range(1, 1000):
        name = manifest.run if number == 1 else f"{manifest.run}-{number}"
        try:
            return Journal.start(out / name, manifest.model_copy(update={"run": name}))
        except FileExistsError:
            if not (out / name).is_dir():
                raise
    raise UserError("no free name for a new run folder", place=str(out))
