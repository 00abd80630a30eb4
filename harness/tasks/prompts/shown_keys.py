"""What a document shows of itself. Rows of a data set that show the same are one question, whatever their ids say."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.ask import Row
from harness.tasks.config import Function, LoadFunction, TaskConfig
from harness.tasks.prompts.document import Shown, shown, shown_without_answer
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.labels import FROM_0, Labels


def shown_keys(
    config: TaskConfig, row: Row, function: LoadFunction, labels: Labels = FROM_0, mode: Mode = "right"
) -> frozenset[Hashable]:
    """Keys of what a row shows as a question, and as a few-shot example; empty where it shows nothing.

    labels: what the labels of the task's data have in common. A row whose answer can't be read shows its question.
    Rows that share a key show the same: the same question with the same choices, in any order, or with the same
    answer. Texts are compared in NFC, any white space as one blank.
    """
    asked, example = Templates.asked(config, mode, labels), Templates.examples(config, mode, labels)
    templates = [asked] if example == asked else [asked, example]
    return frozenset(key for each in templates for key in _keys(each, row, function))


def _keys(templates: Templates, row: Row, function: LoadFunction) -> list[Hashable]:
    try:
        found = shown(templates, templates.own(row), "a row", function)
    except UserError:  # who is asked it, or shown it, is told
        found = shown_without_answer(templates, templates.own(row), "a row", function)
    question = _plain(f"{found.text} {found.gen_prefix}") if isinstance(found.text, str) else ""
    choices = None if found.choices is None else frozenset(map(_plain, found.choices))
    answer = _answer(found)
    keys: list[Hashable] = [("answered", question, answer)] if answer is not None and (question or not choices) else []
    if choices:
        keys.append(("choices", question, choices))
    elif question and _differs_by_row(templates, row):
        keys.append(("question", question))
    return keys


def _answer(found: Shown) -> str | None:
    """The text of the answer, of several right ones the first."""
    target = found.target[0] if isinstance(found.target, list) and found.target else found.target
    if isinstance(target, int) and found.choices is not None:
        return _plain(found.choices[target]) if 0 <= target < len(found.choices) else None
    return _plain(str(target)) if isinstance(target, str | int | float) else None


def _differs_by_row(templates: Templates, row: Row) -> bool:
    """Whether the question is made of the row, and not the same for all."""
    if isinstance(templates.text, Function) or (isinstance(templates.text, str) and templates.text in row):
        return True
    return "{" in f"{templates.text}{templates.gen_prefix}"


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
