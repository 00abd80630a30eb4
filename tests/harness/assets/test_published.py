"""Tables made of small stand-ins for the files that authors published, in the authors' layouts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.assets.published import (
    bbh_codex,
    cot_wei2022,
    csv_table,
    datablations_repetition,
    gadre_overtraining,
    pythia_evals,
)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- Gadre et al.


def gadre_model(name: str, dataset: str, tokens: int, losses: dict[str, float]) -> dict[str, Any]:
    return {
        "name": name,
        "dataset_name": dataset,
        "hyperparameters": {
            "model": "scaling/open_lm_configs/d=96_l=8_h=4.json",
            "tokens": tokens,
            "params": 1000,
            "params_no_embed": 600,
            "chinchilla_multiplier": tokens / 20_000,
        },
        "results": [
            {
                "loss": loss,
                "loss_sequences_lower_95": loss - 0.1,
                "loss_sequences_upper_95": loss + 0.1,
                "val_data": [text],
            }
            for text, loss in losses.items()
        ],
    }


def test_gadre(raw: Path, made: Path) -> None:
    write(raw / "eval_metadata.csv", "Eval Task\ncopa\n")
    write(
        raw / "constants.py",
        "raise SystemExit('run')\nFRIENDLY_CITATIONS = {'copa': 'COPA', 'piqa': 'PIQA', 'squad': 'SQuAD'}\n"
        "SUBSET = [\n    'squad',\n]\nCOUNT = len(SUBSET)\n",
    )
    losses = {"eval_data/c4_val/shard-{0..10}.tar": 4.123456789012, "eval_data/de-en/val_de-en_100.tar": 8.0}
    for name, dataset, tokens in (("b-2.0", "rpj", 40_000), ("b-1.0", "rpj", 20_000), ("a-0.25", "c4_original", 5_000)):
        write(raw / "models" / f"{name}.json", gadre_model(name, dataset, tokens, losses))
        scores = {"piqa": 0.5, "copa": 0.25, "squad": 0.0, "not_in_the_paper": 1.0}
        write(raw / "evals" / f"evaluation_{name}_heavy.json", {"eval_metrics": {"icl": scores}})
    gadre_overtraining.convert(raw, made)
    table = rows(made / "runs.csv")
    assert [row["name"] for row in table] == ["a-0.25", "b-1.0", "b-2.0"]
    first = table[0]
    assert (first["model"], first["N"], first["N_no_embed"], first["D"], first["M"]) == (
        *("d=96_l=8_h=4", "1000", "600", "5000", "5"),
    )
    assert (first["loss_c4_val"], first["loss_lo95_c4_val"], first["loss_val_de-en_100"]) == (
        *("4.12345679", "4.02345679", "8"),
    )
    assert (first["err_copa"], first["err_avg46"], first["err_avg17"]) == ("0.75", "0.75", "1")
    assert "err_not_in_the_paper" not in first
    assert json.loads((made / "task_sets.json").read_text()) == {
        "tasks46": ["copa", "piqa", "squad"],
        "subset17": ["squad"],
    }
    assert (made / "eval_metadata.csv").read_text() == "Eval Task\ncopa\n"


# ---- Muennighoff et al.


def notebook(every: dict[str, float], fitted: dict[str, float]) -> dict[str, Any]:
    maps = (
        'TOKENS_MAP = {\n    "100m": 0.1,\n    "1b5": 1.5,\n    "4b": 4,\n}\n\n'
        'PARAMS_MAP = {\n    "7m": 7.0E+06, # seven\n    "2b8": 2.81E+09,\n    "4b2": 4.2465E+09,\n}\n'
    )
    cells: list[dict[str, Any]] = [{"source": []} for _ in range(26)]
    for at, losses in ((1, every), (25, fitted)):
        source = f"### DATA ###\nNAMES_TO_VAL_LOSSES = {losses!r}\n{maps}"
        cells[at] = {"source": source.splitlines(keepends=True)}
    return {"cells": cells}


def test_datablations(raw: Path, made: Path) -> None:
    every = {
        "2b855b4b": 2.5,
        "2b855b11bc4seed1": 2.6,
        "7m1b5100m": 5.0,
        "4b284b1b5": 3.0,
        "7m100m100m": 0,
        "2b855b55bdedup": 9.0,
        "4b284b12bc4opt2": 2.7,
    }
    fitted = {"7m1b5100m": 5.0, "2b855b4b": 2.5, "2b855b55bdedup": 9.0}
    write(raw / "fit.ipynb", notebook(every, fitted))
    datablations_repetition.convert(raw, made)
    table = {row["run"]: row for row in rows(made / "runs_all_incl_outliers.csv")}
    assert list(table) == ["2b855b4b", "2b855b11bc4seed1", "7m1b5100m", "4b284b1b5", "4b284b12bc4opt2"]

    def sizes(run: str) -> tuple[float, ...]:
        return tuple(float(table[run][column]) for column in ("N", "D", "U", "epochs"))

    assert sizes("2b855b4b") == (2.81e9, 55e9, 4e9, 13.75)
    assert sizes("2b855b11bc4seed1") == (2.81e9, 55e9, 11e9, 5.0)
    assert sizes("7m1b5100m") == (7e6, 1.5e9, 0.1e9, 15.0)
    assert sizes("4b284b1b5") == (4.2465e9, 84e9, 1.5e9, 56.0)
    assert sizes("4b284b12bc4opt2")[1:3] == (84.1e9, 2.2e9)  # the authors' error, which is corrected when it is read
    assert [row["in_fit_set"] for row in table.values()] == ["True", "False", "True", "False", "False"]
    assert [row["run"] for row in rows(made / "runs_fit182.csv")] == ["7m1b5100m", "2b855b4b"]


def test_a_notebook_is_not_run(raw: Path, made: Path) -> None:
    cells = notebook({"2b855b4b": 2.5}, {})
    cells["cells"][1]["source"].append("import pathlib; pathlib.Path('ran').touch()\nraise SystemExit\n")
    write(raw / "fit.ipynb", cells)
    datablations_repetition.convert(raw, made)
    assert len(rows(made / "runs_all_incl_outliers.csv")) == 1


# ---- Suzgun et al.


@pytest.mark.parametrize(
    ("answer", "extracted"),
    [
        ("False", "False"),
        (" (B)\n\nQ: more", "(B)"),
        ("We count: 3 + 5. So the answer is 8.", "8"),
        ("So the answer is ] ].\nQ: next", "] ]"),
        ("the answer is 1. No: the answer is 2.", "1. No: the answer is 2"),
        ("I think the answer would be 8.", "I think the answer would be 8"),
    ],
)
def test_extracted(answer: str, extracted: str) -> None:
    assert bbh_codex.extracted(answer) == extracted


def test_bbh(raw: Path, made: Path) -> None:
    for mode, answers in (("direct", ["7", "8", "8"]), ("cot", ["So the answer is 8.", "the answer is 8", "8?"])):
        file = raw / f"code-davinci-002-{mode}" / "object_counting_few_shot_template_0-255000.json"
        outputs = [{"input": "how many?", "prediction": answer, "target": "8"} for answer in answers]
        write(file, {"canary": "x", "outputs": outputs})
        write(file.with_name(f"{file.stem}_eval_metrics.jsonl"), {"accuracy": 66.66666667, "accuracy_with_calc": 0})
    bbh_codex.convert(raw, made)
    assert [tuple(row.values()) for row in rows(made / "code_davinci_002_accuracy.csv")] == [
        ("object_counting", "cot", "3", "2", "0.666667", "66.6667"),
        ("object_counting", "direct", "3", "2", "0.666667", "66.6667"),
    ]
    assert {path.name for path in made.iterdir()} == {"code_davinci_002_accuracy.csv"}  # no answer with its canary


# ---- Wei et al.

PAPER = """
as Table 2 shows.

Table 2: Standard prompting against chain of thought.

|Model|GSM8K<br>standard<br>CoT|SVAMP<br> standard<br>CoT|ASDiv<br>a|AQuA<br>a|MAWPS<br>a|
|---|---|---|---|---|---|
|LaMDA 420M<br>137B|2.6<br>0.4<br>6.5** 14.3**|1 2<br>3 4|1 2 3 4|1 2 3 4|1 2 3 4|
|Codex<br>-|19.7** 63.1**|69.9 **76.4**|1 2|1 2|1 2|

Table 3: The subsets.

|Model|SingleOp<br>standard<br>CoT|MultiArith<br> standard<br>CoT|
|---|---|---|
|GPT<br>6.7B|90.9 88.8|4.5<br>**2.8**|

Table 4: Commonsense.

|Model|CSQA<br>s|StrategyQA<br>s|Date<br>s|Sports<br>s|SayCan<br>s|
|---|---|---|---|---|---|
|PaLM<br>8B|1 2|3 4|5 6|7 8|9 10|

Table 5: Symbolic.

|||Last Letter|Last Letter|Last Letter||Coin Flip|Coin Flip|Coin Flip|
|---|---|---|---|---|---|---|---|---|
|||2|OOD: 3|OOD: 4|2||OOD: 3|OOD: 4|
|Model||standard CoT|standard CoT|standard CoT|standard|CoT|standard CoT|standard CoT|
|LaMDA|420M|0.3** 1.6**|0.0 0.0|0.0 0.0|52.9|49.6|50.0 50.5|49.5 49.1|
||2B|2.3** 6.0**|0.0 0.0|0.0 0.0|54.9|** 55.3**|47.4 48.7|49.8 50.2|

Table 6: More.
"""


def test_wei(raw: Path, made: Path) -> None:
    write(raw / "output.md", PAPER)
    cot_wei2022.convert(raw, made)
    table = [tuple(row.values()) for row in rows(made / "cot_vs_standard_by_size.csv")]
    assert table[:4] == [
        ("GSM8K", "LaMDA", "420M", "420000000.0", "2.6", "0.4"),
        ("GSM8K", "LaMDA", "137B", "137000000000.0", "6.5", "14.3"),
        ("GSM8K", "Codex", "-", "", "19.7", "63.1"),
        ("SVAMP", "LaMDA", "420M", "420000000.0", "1.0", "2.0"),
    ]
    assert ("MultiArith", "GPT", "6.7B", "6700000000.0", "4.5", "2.8") in table
    assert table[-4:] == [
        ("LastLetter2", "LaMDA", "420M", "420000000.0", "0.3", "1.6"),
        ("LastLetter2", "LaMDA", "2B", "2000000000.0", "2.3", "6.0"),
        ("CoinFlip2", "LaMDA", "420M", "420000000.0", "52.9", "49.6"),
        ("CoinFlip2", "LaMDA", "2B", "2000000000.0", "54.9", "55.3"),
    ]
    assert not any(row[0] in ("SingleOp", "SayCan") for row in table)


# ---- Biderman et al.


def test_pythia(raw: Path, made: Path) -> None:
    lambada = {"lambada_openai": {"ppl": 3.92364123, "ppl_stderr": 0.1, "acc": 0.70463807, "acc_stderr": 0.0063}}
    pairs = {"crows_pairs_english": {"likelihood_difference": 7.1, "pct_stereotype": 0.5}}
    write(raw / "pythia-12b" / "zero-shot" / "12b_step143000.json", {"results": {**lambada, **pairs}})
    write(raw / "pythia-12b" / "zero-shot" / "12b_step2.json", {"results": lambada})
    write(raw / "pythia-12b" / "five-shot" / "12b-5shot_step2.json", {"results": lambada})
    write(raw / "pythia-1.4b-1MtokBS" / "1.4b-1MtokBS_step6000.json", {"results": lambada})
    write(raw / "pythia-12b" / "intervention" / "12b_step7.json", {"results": lambada})
    pythia_evals.convert(raw, made)
    table = rows(made / "pythia_v1_evals.csv")
    assert [(row["model"], row["shots"], row["step"], row["task"]) for row in table] == [
        ("pythia-1.4b-1MtokBS", "5", "6000", "lambada_openai"),
        ("pythia-12b", "0", "143000", "crows_pairs_english"),
        ("pythia-12b", "0", "2", "lambada_openai"),
        ("pythia-12b", "0", "143000", "lambada_openai"),
        ("pythia-12b", "5", "2", "lambada_openai"),
    ]
    assert (table[3]["acc"], table[3]["ppl"], table[3]["pct_stereotype"]) == ("0.704638", "3.92364", "")
    assert table[1]["acc"] == "" and table[1]["pct_stereotype"] == "0.5"


def test_digits() -> None:
    assert csv_table.digits(0.1234567, 6) == "0.123457"
    assert csv_table.digits(250.0, 6) == "250"
    assert csv_table.digits(None, 6) is None
