"""How long a person waits for the first line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from harness import __version__

SAID = {"--help": "Usage: ", "--version": __version__}


@pytest.mark.benchmark(group="start-up")
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_line(benchmark: BenchmarkFixture, option: str) -> None:
    """A new process each time."""

    def started() -> str:
        return subprocess.run(
            [sys.executable, "-m", "harness", option], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    assert SAID[option] in benchmark(started)
