"""The folder of a site: what may be written there, and what of an earlier writing goes.

Every file is replaced whole. Data files have names with a hash of their content, and the index that names them is
written after them: a reader has the old site or the new one. Removed is only what the manifest of an earlier writing
names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from harness import strict_json
from harness.errors import UserError, no_room
from harness.whole_file import write_whole

MANIFEST = "harness-site.json"
_OURS = re.compile(r"data/[a-z]+(-[0-9]+)?(-[0-9a-f]{12})?\.js|[a-z-]+\.(js|css|html)")
"""Names that a site's files have. What a manifest names otherwise isn't touched, whoever wrote it."""


def check_folder(folder: Path) -> list[str]:
    """Files of an earlier writing, none in a new folder. Raises UserError where a site can't or shouldn't go."""
    place = str(folder)
    try:
        if not folder.exists():
            return []
        if not folder.is_dir():
            raise UserError("this is a file; name a folder for the site", place=place)
        manifest = folder / MANIFEST
        if not manifest.is_file():
            if any(folder.iterdir()):
                raise UserError(
                    "the folder has other files and no site of ours; name an empty or a new folder", place=place
                )
            return []
        return _files_of(manifest)
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror}); name another folder", place=place) from None


def _files_of(manifest: Path) -> list[str]:
    try:
        names = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        return [name for name in names if isinstance(name, str) and _OURS.fullmatch(name)]
    except (ValueError, KeyError, TypeError):
        return []  # cut short: the new one says what is there, and nothing is removed


def write_files(folder: Path, files: Mapping[str, str], before: list[str]) -> None:
    """Write a site's files in their order, then remove those of the writing before. Raises UserError."""
    stale = [name for name in before if name not in files]
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        # first, so that a writing that is killed leaves nothing that no manifest names
        _write_manifest(folder, [*files, *stale])
        for name, content in files.items():
            write_whole(folder / name, content)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        _write_manifest(folder, list(files))
    except OSError as error:
        why = no_room(error) or f"can't be written to ({error.strerror}); name another folder"
        raise UserError(why, place=str(error.filename or folder)) from None


def _write_manifest(folder: Path, names: list[str]) -> None:
    write_whole(folder / MANIFEST, strict_json.dumps({"files": sorted(set(names))}, indent=1) + "\n")
