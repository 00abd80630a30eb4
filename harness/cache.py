"""Where things that are made once are kept: assets, trained models, measured cells, peaks.

The platform's user cache folder, or the folder that `HARNESS_CACHE` names.
"""

import os
import tempfile
from pathlib import Path

import platformdirs

from harness.errors import UserError

_FIX = "set HARNESS_CACHE to a folder that can be written to"


def cache_root() -> Path:
    """The cache folder, which may not exist yet. Raises UserError where HARNESS_CACHE names the home of nobody."""
    named = os.environ.get("HARNESS_CACHE")
    try:
        return Path(named).expanduser() if named else platformdirs.user_cache_path("harness", appauthor=False)
    except RuntimeError:
        raise UserError(f"there is no such home folder; {_FIX}", place=named) from None


def cache_folder(*parts: str) -> Path:
    """The cache folder (or a folder in it), made if it is missing. Raises UserError where it can't be made."""
    folder = cache_root().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the cache folder can't be made ({error.strerror}); {_FIX}", place=str(folder)) from None
    return folder


def cache_problem() -> str | None:
    """Why nothing can be kept in the cache folder, with the folder and the fix; None where it can."""
    try:
        folder = cache_folder()
        with tempfile.TemporaryFile(dir=folder):
            return None
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{folder}: the cache folder can't be written to ({error.strerror}); {_FIX}"
