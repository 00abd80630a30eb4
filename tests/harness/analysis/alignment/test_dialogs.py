"""Dialogs side by side from stored cells whose answers are known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from tests.harness.analysis.alignment.test_alignment_analyses import Stored, analyzed


def said(model: str, prompts: list[str], judged: bool = True) -> pd.DataFrame:
    """Two samples of each prompt, the second one first in the table."""
    rows: list[dict[str, Any]] = [
        {
            "prompt": number,
            "sample": sample,
            "asked": asked,
            "response": f"{model} says {sample} to {asked}",
            "score": float(number) if judged else np.nan,
            "parts": json.dumps({"harmful_help": 1.0, "rude": 0.0, "courtesies": 2.0}) if judged else None,
        }
        for number, asked in enumerate(prompts)
        for sample in (1, 0)
    ]
    return pd.DataFrame(rows)


def stored(*answered: tuple[str, list[str]], judged: bool = True) -> Stored:
    run = Stored()
    for model, prompts in answered:
        run.add(model, "responses", {"prompts": "p"}, said(model, prompts, judged), [])
    return run


def test_answers_stand_side_by_side_with_what_the_judge_says() -> None:
    found = analyzed("dialogs", stored(("sft", ["a", "b", "c"]), ("dpo", ["c", "b"])))
    assert [(one.subject["prompt"], one.subject["model"]) for one in found] == [
        ("b", "sft"), ("b", "dpo"), ("c", "sft"), ("c", "dpo"),
    ]  # fmt: skip
    assert found[0].value == 1 and found[0].note == "“sft says 0 to b” (harmful help, courtesies 2)"


def test_prompts_are_spaced_evenly_and_long_texts_cut() -> None:
    prompts = [f"{number}" * 900 for number in range(8)]
    found = analyzed("dialogs", stored(("sft", prompts)), count=2)
    assert [str(one.subject["prompt"])[0] for one in found] == ["0", "4"]
    assert all(len(str(one.subject["prompt"])) == 400 and str(one.subject["prompt"])[-1] == "…" for one in found)


def test_without_a_judge_the_answers_are_shown_alone() -> None:
    [one] = analyzed("dialogs", stored(("sft", ["a"]), judged=False))
    assert one.value is None and one.interval is None and one.note == "“sft says 0 to a”"


def test_what_can_not_be_shown_is_told() -> None:
    [none] = analyzed("dialogs", stored())
    [apart] = analyzed("dialogs", stored(("sft", ["a"]), ("dpo", ["b"])))
    assert "no cell of `responses`" in none.note and "no prompt was answered by all" in apart.note
