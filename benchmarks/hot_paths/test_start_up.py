"""How long a person waits for the first line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness import __version__


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize(
    ("option", "said"), [("--help", "Usage: "), ("--version", __version__)], ids=["help", "version"]
)
def test_the_command_line(benchmark: BenchmarkFixture, option: str, said: str) -> None:
    """A new process each time."""

    def started() -> str:
        return subprocess.run(
            [sys.executable, "-m", "harness", option], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    assert said in benchmark(started)
