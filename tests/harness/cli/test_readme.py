"""README.md and docs/jobs.md: their commands are commands, their Python names are names, their links lead somewhere,
and the README stays short."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import harness
from tests.harness.cli.test_helping import parses

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
JOBS = (ROOT / "docs/jobs.md").read_text(encoding="utf-8")
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", TEXT + JOBS, re.S)
    for line in block.splitlines()
    if line.startswith("harness")
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read(line: str) -> None:
    parses(shlex.split(line.partition(" > ")[0])[1:])


def test_python_uses_names_that_are_there() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT + JOBS, re.S)
    for block in blocks:
        compile(block, "README.md", "exec")
        assert all(hasattr(harness, name) for name in re.findall(r"harness\.(\w+)", block))
    assert blocks and len(LINES) > 8


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", TEXT):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 200
