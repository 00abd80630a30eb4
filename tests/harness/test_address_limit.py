"""Addresses that the system limits: numpy and scipy load first, or one sentence says that they can't."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest


def listed(limit: int) -> subprocess.CompletedProcess[str]:
    """`harness list measures` with so many bytes of addresses; a library that waits for memory for ever fails."""
    return subprocess.run(
        [sys.executable, "-m", "harness", "list", "measures"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_too_low_a_limit_is_one_sentence() -> None:
    ended = listed(150 << 20)
    assert ended.returncode == 2
    assert "150 MiB of addresses (ulimit -v)" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("limit", [1 << 30, 2 << 30])
def test_within_a_limit_commands_work(limit: int) -> None:
    ended = listed(limit)
    assert ended.returncode == 0, ended.stderr
    assert "perplexity" in ended.stdout
