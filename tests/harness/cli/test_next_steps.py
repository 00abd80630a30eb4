"""What a run's end names to go on with, and the words that may be left out in it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import harness as package
from harness.cli.next_steps import next_steps
from harness.errors import UserError
from harness.results.find import run_before
from harness.results.run import Run
from tests.harness.cli.test_cli import harness

OUT = Path("results/runs")


@pytest.fixture
def two(builders: ModuleType) -> tuple[Run, Run]:
    """Two runs of one suite."""
    first, second = (
        builders.write_run(OUT / name, cells=[one for one in builders.full_cells(OUT / name) if one.model == "nano"])
        for name in ("a", "b")
    )
    return first, second


def test_a_run_after_another_names_the_comparison(two: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    steps = next_steps(two[1], OUT)
    assert steps == ["harness compare", "harness show latest --format csv"]
    for step in steps:
        code, out, error = harness(capsys, *step.split()[1:])
        assert code == 0 and out, error


def test_a_run_elsewhere_is_named_by_its_folder(two: tuple[Run, Run]) -> None:
    assert next_steps(two[0], Path("else")) == ["harness show results/runs/a --format csv"]


def test_base_left_out_is_the_run_before_of_the_same_suite(
    two: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = harness(capsys, "compare")
    assert code == 0 and "base a, head b" in error and "head / base" in out
    assert len(package.compare()) == len(package.compare("a", "b")) > 0
    assert run_before(two[1], OUT).name == "a"


def test_no_run_before_is_one_sentence(two: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="there is no run of the suite"):
        run_before(two[0], OUT)
    code, _, error = harness(capsys, "compare", "--out", "nowhere")
    assert code == 2 and error.count("\n") == 1


def test_runs_as_what_run_gave_back(two: tuple[Run, Run]) -> None:
    results = package.show(two[1])
    assert package.compare(two[0], results).equals(package.compare("a", "b"))
    assert package.open_run(results).folder == results.folder
    assert repr(results).startswith("Results of results/runs/b\n") and "perplexity" in repr(results)
