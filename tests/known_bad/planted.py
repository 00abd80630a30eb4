"""Defects of benchmarks/gate_known_bad.py, planted in a copy of both packages: a folder that goes first on the path."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

from harness.gate.change.project import State

ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "reference_impl")


def _known_bad() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gate_known_bad", ROOT / "benchmarks/gate_known_bad.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KNOWN_BAD = _known_bad()


def sound(folder: Path) -> State:
    """This checkout as it is. folder: its working folder."""
    return State("base", "0" * 40, False, ROOT, folder)


def planted(name: str, path: Path, folder: Path) -> State:
    """A copy below `path` with one defect. folder: its working folder."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, path / package)
    KNOWN_BAD.plant(KNOWN_BAD.DEFECTS[name], path)
    return State(name, "1" * 40, True, path, folder)
