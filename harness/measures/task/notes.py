"""What a reader of a task's numbers must know that no number says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from harness.measures.measure import Sample
from harness.models.chat import CLOCK, names
from harness.models.contract import tokenizer_of
from harness.tasks.ask import Asked, Broken, Generation

if TYPE_CHECKING:
    from harness.measures.task.settings import TaskSettings
    from harness.models.contract import LanguageModel


def task_notes(
    model: LanguageModel, settings: TaskSettings, asked: Sequence[Asked | Broken], rows: Sequence[Sample]
) -> Iterator[str]:
    """A sentence for each. rows: the samples of the cell."""
    if any(isinstance(request, Generation) for one in asked if isinstance(one, Asked) for request in one.requests):
        yield from (f"the model {model.identity.name}: {note}" for note in model.identity.cache.notes)
    if settings.chat and names(model, CLOCK):
        yield f"the chat template was given the date {settings.date} (setting `date`)"
    for name in json.loads(settings.chat_template_args or "{}"):
        if settings.chat and not names(model, name):
            yield f"the chat template of {model.identity.name} knows no `{name}` (setting `chat_template_args`)"
    whole = [one for one in asked if isinstance(one, Asked)]
    for task in dict.fromkeys(one.task for one in whole):
        yield from _of_task(task, [one for one in whole if one.task == task], model)
    if spaced := sum(sample.get("wrong_by_space") is True for sample in rows):
        yield (
            f"{spaced} of {len(rows)} documents are wrong only by white space around the answer or the target; "
            "mode right strips it"
        )


def _of_task(task: str, asked: Sequence[Asked], model: LanguageModel) -> Iterator[str]:
    empty = [one.document for one in asked if one.empty_question]
    if 0 < len(empty) < len(asked):
        yield f"{task}: the question is empty in {_documents(empty)}"
    special = _special(model)
    spelled = {one.document: found for one in asked if (found := [text for text in special if _holds(one.row, text)])}
    if spelled:
        named = ", ".join(dict.fromkeys(text for found in spelled.values() for text in found))
        yield (
            f"{task}: special tokens of this model ({named}) are spelled in the data of {_documents(list(spelled))}; "
            "it reads them as those tokens"
        )


def _documents(numbers: list[int]) -> str:
    """`document 3`, `4 documents (1, 5, 7, …)`."""
    first = ", ".join(map(str, numbers[:3]))
    return (
        f"document {first}" if len(numbers) == 1 else f"{len(numbers)} documents ({first}{', …' * (len(numbers) > 3)})"
    )


def _special(model: LanguageModel) -> list[str]:
    """Texts of the tokens that stand for no text, where the tokenizer reads them as those tokens."""
    tokenizer = tokenizer_of(model)
    if tokenizer is None:
        return []
    silent = (text for text, token in tokenizer.added.items() if text and tokenizer.token_bytes([token]) == [0])
    return [text for text in silent if tokenizer.added[text] in tokenizer.encode(text)]


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return text in value
    if isinstance(value, dict):
        return any(_holds(each, text) for each in value.values())
    return isinstance(value, list | tuple) and any(_holds(each, text) for each in value)
