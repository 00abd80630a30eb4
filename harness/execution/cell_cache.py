"""Results of cells that ended well, kept by key: same key, same result, so a re-run skips the cell."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from harness.cache import cache_folder
from harness.models.contract import ModelIdentity
from harness.results.record import Anything, CellResult

if TYPE_CHECKING:
    import pandas as pd

RESULT = "cell.json"
SAMPLES = "samples.parquet"
COLLECTED = "collected.json"


class _Collected(BaseModel):
    """`collected.json`: what is known beside samples that could not be summed up."""

    identity: ModelIdentity
    conditions: Anything
    """Under `launches`, of each launch."""
    seconds: float


@dataclass(frozen=True)
class Evidence:
    """All that a cell's launches collected: summing it up needs no model."""

    samples: pd.DataFrame
    identity: ModelIdentity
    conditions: dict[str, Any]
    seconds: float
    """Wall time of collecting it."""


class CellCache:
    """One folder per key under the cache's `cells/`, put in place whole."""

    def __init__(self) -> None:
        self._root = cache_folder("cells")

    def has(self, key: str) -> bool:
        """Whether the result of `key` is known, and can be read."""
        return self.load(key) is not None

    def load(self, key: str) -> CellResult | None:
        """The result of `key`, or None where there is none or it can't be read (it is then dropped)."""
        from pyarrow.parquet import read_metadata

        folder = self._folder(key)
        try:
            result = CellResult.model_validate_json((folder / RESULT).read_bytes())
            read_metadata(folder / SAMPLES)  # it is at the end of the file: a shortened one has none
        except OSError:
            return None
        except ValueError:  # as pydantic and pyarrow say it
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return result

    def samples(self, key: str) -> Path | None:
        """The file of samples of `key`."""
        path = self._folder(key) / SAMPLES
        return path if path.is_file() else None

    def unfinished(self, key: str) -> Path:
        """The file in which a long collection of `key` keeps what it has; it need not exist."""
        folder = self._root / "unfinished"
        folder.mkdir(exist_ok=True)
        return folder / f"{key}.jsonl"

    def keep(self, key: str, evidence: Evidence) -> None:
        """Keep what was collected and could not be summed up: the next try needs no model. Raises OSError."""
        folder = self._collected(key)
        folder.mkdir(parents=True, exist_ok=True)
        evidence.samples.to_parquet(folder / SAMPLES, index=False)
        told = _Collected(identity=evidence.identity, conditions=evidence.conditions, seconds=evidence.seconds)
        (folder / COLLECTED).write_text(told.model_dump_json(), encoding="utf-8")  # last: with it the folder is whole

    def kept(self, key: str) -> Evidence | None:
        """What `keep` was given; None where there is nothing, or nothing that can be read."""
        import pandas as pd

        folder = self._collected(key)
        try:
            told = _Collected.model_validate_json((folder / COLLECTED).read_bytes())
            return Evidence(pd.read_parquet(folder / SAMPLES), told.identity, told.conditions, told.seconds)
        except (OSError, ValueError):
            return None

    def forget(self, key: str) -> None:
        """Drop what earlier tries of a cell left that did not end well."""
        self.unfinished(key).unlink(missing_ok=True)
        shutil.rmtree(self._collected(key), ignore_errors=True)

    def store(self, result: CellResult, samples: pd.DataFrame | None) -> None:
        """Keep a result."""
        target = self._folder(result.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        try:
            if samples is not None:
                samples.to_parquet(building / SAMPLES, index=False)
            (building / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
            old = building.with_name(f"{building.name}-old")
            with contextlib.suppress(FileNotFoundError):  # there is none, or another run was quicker
                os.replace(target, old)
            os.replace(building, target)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _collected(self, key: str) -> Path:
        return self._root / "collected" / key

    def _folder(self, key: str) -> Path:
        return self._root / key[:2] / key
