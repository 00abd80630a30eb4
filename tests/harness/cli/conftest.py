"""Runs of these tests share a cache of their own; the user's is neither read nor written."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))
    monkeypatch.chdir(tmp_path)  # whose results/runs is empty
