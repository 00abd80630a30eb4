"""Tasks are asked and judged: one row per document, with all that is needed to sum them up without the task files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.errors import Unsupported, UserError, logged
from harness.measures.measure import Load, Sample, with_notes
from harness.measures.task.settings import TaskSettings
from harness.models.contract import tokenizer_of
from harness.tasks.ask import Asked, Broken
from harness.tasks.config import Mode

if TYPE_CHECKING:
    from harness.measures.task.answers import Evidence
    from harness.measures.task.judging import Judged
    from harness.models.contract import LanguageModel
    from harness.tasks.task import Task


def collect(load: Load, settings: TaskSettings) -> list[Sample]:
    """One row per document of every task. What goes wrong with one document or one task costs the others nothing."""
    from harness.measures.task.answers import answers
    from harness.measures.task.documents import TASK_CODE, documents, prepared
    from harness.measures.task.judging import judged
    from harness.measures.task.lost_text import LostText, lost_text_notes
    from harness.measures.task.notes import task_notes
    from harness.measures.task.samples import broken_row
    from harness.measures.task.told import told

    opened = load.library.open(settings.task)
    tasks = {task.name: task for task in prepared(opened, settings)}
    for task in tasks.values():
        task.start_ahead()
    model = load()
    asked: list[Asked | Broken] = []
    failed: dict[str, str] = {}
    notes: list[str] = []
    for task in tasks.values():
        if lacking := task.missing or task.missing_data:
            failed[task.name] = str(lacking)
            continue
        try:
            asked += documents(task, model, settings, notes)
        except (Unsupported, MemoryError):
            raise
        except TASK_CODE as error:
            failed[task.name] = logged(f"making the prompts of {task.name}", error)
    rows = [broken_row(one) for one in asked if isinstance(one, Broken)]
    context = visible(model, settings)
    tags = () if settings.thinking == "off" or settings.mode == "lm-eval" else model.identity.thinking
    whole = [one for one in asked if isinstance(one, Asked)]
    answered: dict[str, list[Evidence]] = {name: [] for name in tasks}
    for evidence in answers(load, model, whole, settings.mode, context, settings.sample_seed, tags):
        if isinstance(evidence, Broken):
            file = str(tasks[evidence.task].config.file)
            wrong = UserError(f"document {evidence.document}: {evidence.reason}", place=file)
            rows.append(broken_row(replace(evidence, reason=str(wrong))))
        else:
            answered[evidence.asked.task].append(evidence)
    lost = LostText(tokenizer_of(model))
    for name, task in tasks.items():
        in_order = sorted(answered[name], key=lambda evidence: evidence.asked.document)
        for evidence, found in zip(in_order, judged(task, in_order), strict=True):
            if isinstance(found.scores, Broken):
                rows.append(broken_row(found.scores))
            else:
                rows.append(_row(task, evidence, found) | lost.columns(evidence.asked))
    if not any(sample["broken"] is None for sample in rows):
        reasons = [*failed.values(), *(sample["broken"] for sample in rows)]
        raise UserError(reasons[0] if reasons else "there is no document to ask", place=f"task {settings.task}")
    places = {name: place for place, name in enumerate(tasks)}
    rows.sort(key=lambda sample: (places[sample["task"]], sample["document"]))
    for name, task in tasks.items():
        mine = [sample for sample in rows if sample["task"] == name]
        spec = strict_json.dumps(summed_up_by(task, mine, settings.mode))
        for sample in mine:
            sample["spec"] = spec
    rows[0]["groups"] = strict_json.dumps([group.model_dump(mode="json") for group in opened.groups])
    rows[0]["tasks"] = strict_json.dumps(
        {name: told(task, settings, len(task.evaluation_rows())) for name, task in tasks.items() if name not in failed}
    )
    rows[0]["context"] = context
    rows[0]["whole_documents"] = all(_is_whole(sample) for sample in rows)
    rows[0]["failed"] = strict_json.dumps(failed)
    rows[0]["pieces"] = strict_json.dumps(pieces(model, rows))
    return with_notes(rows, [*notes, *task_notes(model, settings, asked, rows), *lost_text_notes(rows)])


def _is_whole(sample: Sample) -> bool:
    """Whether the model saw a document at once: no beginning was cut off, and no text was read in windows."""
    is_rolling = "prompts" in sample and not sample["choices"] and "finish" not in sample
    return max(sample.get("cut", ()), default=0) == 0 and not (is_rolling and len(sample["log_probs"]) > 1)


def _row(task: Task, evidence: Evidence, found: Judged) -> Sample:
    from harness.measures.task.samples import broken_row, document, row
    from harness.tasks.judging.choice_scores import chance

    assert not isinstance(found.scores, Broken)
    try:
        guess = task.config.chance if task.config.chance is not None else chance(evidence.asked)
        return row(evidence, found.scores, guess) | document(found.asked)
    except MemoryError:
        raise
    except Exception as error:  # scores that can't be stored
        number = evidence.asked.document
        return broken_row(Broken(task.name, number, logged(f"storing document {number} of {task.name}", error)))


def summed_up_by(task: Task, rows: Sequence[Sample], mode: Mode) -> dict[str, Any]:
    """How the rows of a task become its numbers, as plain data; what functions of its file sum up is summed up here."""
    from harness.measures.task.documents import TASK_CODE
    from harness.tasks.aggregation.resample import by_functions
    from harness.tasks.judging.specification import specification

    spec = specification(task.config, mode=mode)
    judged = [sample for sample in rows if sample["broken"] is None]
    items = [strict_json.loads(sample["items"]) for sample in judged]
    try:
        with task.running():
            given = by_functions(task.config, items, [sample["cluster"] for sample in judged], spec, task.function)
    except MemoryError:
        raise
    except TASK_CODE as error:  # the metrics that need no function of the file are given all the same
        return spec | {"given": {}, "wrong": logged(f"summing up {task.name}", error)}
    return spec | {"given": given}


def pieces(model: LanguageModel, rows: Sequence[Sample]) -> dict[int, str]:
    """The text of every token id that stands in the rows: a stored run can be read without its tokenizer."""
    lists = [ids for sample in rows for name in ("prompt_ids", "continuation_ids") for ids in sample.get(name, ())]
    return {token: model.tokenizer.decode([token]) for token in sorted(set().union(*lists))}


def visible(model: LanguageModel, settings: TaskSettings) -> int:
    """Tokens that the model may see at once. Raises Unsupported for more than it can."""
    context = model.identity.context
    if settings.context is not None and settings.context > context:
        raise Unsupported(f"a context of {settings.context} tokens is more than this model's {context}")
    return settings.context or context
