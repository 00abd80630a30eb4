"""Runs of these tests share a cache of their own; the user's is neither read nor written."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))
    monkeypatch.chdir(tmp_path)  # whose results/runs is empty


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """A command that ends in this process leaves signals as a process that ends wants them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
