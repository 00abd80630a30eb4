"""The helpers of the tests with hostile inputs, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _loaded(name: str) -> ModuleType:
    whole = f"hostile_{name}"
    if whole not in sys.modules:
        specification = importlib.util.spec_from_file_location(whole, Path(__file__).parent / f"{name}.py")
        assert specification is not None and specification.loader is not None
        sys.modules[whole] = module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return sys.modules[whole]


@pytest.fixture(scope="session")
def bounded() -> ModuleType:
    """`bounded.py`: how an action on a hostile input ends."""
    return _loaded("bounded")


@pytest.fixture(scope="session")
def mutation() -> ModuleType:
    """`mutation.py`: inputs made wrong."""
    return _loaded("mutation")
