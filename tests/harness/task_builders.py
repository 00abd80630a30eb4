"""Writes runs of the measure `task` without a model: the samples come from the code that writes real ones.

Words are the tokens. A log-probability is what a test says it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.measures.task.evidence import Generated, Likelihoods
from harness.measures.task.samples.columns import SPEC
from harness.measures.task.samples.of_evidence import broken_document, document_of
from harness.measures.task.samples.rows import write
from harness.results.record import CellResult
from harness.results.run import Run
from harness.scoring.request import Scored
from harness.scoring.written_answer import Finish, WrittenAnswer
from harness.tasks.ask import Asked, Broken, Choice, Generation, Rolling
from harness.tasks.judging.choice_scores import chance, score_choices
from harness.tasks.judging.filters import Extracted
from harness.tasks.judging.metrics import Scores
from tests.harness.builders import cell_result, write_run

VOCABULARY: dict[str, int] = {"<start>": 0}


def spec(task: str, pipelines: Sequence[str] = ("none",)) -> str:
    """How the items of these tasks become numbers."""
    metric = {"aggregation": "mean", "direction": "higher", "listed": True}
    metrics = {"acc": metric, "acc_norm": metric, "exact_match": metric}
    metrics["extraction_failure"] = {"aggregation": "mean", "direction": "lower", "listed": False}
    told = {"task": task, "file": f"{task}.yaml", "mode": "right", "metrics": metrics, "builtin": True}
    return json.dumps(told | {"pipelines": list(pipelines)})


def tokens(text: str, split: str = r" ?\w+|\s|[^\w\s]") -> tuple[int, ...]:
    """A number for every word with the space before it."""
    return tuple(VOCABULARY.setdefault(piece, len(VOCABULARY)) for piece in re.findall(split, text))


def choice_row(
    document: int,
    context: str,
    choices: Sequence[str],
    log_probs: Sequence[float],
    *,
    task: str = "capitals",
    gold: int | tuple[int, ...] = 0,
    shots: tuple[int, ...] = (),
    cluster: str | None = None,
    cut: int = 0,
    split: str = r" ?\w+|\s|[^\w\s]",
    without_context: Sequence[float] = (),
) -> dict[str, Any]:
    """A question with choices; each choice's log-probability is shared out evenly among its tokens."""
    requests = [Choice(context, f" {choice}") for choice in choices]
    scored, spread = [], []
    for request, log_prob in zip(requests, log_probs, strict=True):
        read, continuation = tokens(context, split)[cut:], tokens(request.continuation, split)
        scored.append(Scored(read + continuation, len(read)))
        spread.append((log_prob / len(continuation),) * len(continuation))
    for choice, log_prob in zip(choices if without_context else (), without_context, strict=True):
        continuation = tokens(f" {choice}", split)
        requests.append(Choice("", f" {choice}"))
        scored.append(Scored((0, *continuation), 1))
        spread.append((log_prob / len(continuation),) * len(continuation))
    asked = Asked(task, document, {}, tuple(requests), tuple(choices), gold, None, cluster, shots)
    sure = [log_prob > -0.1 for log_prob in (*log_probs, *without_context)]
    hits = tuple(len(each) if one else 0 for one, each in zip(sure, spread, strict=True))
    cuts = (*[cut] * len(choices), *[0] * len(without_context))
    evidence = Likelihoods(asked, tuple(scored), cuts, tuple(spread), hits)
    judged = score_choices(asked, evidence.answer, "right", f"{task}.yaml")  # type: ignore[arg-type]
    scores = Scores(judged.items, {}, judged.predictions)
    return write(document_of(evidence, scores, chance(asked))) | {SPEC.name: spec(task)}


def written_row(
    document: int,
    context: str,
    answers: Sequence[str],
    target: str,
    extracted: dict[str, str],
    *,
    task: str = "sums",
    finish: Finish = "stop_string",
    until: tuple[str, ...] = ("\n",),
    cut: int = 0,
    thought: str | None = None,
    answered: bool = True,
) -> dict[str, Any]:
    """A question that the model answers in writing; every token has -0.5 nats."""
    asked = Asked(task, document, {}, (Generation(context, until, 16, samples=len(answers)),), (), None, target)
    drawn = [
        WrittenAnswer(text, tokens(text), (-0.5,) * len(tokens(text)), finish, thought, answered) for text in answers
    ]
    evidence = Generated(asked, tokens(context)[cut:], cut, tuple(drawn), thinks=thought is not None)
    scores = Scores(
        {f"exact_match/{name}": float(value == target) for name, value in extracted.items()}
        | {f"extraction_failure/{name}": float(value == "[invalid]") for name, value in extracted.items()},
        {name: Extracted(value, float(value == "[invalid]"), 0.0, True) for name, value in extracted.items()},
    )
    return write(document_of(evidence, scores, None)) | {SPEC.name: spec(task, list(extracted))}


def rolling_row(document: int, windows: Sequence[tuple[str, str]], *, task: str = "texts") -> dict[str, Any]:
    """A text that is read in windows (context, scored text); every token has -1.5 nats."""
    asked = Asked(task, document, {}, (Rolling("".join(scored for _, scored in windows)),))
    scored = tuple(Scored(tokens(before) + tokens(text), len(tokens(before))) for before, text in windows)
    log_probs = tuple((-1.5,) * (len(request.ids) - request.start) for request in scored)
    evidence = Likelihoods(asked, scored, (0,) * len(scored), log_probs, (0,) * len(scored))
    scores = Scores({"bits_per_byte": [sum(map(sum, log_probs)), 100]})
    return write(document_of(evidence, scores, None)) | {SPEC.name: spec(task)}


def continuation_row(
    document: int, context: str, continuation: str, log_prob: float, *, task: str = "last_words"
) -> dict[str, Any]:
    """How likely a continuation is."""
    read, scored = tokens(context), tokens(continuation)
    asked = Asked(task, document, {}, (Choice(context, continuation),))
    greedy = log_prob > -1
    evidence = Likelihoods(
        asked,
        (Scored(read + scored, len(read)),),
        (0,),
        ((log_prob / len(scored),) * len(scored),),
        (len(scored) if greedy else 0,),
    )
    scores = Scores({"acc": int(greedy), "perplexity": log_prob})
    return write(document_of(evidence, scores, None)) | {SPEC.name: spec(task)}


def unjudged_row(document: int, reason: str, *, task: str = "capitals") -> dict[str, Any]:
    """A broken document."""
    return write(broken_document(Broken(task, document, reason))) | {SPEC.name: spec(task)}


def samples(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a worker hands them in: the first tells the tokens' texts."""
    known = {number: text for text, number in VOCABULARY.items()}
    first = dict(rows[0]) | {"pieces": json.dumps(known), "groups": "[]"}
    return pd.DataFrame([first, *rows[1:]])


def task_cell(
    folder: Path,
    rows: Sequence[dict[str, Any]] | pd.DataFrame,
    *,
    model: str = "nano",
    precision: str = "fp32",
    **settings: Any,
) -> CellResult:
    """A cell with these samples."""
    frame = rows if isinstance(rows, pd.DataFrame) else samples(rows)
    axes: dict[str, Any] = {"precision": precision, "device": "cpu"}
    named = {"task": str(frame["task"].iloc[0]), "shots": 0} | settings
    return cell_result(folder, model, "task", axes, named, [], samples=frame)


def task_run(folder: Path, cells: list[CellResult]) -> Run:
    """A run of these cells."""
    return write_run(folder, cells=cells)
