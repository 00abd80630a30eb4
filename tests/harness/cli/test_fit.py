"""`harness fit` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.cli.app import app
from harness.errors import UserError

TRUTH = np.array([1.8, 480.0, 2000.0, 0.35, 0.37])
QUICK = ["--replicates", "30", "--no-profiles"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    size, tokens = np.exp(generator.uniform(np.log([1e7, 1e9]), np.log([1e10, 1e12]), (40, 2))).T
    loss = Chinchilla().predict(TRUTH, size, tokens) * np.exp(0.003 * generator.standard_normal(40))
    path = tmp_path / "runs.csv"
    pd.DataFrame({"n": size / 1e6, "d": tokens, "val": loss}).to_csv(path, index=False)
    return path


NAMED = ["--columns", "parameters=n,tokens=d,loss=val", "--units", "parameters=1e6", "--counted", "all"]


def test_a_table_is_fitted(table: Path, tmp_path: Path) -> None:
    command = ["fit", str(table), *NAMED, *QUICK, "--compute", "1e23", "--loss", "2.2", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "optimal tokens" in result.output and "compute for loss" in result.output
    assert (tmp_path / "out" / "fit.html").is_file()


def test_the_others(table: Path) -> None:
    result = CliRunner().invoke(app, ["fit", str(table), *NAMED, *QUICK, "--approaches", "--choose"])
    assert result.exit_code == 0, result.output
    assert "scaling approaches" in result.output and "law choice" in result.output


def test_what_can_t_be_trusted_comes_first_and_ends_with_3(table: Path) -> None:
    frame = pd.read_csv(table)
    frame.assign(val=3.0).to_csv(table, index=False)
    result = CliRunner().invoke(app, ["fit", str(table), *NAMED, *QUICK])
    assert result.exit_code == 3
    assert result.output.startswith("not to be trusted:")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "needs the loss and two of"),
        ([*NAMED, "--law", "chinchila"], "--law: 'chinchila' should be 'chinchilla'"),
        ([*NAMED, "--compute", "-1"], "should be greater than 0"),
        ([*NAMED, "--columns", "loss"], "no pair ROLE=NAME"),
        ([*NAMED, "--units", "tokens=many"], "a unit is a factor"),
        ([*NAMED, "--rows", "x"], "--rows: names rows of a published data set"),
        ([*NAMED[:4], "--counted", "some"], "neither all nor non_embedding"),
        ([*NAMED[:2], "--counted", "all"], "seems to be in millions"),
        ([*NAMED, "--then", "sigmoid_error"], "no error of a task"),
        ([*NAMED, "--fit-below", "5"], "leaves no run to fit"),
        ([*NAMED[:1], "parameters=n,tokens=d,loss=n", *NAMED[2:]], "'n' can't be both"),
        ([*NAMED, "--approaches", "--replicates", "0"], "it needs replicates"),
        ([*NAMED, "-o", "afile/out"], "something else is in its place"),
    ],
)
def test_bad_input_is_one_sentence(
    table: Path, options: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(table.parent)
    Path("afile").touch()
    quick = () if "--replicates" in options else QUICK
    result = CliRunner().invoke(app, ["fit", str(table), *quick, *options])
    assert isinstance(result.exception, UserError)
    assert sentence in str(result.exception)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "the file is empty"), (b"\x00\xff\xfe" * 50, "null characters")]
)
def test_broken_files(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["fit", str(path)])
    assert isinstance(result.exception, UserError) and sentence in str(result.exception)
    for missing in (str(tmp_path), str(tmp_path / "nothing.csv"), "epoch_chinchila"):
        result = CliRunner().invoke(app, ["fit", missing])
        assert isinstance(result.exception, UserError)


def test_one_draw_is_no_interval(table: Path) -> None:
    result = CliRunner().invoke(app, ["fit", str(table), *NAMED, "--replicates", "1"])
    assert isinstance(result.exception, UserError) and "20 at least" in str(result.exception)


def test_two_columns_of_one_name(table: Path) -> None:
    table.write_text(table.read_text().replace("n,d,val", "n,val,val"))
    result = CliRunner().invoke(app, ["fit", str(table), *NAMED, *QUICK])
    assert isinstance(result.exception, UserError) and "two columns are called 'val'" in str(result.exception)


def test_a_second_step(table: Path) -> None:
    """Without draws it has no intervals; a task that is solved has no relative error; one of noise ends with 3."""
    frame = pd.read_csv(table)
    frame["error"] = 0.9 - 1.5 * np.exp(-0.8 * frame["val"]) + np.random.default_rng(0).normal(0, 0.003, 40)
    compute = 6e6 * frame["n"] * frame["d"]
    frame.loc[compute.idxmax(), "error"] = 0.0
    frame.to_csv(table, index=False)
    command = ["fit", str(table), *NAMED, "--columns", "error=error", "--then", "exponential_error", "--no-profiles"]
    below = ["--fit-below", f"{compute.quantile(0.8):.3e}"]
    result = CliRunner().invoke(app, [*command, *below, "--replicates", "0", "-o", str(table.parent / "out")])
    assert result.exit_code == 0, result.output
    assert "∞" not in result.output
    findings = json.loads((table.parent / "out" / "findings.json").read_text())
    at = {item["name"]: item for item in findings if item["subject"]["law"] == "exponential_error"}
    assert at["predicted_error"]["value"] is not None and at["predicted_error"]["low"] is None
    assert "1 more were solved" in at["held_out_error_of_the_task"]["note"]
    frame["error"] = np.random.default_rng(1).uniform(0.2, 0.8, 40)
    frame.to_csv(table, index=False)
    result = CliRunner().invoke(app, [*command, "--replicates", "30"])
    assert result.exit_code == 3 and "the second step: " in result.output
