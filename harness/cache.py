"""Where things that are made once are kept: assets, trained models, measured cells, peaks.

The platform's user cache folder, or the folder that `HARNESS_CACHE` names.
"""

import os
from pathlib import Path

import platformdirs

from harness.errors import UserError


def cache_folder(*parts: str) -> Path:
    """The cache folder (or a folder in it), made if it is missing."""
    root = os.environ.get("HARNESS_CACHE")
    base = Path(root).expanduser() if root else platformdirs.user_cache_path("harness", appauthor=False)
    folder = base.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the cache folder can't be made ({error.strerror}); set HARNESS_CACHE to a folder that can be written to",
            place=str(folder),
        ) from None
    return folder
