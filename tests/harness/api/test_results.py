"""Suites that are in no file, and what a run comes back as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import harness
from harness.measures.registry import MEASURES
from harness.results.run import Run
from harness.suite.load import load_suite
from harness.suite.schema import Suite


def test_a_mapping_and_an_object_are_the_suite(tiny_suite: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_suite)
    data = yaml.safe_load(tiny_suite)
    of_file = load_suite(path)
    assert load_suite(str(path)) == of_file
    assert load_suite(data).cells == of_file.cells
    assert load_suite(Suite.model_validate(data)).cells == of_file.cells


def test_values_of_python_become_those_of_a_suite() -> None:
    found = load_suite(
        {
            "name": "x",
            "models": {"m": {"transformers": Path("folder")}},
            "measures": [{"inference": {"prompt": np.int64(8), "generate": 4, "batch": (1, 2)}}],
        }
    )
    assert [cell.settings["batch"] for cell in found.cells] == [1, 2]
    assert found.suite.models["m"].settings.model == "folder"


class _Endless(dict[str, Any]):
    def __init__(self) -> None:
        super().__init__()
        self["models"] = self


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ({"name": "x", "modles": {}}, "suite: modles: unknown key 'modles'; did you mean 'models'"),
        ({"name": "x", "models": {1: {}}}, "suite: models: a key is text, and 1 is none"),
        (
            {"name": "x", "measures": [{"inference": {"prompt": object()}}]},
            r"inference\.prompt: a suite holds",
        ),
        (_Endless(), "nested more than"),
        ({}, "`name` is required|required and missing"),
    ],
)
def test_mistakes_are_told_by_their_keys(suite: dict[str, Any], said: str) -> None:
    with pytest.raises(harness.UserError, match=said):
        load_suite(suite)


def test_results_of_a_run(finished_run: Run) -> None:
    results = harness.show(finished_run.folder)
    assert isinstance(results, harness.Results) and results.name == finished_run.name
    assert results.records.equals(finished_run.records) and results.exit_code == 0
    assert results.report() == finished_run.folder / "report.html"
    whole = sum(len(finished_run.samples_of(cell)) for cell in finished_run.cells)
    assert len(results.samples) == whole and {"model", "measure", "precision"} <= set(results.samples)


def test_the_table_has_the_headline_numbers(finished_run: Run) -> None:
    table = harness.show(finished_run.folder).table()
    records = finished_run.records
    assert list(table.columns[:1]) == ["model"] and not table.duplicated(["model", "measure"]).all()
    for name in {"perplexity", "decode_rate"} & set(records["metric"]):
        values = records.loc[(records["metric"] == name) & (records["status"] == "ok"), "value"]
        assert sorted(table[name].dropna()) == sorted(values), name
    declared = {one.name for name in set(records["measure"]) for one in MEASURES[name].metrics if one.headline}
    assert set(records["metric"].dropna()) - declared, "there is something to leave out"
    assert "perplexity" in table and set(table) & set(records["metric"]) <= declared


def test_a_column_of_the_samples_gives_way_to_the_cells_own(finished_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    results = harness.show(finished_run.folder)
    monkeypatch.setattr(
        type(results), "samples_of", lambda self, cell: pd.DataFrame({"document": [0], "model": ["of the sample"]})
    )
    assert set(results.samples["model"]) == {
        cell.model for cell in results.cells if results.samples_file(cell).is_file()
    }


def test_a_notebook_shows_the_tables_and_runs_nothing(finished_run: Run) -> None:
    shown = harness.show(finished_run.folder)._repr_html_()
    assert "<table>" in shown and "perplexity" in shown
    assert "<script" not in shown and "<style" not in shown


def test_names_are_complete_and_lazy() -> None:
    assert set(harness.__all__) <= set(dir(harness))
    assert set(harness.HOME) - set(harness.__all__) == {"eval", "list"}, "`import *` keeps Python's own"
    for name in harness.__all__:
        assert getattr(harness, name) is not None
    with pytest.raises(AttributeError):
        harness.nothing_of_this_name  # noqa: B018 - it is asked for
