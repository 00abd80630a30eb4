"""The wheel: what is no Python file is in it, too."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "-w", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "harness", "reference_impl"], cwd=ROOT, capture_output=True, text=True)
    files = set(listed.stdout.splitlines())
    assert files and not files - inside
    suites = subprocess.run(["git", "ls-files", "suites"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    assert suites and not {name.replace("suites", "harness/shipped_suites", 1) for name in suites} - inside
    assert "harness/py.typed" in inside and "harness/suite/templates/eval.yaml" in inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]
