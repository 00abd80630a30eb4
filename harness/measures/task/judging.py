"""The answers of one task become scores, document by document in their order, whatever order they came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import logged
from harness.measures.task.documents import TASK_CODE
from harness.measures.task.evidence import Evidence
from harness.tasks.ask import Asked, Broken, Row
from harness.tasks.config import TaskConfig
from harness.tasks.judging import filter_check, metrics
from harness.tasks.judging.metrics import Scores
from harness.tasks.prompts.prompt import ask
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.task import Task


@dataclass(frozen=True)
class Judged:
    """One document with its scores."""

    asked: Asked
    """As it was judged."""
    scores: Scores | Broken
    """Or why it can't be judged."""


def judged(task: Task, answered: Sequence[Evidence]) -> list[Judged]:
    """The scores of each document. answered: in order of their documents.

    In mode lm-eval a helper that keeps a generator may have prepared the documents again for every filter pipeline, and
    an answer is judged by its document as that pass has it.
    """
    if task.lm_eval is None or task.config.process_docs is None:
        return [Judged(one.asked, _judged(task, task.config, one.asked, one)) for one in answered]
    whole = [Judged(evidence.asked, Scores({})) for evidence in answered]
    for number, pipeline in enumerate(task.config.filter_list or (filter_check.DEFAULT,)):
        rows = task.judged_rows(number)
        config = task.config.model_copy(update={"filter_list": (pipeline,)})
        for place, evidence in enumerate(answered):
            before = whole[place].scores
            if isinstance(before, Broken):
                continue
            try:
                asked = _as_judged(task, evidence.asked, rows[evidence.asked.document])
            except MemoryError:
                raise
            except TASK_CODE as error:
                whole[place] = Judged(evidence.asked, _broken(evidence.asked, error))
                continue
            scores = _judged(task, config, asked, evidence)
            whole[place] = Judged(asked, scores if isinstance(scores, Broken) else _joined(before, scores))
    return whole


def _judged(task: Task, config: TaskConfig, asked: Asked, evidence: Evidence) -> Scores | Broken:
    try:
        with task.running(asked.document):
            return metrics.score(
                config,
                asked,
                evidence.answer,
                mode="right" if task.lm_eval is None else "lm-eval",
                function=task.function,
                allow_code_execution=task.allow_code_execution,
            )
    except MemoryError:
        raise
    except TASK_CODE as error:
        return _broken(asked, error)


def _broken(asked: Asked, error: BaseException) -> Broken:
    return Broken(asked.task, asked.document, logged(f"judging document {asked.document} of {asked.task}", error))


def _as_judged(task: Task, asked: Asked, row: Row) -> Asked:
    """The document with what is right in `row`, which is the same document as another pass prepared it."""
    if row == asked.row:
        return asked
    with task.running():
        other = ask(task.config, row, asked.document, [], PromptSettings(mode="lm-eval"), task.function)
    return replace(
        asked,
        row=row,
        choices=other.choices,
        gold=other.gold,
        target=other.target,
        shown_target=other.shown_target,
    )


def _joined(one: Scores, other: Scores) -> Scores:
    return Scores(
        one.items | other.items,
        one.extracted | other.extracted,
        one.predictions | other.predictions,
        one.programs | other.programs,
        other.wrong_by_space if one.wrong_by_space is None else one.wrong_by_space or other.wrong_by_space,
    )
