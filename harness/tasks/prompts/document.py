"""What a document says through its task's templates: question, right answer, choices, the beginning of an answer."""

from __future__ import annotations

import ast
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.tasks.ask import Row
from harness.tasks.config import LoadFunction
from harness.tasks.prompts import template
from harness.tasks.prompts.document_templates import KEYS, Templates
from harness.tasks.prompts.labels import index, named
from harness.tasks.prompts.rendering import as_written, kind_of, no_column, rendered


@dataclass(frozen=True)
class Shown:
    """One document as its templates show it."""

    text: str | int
    """The question; an index where the choices are whole questions (Winogrande): that of the right one."""
    target: Any
    """The answer: its text, its index among the choices (from 0), or a list of such; else what the task file's own code
    makes of it. Who uses it says what it must be."""
    choices: list[str] | None
    gen_prefix: str


def shown(templates: Templates, row: Row, which: str, function: LoadFunction) -> Shown:
    """Render a document. which: `document 37`, for errors. Raises UserError with file, key and document."""
    found = _read(templates, row, which, function)
    if templates.mode == "lm-eval" or found.choices is None:
        return found
    choices, known = found.choices, templates.labels

    def place(label: Any, key: str) -> Any:
        try:
            if isinstance(label, list):
                return [index(one, choices, known) for one in label]
            return index(label, choices, known)
        except UserError as error:
            if templates.judged_by_code:
                return label
            file = f"{templates.file}:{templates.prefix}{key}"
            raise UserError(f"{which}: {error.message}", place=file) from None

    if _is_whole_questions(found):
        return replace(found, text=place(found.text, "doc_to_text"))
    return replace(found, target=place(found.target, "doc_to_target"))


def shown_without_answer(templates: Templates, row: Row, which: str, function: LoadFunction) -> Shown:
    """What can be rendered of a document whose answer can't: an empty question, no choices where these fail too."""
    text: str | int = ""
    choices: list[str] | None = None
    prefix = ""
    with suppress(UserError):
        choices = None if templates.choices is None else _choices(templates, row, which, function)
    with suppress(UserError):
        text = _text(templates, row, which, function, choices is not None)
    with suppress(UserError):
        prefix = _gen_prefix(templates, row, which, function)
    return Shown(text, None, choices, prefix)


def label(templates: Templates, row: Row, which: str, function: LoadFunction) -> tuple[Any, list[str]] | None:
    """(what the document says is right, its choices); None where it has none, or its templates fail."""
    try:
        found = _read(templates, row, which, function)
    except UserError:
        return None  # told where the document is asked
    if found.choices is None:
        return None
    return found.text if _is_whole_questions(found) else found.target, found.choices


def _read(templates: Templates, row: Row, which: str, function: LoadFunction) -> Shown:
    """What the templates say, before labels become places among the choices."""
    choices = None if templates.choices is None else _choices(templates, row, which, function)
    text = _text(templates, row, which, function, choices is not None)
    target = _target(templates, row, which, function, choices)
    return Shown(text, target, choices, _gen_prefix(templates, row, which, function))


def _gen_prefix(templates: Templates, row: Row, which: str, function: LoadFunction) -> str:
    prefix = None if templates.gen_prefix is None else _value(templates, "gen_prefix", row, which, function)
    return "" if prefix is None else str(prefix)


def _is_whole_questions(found: Shown) -> bool:
    """Whether the choices are whole questions (Winogrande), the text says which is right, and the target what follows:
    the text is a number, or its digits beside a target that can be no label."""
    if isinstance(found.text, int):
        return True
    words = isinstance(found.target, str) and found.target and not found.target.isdecimal()
    return bool(found.text.isdecimal() and words and named(found.target, found.choices or ()) is None)


def _value(templates: Templates, name: str, row: Row, which: str, function: LoadFunction) -> Any:
    key = templates.prefix + KEYS.get(name, name)
    wanted = getattr(templates, name)
    if wanted is None:
        raise UserError(f"{which}: there is no `{key}`, which this task needs", place=f"{templates.file}:{key}")
    return rendered(key, wanted, row, templates.file, which, function, templates.mode)


def _is_literal(templates: Templates, name: str, row: Row) -> bool:
    """Whether the value was rendered, and may so be a number or a list that is written out."""
    wanted = getattr(templates, name)
    return isinstance(wanted, str) and wanted not in row


def _text(templates: Templates, row: Row, which: str, function: LoadFunction, has_choices: bool) -> str | int:
    place = f"{templates.file}:{templates.prefix}doc_to_text"
    found = _value(templates, "text", row, which, function)
    if not templates.constants and template.is_absent_column(templates.text, row):
        raise no_column(str(templates.text), row, which, place)
    if templates.mode == "right":
        if isinstance(found, int) and not isinstance(found, bool):
            return found if has_choices else str(found)
        if isinstance(found, list | tuple) and _is_literal(templates, "text", row):
            key = templates.prefix + KEYS["text"]
            found = rendered(key, str(templates.text), row, templates.file, which, function, as_text=True)
        found = as_written(found)
    elif isinstance(found, str) and has_choices and found.isdecimal() and _is_literal(templates, "text", row):
        return int(found)
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise UserError(f"{which}: it gives {kind_of(found)}, not text", place=place)
    return found


def _target(templates: Templates, row: Row, which: str, function: LoadFunction, choices: list[str] | None) -> Any:
    found = _value(templates, "target", row, which, function)
    if isinstance(found, str) and _is_literal(templates, "target", row):
        if templates.mode == "lm-eval" and choices is not None and found.isdecimal():
            return int(found)
        if templates.mode == "lm-eval" and len(found) >= 2 and found[0] == "[" and found[-1] == "]":
            try:
                return ast.literal_eval(found)
            except (SyntaxError, ValueError):
                return found
        absent = not templates.constants and template.is_absent_column(templates.target, row)
        if absent and found not in (choices or ()):
            raise no_column(found, row, which, f"{templates.file}:{templates.prefix}doc_to_target")
    if hasattr(found, "tolist"):
        found = found.tolist()
    if isinstance(found, tuple):
        found = list(found)
    if templates.mode == "right":
        if choices is not None:
            return found  # a label
        return list(map(as_written, found)) if isinstance(found, list) else as_written(found)
    if isinstance(found, bool) and choices is not None:
        return int(found)
    return str(found) if isinstance(found, float | bool) else found


def _choices(templates: Templates, row: Row, which: str, function: LoadFunction) -> list[str]:
    found = _value(templates, "choices", row, which, function)
    place = f"{templates.file}:{templates.prefix}doc_to_choice"
    if isinstance(found, str) and _is_literal(templates, "choices", row):  # a list that the template spells out
        if template.is_absent_column(found, row):
            raise no_column(found, row, which, place)
        try:
            found = ast.literal_eval(found)
        except (SyntaxError, ValueError):
            raise UserError(f"{which}: {found[:80]!r} is no list of choices", place=place) from None
    if isinstance(found, dict):
        found = list(found.values())
    if hasattr(found, "tolist"):
        found = found.tolist()
    if not isinstance(found, list | tuple) or not found:
        raise UserError(f"{which}: it gives no choices (it is {found!r:.80})", place=place)
    for number, choice in enumerate(found):
        if not isinstance(choice, str):
            fix = "; write it in quotes, or in a template {{COLUMN|string}}" if isinstance(choice, int | float) else ""
            raise UserError(
                f"{which}: choice {number} is {kind_of(choice)} ({choice!r:.40}), not text{fix}", place=place
            )
    return list(found)
