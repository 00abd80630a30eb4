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
    """Each test begins as a process does, and leaves signals as it found them: a command that ends in this process
    leaves them as a process that ends wants them, in a fixture of a module too; and tests that run in the background
    were told to ignore interrupts."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
