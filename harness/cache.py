"""Where things that are made once are kept: assets, trained models, measured cells, peaks.

The platform's user cache folder, or the folder that `HARNESS_CACHE` names.
"""

import os
from pathlib import Path

import platformdirs


def cache_folder(*parts: str) -> Path:
    """The cache folder (or a folder in it), made if it is missing."""
    root = os.environ.get("HARNESS_CACHE")
    base = Path(root).expanduser() if root else platformdirs.user_cache_path("harness", appauthor=False)
    folder = base.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
