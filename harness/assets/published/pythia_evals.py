"""Biderman et al. 2023: one JSON file of lm-evaluation-harness per model, checkpoint and number of shots."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.assets.published.csv_table import digits, write

_DIGITS = 6
_NUMBERS = ("acc", "acc_stderr", "acc_norm", "acc_norm_stderr", "ppl", "ppl_stderr", "pct_stereotype")
_OTHER_STUDIES = {"baseline", "intervention"}
"""Folders of the paper's case study on gendered words."""


def convert(raw: Path, folder: Path) -> None:
    """A folder per model below `raw` -> `pythia_v1_evals.csv`, in the order of model, shots, task and step."""
    rows = []
    for path in raw.rglob("*.json"):
        if path.parent.name in _OTHER_STUDIES:
            continue
        model = path.relative_to(raw).parts[0]
        step = int(re.search(r"_step(\d+)", path.stem)[1])  # type: ignore[index]  # every file has one
        for task, found in json.loads(path.read_text(encoding="utf-8"))["results"].items():
            rows.append((model, _shots(path), step, task, *(digits(found.get(name), _DIGITS) for name in _NUMBERS)))
    rows.sort(key=lambda row: (row[0], row[1], row[3], row[2]))
    write(folder / "pythia_v1_evals.csv", ["model", "shots", "step", "task", *_NUMBERS], rows)


def _shots(path: Path) -> int:
    """Shots as the file's name says, or else its folder; the models with other batch sizes were asked with five."""
    return 0 if path.parent.name == "zero-shot" and "5shot" not in path.name else 5
