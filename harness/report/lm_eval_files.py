"""A run as lm-evaluation-harness 0.4.13 writes its own: `MODEL/results_TIME.json` and `MODEL/samples_TASK_TIME.jsonl`.

The same folders, names and keys, so that what reads its output reads ours. One results file holds a model at one point
of its axes and settings; cells of the same task with other settings go to another one. In mode lm-eval the numbers are
its numbers; in mode right ours, with more metrics. What a run doesn't know is null. Strict JSON: no NaN, no Infinity.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from harness.errors import UserError, no_room
from harness.report.lm_eval_evaluations import evaluations
from harness.report.lm_eval_results import model_of, results_of
from harness.results.run import Run
from harness.whole_file import write_whole


def write_lm_eval(run: Run, folder: Path) -> list[Path]:
    """Write every task of a run; gives the results files. Raises UserError where the run has none."""
    found = list(evaluations(run))
    if not found:
        raise UserError("no cell of the measure `task` ended well, so there is nothing to write", place=str(run.folder))
    written = []
    began = datetime.fromisoformat(run.manifest.started).astimezone().replace(tzinfo=None)
    for number, evaluation in enumerate(found):
        time = (began + timedelta(microseconds=number)).isoformat(timespec="microseconds").replace(":", "-")
        model = model_of(run, evaluation.cell)
        inside = folder / _file_name(model)
        _make(inside)
        for task, of in evaluation.tasks.items():
            lines = [json.dumps(_strict(line), ensure_ascii=False, allow_nan=False) + "\n" for line in of.lines]
            _write(inside / f"samples_{_file_name(task)}_{time}.jsonl", "".join(lines))
        path = inside / f"results_{time}.json"
        whole = _strict(results_of(run, evaluation, model))
        _write(path, json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False))
        written.append(path)
    return written


def _file_name(name: str) -> str:
    """A name of a model or a task as lm-eval puts it into names of files; shortened where no file may be called so."""
    kept = re.sub(r"[\"<>:/|\\?*\[\]]+", "__", name)[:200]
    kept = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "_", kept).encode()[:200].decode(errors="ignore")
    return kept if kept.strip(". ") else f"__{kept}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if no_room(error):
            raise
        why = error.strerror or "it is no folder"
        raise UserError(f"this folder can't be made ({why}); choose another", place=str(folder)) from None


def _strict(value: Any) -> Any:
    """The same as JSON may hold it: a number that is none is null."""
    if isinstance(value, dict):
        return {str(name): _strict(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8", "replace"))
