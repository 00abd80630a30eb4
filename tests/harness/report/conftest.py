"""The builders of synthetic runs, and the realistic run, written once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from harness.results.run import Run


@pytest.fixture(scope="session")
def builders() -> ModuleType:
    """`tests/harness/builders.py`: tests are not a package, so it is loaded by its path."""
    path = Path(__file__).parents[1] / "builders.py"
    spec = importlib.util.spec_from_file_location("run_builders", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def full_run(builders: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """4 models x 4 precisions x perplexity, inference and memory, with findings and outcomes. Read only."""
    run: Run = builders.full_run(tmp_path_factory.mktemp("runs") / "quickstart-1")
    return run


@pytest.fixture(scope="module", autouse=True)
def _own_cache(test_cache: Path) -> Iterator[None]:
    """The charts' code is kept in a cache of the test session, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(test_cache))
        yield
