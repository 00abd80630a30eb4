"""Every command of docs/pytest.md, in the page's order, as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.pytest_plugin.options import LISTED, SWITCHES, TEXTS
from tests.harness.pytest_plugin.conftest import Project
from tests.harness.pytest_plugin.test_fixtures import QUICK

PAGE = Path(__file__).parents[3] / "docs/pytest.md"
TEXT = PAGE.read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.S | re.M)
BLOCKS = [block for language, block in FENCED if language == "bash"]
SHOWN = [line for language, block in FENCED if not language for line in block.splitlines()]


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_every_command_of_the_page(project: Project) -> None:
    project.write("project/conftest.py", QUICK)
    project.write("project/pytest.ini", "[pytest]\naddopts = -p no:benchmark -p no:hypothesispytest -p no:anyio\n")
    project.write("bin/pytest", f'#!/bin/sh\nexec "{sys.executable}" -m pytest "$@"\n').chmod(0o755)
    path = os.pathsep.join([str(project.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    said = []
    for number, block in enumerate(BLOCKS):
        where = project.folder / "project" if number else project.folder
        done = subprocess.run(
            ["bash", "-euc", block], cwd=where, env=os.environ | {"PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    first, choosing, gated, fixtures = said
    for line in SHOWN:
        assert timeless(line) in timeless(first + gated)
    assert "2 passed" in first and "1 passed" in choosing and "2 passed, 2 deselected" in gated
    assert re.search(r"(3 passed|2 passed, 1 skipped)", fixtures)


def timeless(text: str) -> str:
    return re.sub(r"\d{8}-\d{6}(-\d+)?", "TIME", text)


def test_the_page_names_every_option() -> None:
    for name in (*LISTED, *TEXTS, *SWITCHES):
        assert f"`--{name.replace('_', '-')}" in TEXT, name
