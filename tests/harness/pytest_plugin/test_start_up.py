"""What a pytest that has nothing to do with us pays for the plugin: two small files of ours."""

from __future__ import annotations

import json

import pytest

from tests.harness.pytest_plugin.conftest import OWN_MODULES, Project

TELLS = """
import json, pathlib, sys
{more}
def pytest_unconfigure():
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"torch", "transformers", "pandas", "scipy", "altair", "pyarrow", "accelerate", "datasets", "tokenizers"}


def modules(project: Project, *words: str, more: str = "") -> set[str]:
    project.write("conftest.py", TELLS.format(more=more))
    project.process(*words)
    return set(json.loads((project.folder / "modules.json").read_text()))


def ours(found: set[str]) -> set[str]:
    return {name for name in found if name.partition(".")[0] in ("harness", "reference_impl")}


def test_a_pytest_without_a_suite_imports_two_files_of_ours(project: Project) -> None:
    found = modules(project)
    assert ours(found) == OWN_MODULES
    without = modules(project, "-p", "no:harness")
    assert found - without == OWN_MODULES, "and nothing of anybody's else"


@pytest.mark.parametrize("words", [("--co",), ("-k", "own")])
def test_collecting_a_suite_imports_nothing_heavy(project: Project, words: tuple[str, ...]) -> None:
    found = modules(project, "--harness-suite", "suites/ci.yaml", *words)
    assert "harness.suite.load" in found and not HEAVY & found


def test_that_would_be_noticed(project: Project) -> None:
    assert HEAVY & modules(project, more="import pandas")
    assert ours(modules(project, more="import harness.suite.load")) > OWN_MODULES
