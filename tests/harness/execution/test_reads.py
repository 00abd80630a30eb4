"""How often a run's lines are read and settings are validated: once per run, however many cells it has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.conclusion import report_again
from harness.measures.measure import Settings
from harness.results.find import find_run
from harness.results.run import Run
from harness.results.run_folder import CELLS


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often files have been read whole in this process, by name."""
    read: Counter[str] = Counter()
    real = Path.read_bytes

    def counted(path: Path) -> bytes:
        read[path.name] += 1
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return read


@pytest.fixture
def suite(tiny_suite: str, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    model = next(line for line in tiny_suite.splitlines() if line.startswith("  tiny:"))
    twin = model.replace("tiny:", "twin:", 1)
    path.write_text(tiny_suite.replace(model, f"{model}\n{twin}"))
    return path


def test_the_lines_of_a_run_are_read_once(finished_run: Run, suite: Path, tmp_path: Path, read: Counter[str]) -> None:
    run = harness.run(str(suite), out=tmp_path / "runs")
    assert len(run.cells) == 12, "each result under two names, so that names of samples are chosen"
    assert len(run.records) and len(run.expectations) == 4 and run.findings and run.damage == []
    assert read[CELLS] == 1
    read.clear()
    again = report_again(find_run(str(run.folder), tmp_path / "runs"))
    assert again.cells == run.cells and again.damage == [] and read[CELLS] == 1
    read.clear()
    resumed = harness.run(str(run.folder), out=tmp_path / "runs", resume=True)
    assert resumed.cells == run.cells and read[CELLS] == 2, "what it has, and what it has in the end"


def test_settings_are_validated_when_the_suite_is_read_and_not_again(
    finished_run: Run, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[str] = []
    real = Settings.model_validate.__func__  # type: ignore[attr-defined]

    def counted(kind: type[Settings], *given: Any, **options: Any) -> Settings:
        validated.append(kind.__name__)
        checked: Settings = real(kind, *given, **options)
        return checked

    monkeypatch.setattr(Settings, "model_validate", classmethod(counted))
    events: list[int] = []
    harness.run(str(suite), out=tmp_path / "runs", on_event=lambda event: events.append(len(validated)))
    assert events and set(events) == {len(validated)}, "nothing is validated once the run has begun"
