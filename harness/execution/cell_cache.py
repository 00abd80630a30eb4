"""Results of cells that ended well, kept by key: same key, same result, so a re-run skips the cell."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.cache import cache_folder
from harness.results.record import CellResult

if TYPE_CHECKING:
    import pandas as pd

RESULT = "cell.json"
SAMPLES = "samples.parquet"


class CellCache:
    """One folder per key under the cache's `cells/`, put in place whole."""

    def __init__(self) -> None:
        self._root = cache_folder("cells")

    def has(self, key: str) -> bool:
        """Whether the result of `key` is known."""
        return (self._folder(key) / RESULT).is_file()

    def load(self, key: str) -> CellResult | None:
        """The result of `key`, or None where there is none or it can't be read (it is then dropped)."""
        folder = self._folder(key)
        try:
            return CellResult.model_validate_json((folder / RESULT).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def samples(self, key: str) -> Path | None:
        """The file of samples of `key`."""
        path = self._folder(key) / SAMPLES
        return path if path.is_file() else None

    def unfinished(self, key: str) -> Path:
        """The file in which a long collection of `key` keeps what it has; it need not exist."""
        folder = self._root / "unfinished"
        folder.mkdir(exist_ok=True)
        return folder / f"{key}.jsonl"

    def store(self, result: CellResult, samples: pd.DataFrame | None) -> None:
        """Keep a result."""
        target = self._folder(result.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            if samples is not None:
                samples.to_parquet(building / SAMPLES, index=False)
            (building / RESULT).write_text(result.model_dump_json())
            if target.exists():
                shutil.rmtree(target)
            os.replace(building, target)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _folder(self, key: str) -> Path:
        return self._root / key[:2] / key
