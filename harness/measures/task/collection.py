"""Tasks are asked and judged: one row per document, with all that is needed to sum them up without the task files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import Unsupported, UserError, logged
from harness.measures.measure import Load, Sample, with_notes
from harness.measures.task.samples.cell import CellFacts, Group
from harness.measures.task.samples.columns import ITEMS, SPEC
from harness.measures.task.samples.document import Document
from harness.measures.task.samples.rows import in_first_row, write
from harness.measures.task.settings import TaskSettings
from harness.mode import Mode
from harness.models.contract import tokenizer_of
from harness.tasks.ask import Asked, Broken

if TYPE_CHECKING:
    from harness.measures.task.evidence import Evidence
    from harness.measures.task.lost_text import LostText
    from harness.models.contract import LanguageModel
    from harness.tasks.judging.metrics import Scores
    from harness.tasks.task import Task


def collect(load: Load, settings: TaskSettings) -> list[Sample]:
    """One row per document of every task. What goes wrong with one document or one task costs the others nothing."""
    from harness.measures.task.answers import answers
    from harness.measures.task.documents import TASK_CODE, documents, prepared
    from harness.measures.task.judging import judged
    from harness.measures.task.lost_text import LostText, lost_text_notes
    from harness.measures.task.notes import task_notes
    from harness.measures.task.samples.of_evidence import broken_document
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
    rows = [_Row.of(broken_document(one)) for one in asked if isinstance(one, Broken)]
    context = visible(model, settings)
    tags = () if settings.thinking == "off" or settings.mode == "lm-eval" else model.identity.thinking
    whole = [one for one in asked if isinstance(one, Asked)]
    answered: dict[str, list[Evidence]] = {name: [] for name in tasks}
    for evidence in answers(load, model, whole, settings.mode, context, settings.sample_seed, tags):
        if isinstance(evidence, Broken):
            file = str(tasks[evidence.task].config.file)
            wrong = UserError(f"document {evidence.document}: {evidence.reason}", place=file)
            rows.append(_Row.of(broken_document(replace(evidence, reason=str(wrong)))))
        else:
            answered[evidence.asked.task].append(evidence)
    lost = LostText(tokenizer_of(model))
    for name, task in tasks.items():
        in_order = sorted(answered[name], key=lambda evidence: evidence.asked.document)
        for evidence, found in zip(in_order, judged(task, in_order), strict=True):
            if isinstance(found.scores, Broken):
                rows.append(_Row.of(broken_document(found.scores)))
            else:
                rows.append(_row(task, evidence, found.asked, found.scores, lost))
    if not any(row.document.broken is None for row in rows):
        reasons = [*failed.values(), *(row.document.broken for row in rows if row.document.broken is not None)]
        raise UserError(reasons[0] if reasons else "there is no document to ask", place=f"task {settings.task}")
    places = {name: place for place, name in enumerate(tasks)}
    rows.sort(key=lambda row: (places[row.document.task], row.document.number))
    for name, task in tasks.items():
        mine = [row for row in rows if row.document.task == name]
        spec = SPEC.cell(summed_up_by(task, mine, settings.mode))
        for row in mine:
            row.sample.update(spec)
    judged_documents = [row.document for row in rows]
    facts = CellFacts(
        groups=tuple(Group.declared(group) for group in opened.groups),
        tasks={
            name: told(task, settings, len(task.evaluation_rows()))
            for name, task in tasks.items()
            if name not in failed
        },
        context=context,
        whole_documents=all(document.is_whole for document in judged_documents),
        failed=failed,
        pieces=pieces(model, judged_documents),
    )
    rows[0].sample.update(in_first_row(facts))
    found_notes = [*notes, *task_notes(model, settings, asked, judged_documents), *lost_text_notes(judged_documents)]
    return with_notes([row.sample for row in rows], found_notes)


@dataclass(frozen=True)
class _Row:
    """A document with its row of samples."""

    document: Document
    sample: Sample

    @classmethod
    def of(cls, document: Document) -> _Row:
        """Raises where something in the document can't be stored."""
        return cls(document, write(document))


def _row(task: Task, evidence: Evidence, asked: Asked, scores: Scores, lost: LostText) -> _Row:
    """A document that was judged. asked: as it was judged."""
    from harness.measures.task.samples.of_evidence import broken_document, document_of
    from harness.tasks.judging.choice_scores import chance

    trip = lost.of(evidence.asked)
    try:
        guess = task.config.chance if task.config.chance is not None else chance(evidence.asked)
        return _Row.of(replace(document_of(evidence, scores, guess, asked), lost=trip))
    except MemoryError:
        raise
    except Exception as error:  # scores that can't be stored
        number = evidence.asked.document
        broken = Broken(task.name, number, logged(f"storing document {number} of {task.name}", error))
        return _Row.of(replace(broken_document(broken), lost=trip))


def summed_up_by(task: Task, rows: Sequence[_Row], mode: Mode) -> dict[str, Any]:
    """How the rows of a task become its numbers, as plain data; what functions of its file sum up is summed up here."""
    from harness.measures.task.documents import TASK_CODE
    from harness.tasks.aggregation.resample import by_functions
    from harness.tasks.judging.specification import specification

    spec = specification(task.config, mode=mode)
    judged = [row for row in rows if row.document.broken is None]
    items = [ITEMS.of(row.sample) for row in judged]  # as they come back from JSON
    try:
        with task.running():
            given = by_functions(task.config, items, [row.document.cluster for row in judged], spec, task.function)
    except MemoryError:
        raise
    except TASK_CODE as error:  # the metrics that need no function of the file are given all the same
        return spec | {"given": {}, "wrong": logged(f"summing up {task.name}", error)}
    return spec | {"given": given}


def pieces(model: LanguageModel, documents: Sequence[Document]) -> dict[int, str]:
    """The text of every token id that stands in the rows: a stored run can be read without its tokenizer."""
    requests = [request for document in documents for request in document.requests]
    known = set().union(*(ids for request in requests for ids in (request.prompt, request.continuation)))
    return {token: model.tokenizer.decode([token]) for token in sorted(known)}


def visible(model: LanguageModel, settings: TaskSettings) -> int:
    """Tokens that the model may see at once. Raises Unsupported for more than it can."""
    context = model.identity.context
    if settings.context is not None and settings.context > context:
        raise Unsupported(f"a context of {settings.context} tokens is more than this model's {context}")
    return settings.context or context
