"""`harness data`: what is listed, shown and fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import assets, published_data
from harness.cli.app import app
from harness.errors import UserError


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache and a HARNESS_DATA with one data set."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")
    folder = tmp_path / "data" / "epoch_chinchilla"
    folder.mkdir(parents=True)
    (folder / "svg_extracted_data.csv").write_text("loss\n1\n")
    return folder


def harness(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_list_says_where_each_is() -> None:
    lines = {line.split()[0]: line for line in harness("data").splitlines() if line.strip()}
    assert set(published_data.DATA_SETS) < set(lines)
    assert "HARNESS_DATA" in lines["epoch_chinchilla"] and "none stated" in lines["epoch_chinchilla"]
    assert lines["pythia_evals"].rstrip().endswith("no") and "Apache-2.0" in lines["pythia_evals"]


def test_show_explains_columns_fits_and_corrections() -> None:
    shown = " ".join(harness("data", "show", "datablations_repetition").split())
    corrected = "Corrected: the run 4b284b12bc4opt2"
    for words in ("unique_tokens", "nats per token", "Fit published: the 182 runs", corrected):
        assert words in shown
    for words in ("Parameters: unstated", "arXiv 2305.16264", "github.com/huggingface/datablations@13701315b1"):
        assert words in shown
    with pytest.raises(UserError, match="did you mean 'bbh_codex'"):
        harness("data", "show", "bbh_codx")


def test_get_fetches_what_is_not_here(nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def get(name: str, on_progress: assets.OnProgress) -> Path:
        asked.append(name)
        on_progress(1, 1)
        return tmp_path / name

    monkeypatch.setattr(assets, "get", get)
    output = harness("data", "get", "epoch_chinchilla", "bbh_codex")
    assert asked == ["bbh_codex"]
    assert f"epoch_chinchilla: {nothing_here}" in output and f"bbh_codex: {tmp_path / 'bbh_codex'}" in output
