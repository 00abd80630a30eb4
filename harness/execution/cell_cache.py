"""Results of cells that ended well, kept by key: same key, same result, so a re-run skips the cell."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness import kept_file
from harness.cache import cache_folder
from harness.execution.requests import Refused
from harness.kept_file import Damaged
from harness.models.contract import ModelIdentity
from harness.results.provenance import Package, Provenance
from harness.results.record import SCHEMA_VERSION, Anything, CellResult
from harness.strict_models import Kept

if TYPE_CHECKING:
    import pandas as pd

RESULT = "cell.json"
SAMPLES = "samples.parquet"
COLLECTED = "collected.json"


class _Collected(Kept):
    """`collected.json`: what is known beside samples that could not be summed up."""

    identity: ModelIdentity
    conditions: Anything
    """Under `launches`, of each launch."""
    seconds: float
    provenance: Provenance | None = None
    samples_sha256: str


@dataclass(frozen=True)
class Evidence:
    """All that a cell's launches collected: summing it up needs no model."""

    samples: pd.DataFrame
    identity: ModelIdentity
    conditions: dict[str, Any]
    seconds: float
    """Wall time of collecting it."""
    packages: dict[str, Package] = field(default_factory=dict)
    """What its workers imported."""
    provenance: Provenance | None = None
    """What measured it, where that was an earlier try; None: this run."""
    failed: Refused | None = None
    """Why a launch did not end, after others that did."""


class CellCache:
    """One folder per key under the cache's `cells/`, put in place whole."""

    def __init__(self) -> None:
        self._root = cache_folder("cells")

    def has(self, key: str) -> bool:
        """Whether the result of `key` is known: see `glance`."""
        return self.glance(key) is not None

    def glance(self, key: str) -> CellResult | None:
        """As `load`, but of the samples only the size is looked at, so that a plan is quick."""
        return self._result(key, whole=False)

    def load(self, key: str) -> CellResult | None:
        """The result of `key`, or None where there is none or it is damaged (it is then dropped and told of)."""
        return self._result(key, whole=True)

    def _result(self, key: str, *, whole: bool) -> CellResult | None:
        folder = self._folder(key)
        try:
            content = kept_file.read_json(folder / RESULT)
            result = CellResult.model_validate_json(content)
            if result.schema_version != SCHEMA_VERSION:
                raise Damaged(f"of version {result.schema_version}, and this harness keeps {SCHEMA_VERSION}")
            if result.key != key:
                raise Damaged(f"the result of another cell, {result.key}")
            if result.samples_sha256 is not None:
                self._compare_samples(folder / SAMPLES, result, whole=whole)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError:
            kept_file.drop(folder, "not a cell's result")
            return None
        except (OSError, Damaged) as error:
            kept_file.drop(folder, error)
            return None
        return result

    @staticmethod
    def _compare_samples(path: Path, result: CellResult, *, whole: bool) -> None:
        if not path.is_file():
            raise Damaged("its samples are missing")
        if path.stat().st_size != result.samples_bytes:
            raise Damaged("its samples have another size than when they were written")
        if whole and kept_file.content_sha256(path) != result.samples_sha256:
            raise Damaged("the sha256 of its samples is another than when they were written")

    def samples(self, key: str) -> Path | None:
        """The file of samples of `key`."""
        path = self._folder(key) / SAMPLES
        return path if path.is_file() else None

    def unfinished(self, key: str) -> Path | None:
        """The file in which a long collection of `key` keeps what it has; it need not exist. None: it keeps nothing."""
        folder = self._root / "unfinished"
        with contextlib.suppress(OSError):  # a cache that is full or may only be read: nothing is kept in it
            folder.mkdir(exist_ok=True)
        return folder / f"{key}.jsonl"

    def keep(self, key: str, evidence: Evidence) -> None:
        """Keep what was collected and could not be summed up: the next try needs no model. Raises OSError."""
        folder = self._collected(key)
        folder.mkdir(parents=True, exist_ok=True)
        told = _Collected(
            identity=evidence.identity,
            conditions=evidence.conditions,
            seconds=evidence.seconds,
            provenance=evidence.provenance,
            samples_sha256=kept_file.write_frame(folder / SAMPLES, evidence.samples),
        )
        kept_file.write_json(folder / COLLECTED, told.model_dump_json())  # last: with it the folder is whole

    def kept(self, key: str) -> Evidence | None:
        """What `keep` was given; None where there is nothing, or what is damaged (it is then dropped and told of)."""
        folder = self._collected(key)
        try:
            told = _Collected.model_validate_json(kept_file.read_json(folder / COLLECTED))
            samples = kept_file.read_frame(folder / SAMPLES, told.samples_sha256)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:  # as pydantic and pyarrow say it, too
            kept_file.drop(folder, error)
            return None
        return Evidence(samples, told.identity, told.conditions, told.seconds, provenance=told.provenance)

    def forget(self, key: str) -> None:
        """Drop what earlier tries of a cell left that did not end well."""
        (self._root / "unfinished" / f"{key}.jsonl").unlink(missing_ok=True)
        shutil.rmtree(self._collected(key), ignore_errors=True)

    def store(self, result: CellResult, samples: pd.DataFrame | None) -> None:
        """Keep a result."""
        target = self._folder(result.key)
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
        building, old = scratch / target.name, scratch / "old"
        try:
            building.mkdir()
            if samples is not None:
                sha256 = kept_file.write_frame(building / SAMPLES, samples)
                size = (building / SAMPLES).stat().st_size
                result = result.model_copy(update={"samples_sha256": sha256, "samples_bytes": size})
            kept_file.write_json(building / RESULT, result.model_dump_json())
            with contextlib.suppress(FileNotFoundError):  # there is none, or another run was quicker
                os.replace(target, old)
            os.replace(building, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _collected(self, key: str) -> Path:
        return self._root / "collected" / key

    def _folder(self, key: str) -> Path:
        return self._root / key[:2] / key


class NoCache(CellCache):
    """The cache of a run that takes nothing from earlier ones and leaves nothing to later ones."""

    def _result(self, key: str, *, whole: bool) -> CellResult | None:
        return None

    def samples(self, key: str) -> Path | None:
        """There is none."""
        return None

    def unfinished(self, key: str) -> Path | None:
        """There is none."""
        return None

    def keep(self, key: str, evidence: Evidence) -> None:
        """Nothing is kept."""

    def kept(self, key: str) -> Evidence | None:
        """There is none."""
        return None

    def forget(self, key: str) -> None:
        """What other runs left is theirs."""

    def store(self, result: CellResult, samples: pd.DataFrame | None) -> None:
        """Nothing is kept."""
