"""Gadre et al. 2024: one JSON file per model with its losses, one with its scores, and Python lists of tasks."""

from __future__ import annotations

import ast
import json
import math
import shutil
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.assets.published.csv_table import digits, write

_DIGITS = 9


def convert(raw: Path, folder: Path) -> None:
    """What `exp_data/` holds and `constants.py`, in `raw` -> `runs.csv`, `task_sets.json`, `eval_metadata.csv`."""
    tasks, subset = _task_sets(raw / "constants.py")
    models = [json.loads(path.read_text(encoding="utf-8")) for path in (raw / "models").glob("*.json")]
    models.sort(key=lambda model: (model["dataset_name"], _settings(model)["params"], _settings(model)["tokens"]))
    texts = list(dict.fromkeys(_text(result) for result in models[0]["results"]))
    rows = []
    for model in models:
        scores = json.loads((raw / "evals" / f"evaluation_{model['name']}_heavy.json").read_text(encoding="utf-8"))[
            "eval_metrics"
        ]["icl"]
        errors = {task: 1.0 - scores[task] for task in tasks}
        numbers = [
            *_losses(model, texts),
            *errors.values(),
            math.fsum(errors.values()) / len(tasks),
            math.fsum(errors[task] for task in subset) / len(subset),
        ]
        rows.append([*_about(model), *(digits(number, _DIGITS) for number in numbers)])
    losses = [f"loss{end}_{text}" for text in texts for end in ("", "_lo95", "_hi95")]
    columns = ["name", "dataset", "model", "N", "N_no_embed", "D", "M", *losses, *(f"err_{task}" for task in tasks)]
    write(folder / "runs.csv", [*columns, "err_avg46", "err_avg17"], rows)
    (folder / "task_sets.json").write_text(strict_json.dumps({"tasks46": tasks, "subset17": subset}, indent=1))
    shutil.copyfile(raw / "eval_metadata.csv", folder / "eval_metadata.csv")


def _task_sets(constants: Path) -> tuple[list[str], list[str]]:
    """All 46 tasks and the 17 on which small models beat chance, read from the lists without running their file."""
    assigned = {
        statement.targets[0].id: statement.value
        for statement in ast.parse(constants.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    return list(ast.literal_eval(assigned["FRIENDLY_CITATIONS"])), ast.literal_eval(assigned["SUBSET"])


def _settings(model: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = model["hyperparameters"]
    return settings


def _about(model: dict[str, Any]) -> list[object]:
    settings = _settings(model)
    shape = Path(settings["model"]).name.removesuffix(".json")
    tokens_per_parameter = digits(20 * settings["chinchilla_multiplier"], _DIGITS)
    sizes = [settings["params"], settings["params_no_embed"], settings["tokens"]]
    return [model["name"], model["dataset_name"], shape, *sizes, tokens_per_parameter]


def _text(result: dict[str, Any]) -> str:
    """Name of the held-out text: its folder, or its file where the folder holds several."""
    path = Path(result["val_data"][0])
    return path.stem if path.parent.name == "de-en" else path.parent.name


def _losses(model: dict[str, Any], texts: list[str]) -> list[float]:
    """Loss and both ends of its interval, text by text."""
    by_text = {_text(result): result for result in model["results"]}
    kinds = ("loss", "loss_sequences_lower_95", "loss_sequences_upper_95")
    return [by_text[text][kind] for text in texts for kind in kinds]
