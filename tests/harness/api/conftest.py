"""Runs of these tests share a cache of their own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))
    monkeypatch.chdir(tmp_path)
