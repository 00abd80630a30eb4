"""A cache whose disk is full costs time: what is made and can't be kept there is used all the same."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import kept_file
from harness.cache import cache_folder
from harness.corpora.microworld import Microworld, _code, _evaluation_sets
from harness.errors import unexpected
from harness.execution.cell_cache import CellCache
from harness.models.contract import ModelSource
from harness.models.in_context_regression import Recipe, Regression, Task, trained
from harness.models.open import open_model
from harness.report import vega
from harness.results.peaks import Peaks, store_peaks

PEAKS = Peaks(flops={"fp32": 8e10}, bandwidth=2e10)


def reader() -> Any:
    return trained(Regression(None, Task(2), 5, Recipe(10, 8, 0.005)), lambda share, text: None)


MADE: dict[str, Callable[[], Any]] = {
    "a text": lambda: Microworld("validation").documents(),
    "its digest": lambda: Microworld("validation").digest(),
    "questions": lambda: _evaluation_sets("test", 0, _code("microworld"), "microworld"),
    "a reader": reader,
    "peaks": lambda: store_peaks("class", 1, PEAKS) or PEAKS,
    "the charts' code": lambda: vega.vega_bundle(),
    "where answers are kept": lambda: CellCache().unfinished("0" * 32),
}


@pytest.fixture(autouse=True)
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def write(path: Path, content: str | bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def mkdir(path: Path, *arguments: Any, **named: Any) -> None:
        if path.name == "unfinished":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        made(path, *arguments, **named)

    made = Path.mkdir
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_file, "write_whole", write)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(vega, "vl_convert", lambda *calls: [b"javascript"] * len(calls))


@pytest.mark.parametrize("what", MADE)
def test_what_can_t_be_kept_is_used(what: str) -> None:
    assert MADE[what]()
    assert not [path for path in cache_folder().rglob("*") if path.is_file() and path.stat().st_size]


def test_a_model_opens(llama_folder: Path) -> None:
    model = open_model(ModelSource("m", "transformers", str(llama_folder), "0" * 64))
    assert model.identity.context


def test_a_full_disk_is_no_surprise() -> None:
    told = unexpected("training", OSError(errno.ENOSPC, "No space left on device", "there"))
    assert told.startswith("the disk is full; free some space and run it again (there: No space left on device")
