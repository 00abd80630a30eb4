"""A model's folder that isn't there: what lies near it, so that a slip of the hand is not looked for on the hub."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from harness.spelling import nearest_word, quotes_in

OF_A_MODEL = ("config.json", "checkpoint.json")
"""Files that a folder of a model has, of transformers or of the reference."""
_MOST = 2_000
"""Entries of a folder that are looked at."""
_ALIKE = 0.8
"""Of a bare name and a folder of a model here: so alike, the folder is meant."""


def why_no_folder(where: str) -> str:
    """What to say of a folder that isn't there: the nearest that is, or where the path ends."""
    slashes = where.replace("\\", "/")
    if "\\" in where and Path(slashes).expanduser().is_dir():
        return f"no model folder '{where}': write it with /, as {slashes}"
    if "\\" in where or re.match(r"[A-Za-z]:[/\\]", where):
        return f"no model folder '{where}': it is written as on Windows; here it is written with /, without a drive"
    if "://" in where:
        hub = re.match(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([^/]+/[^/?#]+|[^/?#]+)", where)
        return f"'{where}' is an address: write " + (f"the hub id, {hub[1]}" if hub else "a folder or a hub id")
    if odd := quotes_in(where):
        return f"no model folder {where}{odd}"
    path = Path(where).expanduser()
    parent, part = path.parent, path.name
    while not parent.is_dir() and parent != parent.parent:
        parent, part = parent.parent, parent.name
    near = nearest_word(part, _folders(parent))
    found = f"; did you mean '{_as_written(where, path, parent / near)}'?" if near else ""
    here = f"; there is no '{part}' in {parent.absolute()}" if not near else ""
    return f"no model folder '{where}'{found}{here}"


def looks_local(where: str) -> bool:
    """Whether a name that could be a hub's (`owner/name`, `name`) is meant as a folder here: its first part is one, or
    a folder of a model here has nearly its name."""
    if "\\" in where or quotes_in(where):
        return True
    owner, _, rest = where.partition("/")
    if rest:
        return any(owner.casefold() == name.casefold() for name in _folders(Path()))
    models = [name for name in _folders(Path()) if any((Path(name) / file).is_file() for file in OF_A_MODEL)]
    return any(difflib.SequenceMatcher(None, where.casefold(), name.casefold()).ratio() >= _ALIKE for name in models)


def _folders(parent: Path) -> list[str]:
    try:
        entries = [entry for entry, _ in zip(parent.iterdir(), range(_MOST), strict=False)]
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError:
        return []


def _as_written(where: str, path: Path, near: Path) -> str:
    """The near folder with what followed it in the path, where that is there, and `./` as it was written."""
    rest = path.parts[len(near.parts) :]
    whole = near.joinpath(*rest)
    told = str(whole if whole.is_dir() else near)
    return f"./{told}" if where.startswith("./") else told
