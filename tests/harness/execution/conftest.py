"""Runs of these tests share a cache of their own; the user's is neither read nor written. The machine is quiet."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else runs here: times that count as noise are not kept, and tests of what is kept would hang on it."""
    monkeypatch.setattr("harness.execution.cell_results.most_taken", lambda launches, cores: 0.0)
