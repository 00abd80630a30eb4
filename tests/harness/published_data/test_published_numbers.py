"""The real tables: what their authors print of them comes out of them."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from harness import published_data
from harness.published_data import DATA_SETS

DATA = os.environ.get("HARNESS_DATA")


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not DATA or not (Path(DATA) / name).is_dir(), reason=f"HARNESS_DATA doesn't name a folder with {name}"
    )


ALL = [pytest.param(name, marks=needs(name)) for name in DATA_SETS]


@pytest.mark.parametrize("name", ALL)
def test_every_column_is_explained(name: str) -> None:
    """No column without a meaning, no meaning without a column."""
    there = list(published_data.frame(name).columns)
    declared = [column.name for column in DATA_SETS[name].columns]
    assert [column for column in there if not any(fnmatchcase(column, known) for known in declared)] == []
    assert [known for known in declared if not any(fnmatchcase(column, known) for column in there)] == []


@needs("epoch_chinchilla")
def test_epoch_drops_rows_0_to_4() -> None:
    every, fitted = published_data.training_runs("epoch_chinchilla"), published_data.fitted_runs("epoch_chinchilla")
    assert (len(every), len(fitted)) == (245, 240)
    dropped = every.drop(fitted.index)
    assert list(dropped.index) == [0, 1, 2, 3, 4]
    assert list(dropped["loss"].round(4)) == [5.0056, 4.6652, 3.7656, 3.7939, 3.4470]
    assert (dropped["compute"] / 6 / dropped["parameters"] ** 2 < 0.5).all()


@needs("gadre_overtraining")
@pytest.mark.parametrize("trained_on", ["rpj", "c4_original", "rw_original"])
def test_gadre_fits_five_and_six_runs(trained_on: str) -> None:
    assert len(published_data.training_runs("gadre_overtraining")) == 104
    five = published_data.fitted_runs("gadre_overtraining", trained_on)
    per_parameter = five["tokens"] / five["parameters"]
    assert sorted(per_parameter) == [20, 20, 20, 20, 320]
    assert five["parameters"].max() == 411_616_256
    six = published_data.fitted_runs("gadre_overtraining", f"{trained_on}_error")
    assert set(six.index) > set(five.index) and six["parameters"].max() == 1_439_795_200


@needs("gadre_overtraining")
def test_gadre_average_errors_are_those_of_the_tasks() -> None:
    import json

    table = published_data.frame("gadre_overtraining")
    found = published_data.where("gadre_overtraining")
    assert found is not None
    sets = json.loads((found.folder / "task_sets.json").read_text())
    for average, tasks in (("err_avg46", sets["tasks46"]), ("err_avg17", sets["subset17"])):
        assert (table[[f"err_{task}" for task in tasks]].mean(axis=1) - table[average]).abs().max() < 1e-8
    assert len(sets["tasks46"]) == 46 and len(sets["subset17"]) == 17


@needs("datablations_repetition")
def test_datablations_fits_182_runs() -> None:
    fitted = published_data.fitted_runs("datablations_repetition")
    alone = published_data.frame("datablations_repetition", "runs_fit182.csv")
    assert len(published_data.training_runs("datablations_repetition")) == 296
    assert len(fitted) == len(alone) == 182
    for role, column in (("parameters", "N"), ("tokens", "D"), ("unique_tokens", "U"), ("loss", "loss")):
        assert list(fitted[role]) == list(alone[column])


@needs("datablations_repetition")
def test_datablations_names_and_numbers_agree() -> None:
    """Tokens are whole hundreds of millions or more, unique ones are no more than all: no name is misread."""
    runs = published_data.training_runs("datablations_repetition")
    assert (runs["unique_tokens"] <= runs["tokens"]).all()
    misread = runs[runs["run"] == "4b284b12bc4opt2"]
    assert list(misread["tokens"]) == [84e9] and list(misread["unique_tokens"]) == [12e9]


@needs("bbh_codex")
def test_bbh_averages() -> None:
    """Suzgun et al. 2022, Table 2, averages over 23 tasks: the variants of two tasks count together. 56.6 and 73.9."""
    table = published_data.frame("bbh_codex")
    assert (100 * table["n_correct"] / table["n"] - table["official_metric"]).abs().max() < 1e-3
    family = table["task"].str.replace("_(three|five|seven)_objects", "", regex=True)
    by_family = table.groupby(["mode", family])["official_metric"].mean()
    assert by_family["direct"].size == by_family["cot"].size == 23
    assert by_family["direct"].mean() == pytest.approx(56.6, abs=0.05)
    assert by_family["cot"].mean() == pytest.approx(73.9, abs=0.05)


@needs("cot_wei2022")
def test_wei_gains_on_gsm8k() -> None:
    """Wei et al. 2022, Table 2."""
    table = published_data.frame("cot_wei2022")
    assert len(table) == 158 and table["task"].nunique() == 12
    gsm8k = table[table["task"] == "GSM8K"]
    gains = {
        family: list((rows["cot"] - rows["standard"]).round(1))
        for family, rows in gsm8k.sort_values("params").groupby("family")
    }
    assert gains["LaMDA"] == [-2.2, -1.7, -1.6, 2.5, 7.8]
    assert gains["GPT"] == [-1.7, -1.9, -1.6, 31.3]
    assert gains["PaLM"] == [-0.8, 20.3, 39.0]
    assert table[table["params"].isna()]["family"].unique().tolist() == ["Codex"]


LAMBADA = {
    "pythia-70m": (0.184553, 142.429),
    "pythia-160m": (0.328352, 38.0649),
    "pythia-410m": (0.516204, 10.8282),
    "pythia-1b-bf16": (0.562003, 7.91569),
    "pythia-1.4b": (0.616146, 6.08571),
    "pythia-2.8b": (0.647196, 5.03613),
    "pythia-6.9b": (0.672812, 4.44911),
    "pythia-12b": (0.704638, 3.92364),
}
"""Accuracy and perplexity in evals/pythia-v1/MODEL/zero-shot/*_step143000.json, key lambada_openai."""


@needs("pythia_evals")
def test_pythia_lambada_by_size() -> None:
    table = published_data.frame("pythia_evals")
    assert len(table) == 57_994 and not table.duplicated(["model", "shots", "step", "task"]).any()
    lambada = table[(table["task"] == "lambada_openai") & (table["shots"] == 0)]
    final = lambada[lambada["step"] == 143_000].set_index("model")
    assert {model: (final["acc"][model], final["ppl"][model]) for model in LAMBADA} == LAMBADA
    assert round(final["acc"]["pythia-12b"], 4) == 0.7046 and round(final["ppl"]["pythia-12b"], 3) == 3.924


@needs("pythia_evals")
def test_pythia_lambada_by_step() -> None:
    table = published_data.frame("pythia_evals")
    by_step = table[(table["model"] == "pythia-12b") & (table["task"] == "lambada_openai") & (table["shots"] == 0)]
    by_step = by_step.set_index("step")
    assert len(by_step) == 27 and by_step.index.is_monotonic_increasing
    assert by_step["acc"][0] == 0.0 and by_step["ppl"][0] == 11_712_400.0
    assert by_step["acc"][3000] == 0.312439 and by_step["ppl"][3000] == 42.1531


@needs("pythia_evals")
def test_every_pythia_checkpoint_has_the_shots_of_its_settings() -> None:
    """27 checkpoints with no shots, 15 with five, of all that were asked both ways."""
    table = published_data.frame("pythia_evals")
    checkpoints = table.groupby(["model", "shots"])["step"].nunique().unstack()
    both = checkpoints.dropna()
    assert len(both) == 16 and (both[0] == 27).all() and (both[5] == 15).all()
