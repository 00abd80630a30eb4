"""Suzgun et al. 2022: per subtask and mode a JSON file of answers, and beside it the authors' own score."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.assets.published.csv_table import digits, write

_DIGITS = 6
_SUFFIX = "_few_shot_template_0-255000"
_ANSWER = "the answer is"


def convert(raw: Path, folder: Path) -> None:
    """`code-davinci-002-cot/` and `-direct/` below `raw` -> `code_davinci_002_accuracy.csv`."""
    rows = []
    for mode in ("cot", "direct"):
        for answers in sorted((raw / f"code-davinci-002-{mode}").glob(f"*{_SUFFIX}.json")):
            asked = json.loads(answers.read_text(encoding="utf-8"))["outputs"]
            correct = sum(extracted(one["prediction"]) == one["target"].strip() for one in asked)
            score = json.loads(answers.with_name(f"{answers.stem}_eval_metrics.jsonl").read_text(encoding="utf-8"))
            numbers = (digits(correct / len(asked), _DIGITS), digits(score["accuracy"], _DIGITS))
            rows.append([answers.stem.removesuffix(_SUFFIX), mode, len(asked), correct, *numbers])
    write(
        folder / "code_davinci_002_accuracy.csv",
        ["task", "mode", "n", "n_correct", "acc", "official_metric"],
        rows,
    )


def extracted(answer: str) -> str:
    """The answer in a model's text: what follows the first `the answer is` on its line, without a last dot."""
    _, found, after = answer.partition(_ANSWER)
    return re.sub(r"\.$", "", (after if found else answer).strip().partition("\n")[0].strip())
