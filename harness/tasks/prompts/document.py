"""What a document says through its task's templates: question, right answer, choices, the beginning of an answer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from harness.errors import UserError
from harness.spelling import nearest
from harness.tasks.ask import Row
from harness.tasks.config import Function, Mode, TaskConfig, Template
from harness.tasks.prompts import template
from harness.tasks.prompts.labels import FROM_0, Labels, index, named
from harness.tasks.prompts.null import NullWritten

LoadFunction = Callable[[Function, str], Callable[..., Any]]
"""(function, key that names it) -> the function, loaded."""


@dataclass(frozen=True)
class Templates:
    """How documents of a task are shown: those that are asked, or those that are few-shot examples."""

    file: str
    prefix: str
    """What stands before a key in the file: `fewshot_config.` for few-shot examples, else nothing."""
    text: Template | None
    target: Template | None
    choices: Template | None
    gen_prefix: str | None
    target_delimiter: str
    fewshot_delimiter: str
    constants: bool
    """Whether a single word that is no column may be the text itself: in lm-eval, where so a misspelt column is asked
    of every document as it is; and where code of the task's own judges, which may not look at the target at all."""
    mode: Mode = "right"
    judged_by_code: bool = False
    """Whether code of the task's own judges: then it doesn't matter here which choice is right."""
    labels: Labels = FROM_0
    """What the labels of all documents have in common (`labels.common`)."""

    @property
    def runs_code(self) -> bool:
        """Whether a function of the task's own gets the document."""
        return any(isinstance(one, Function) for one in (self.text, self.target, self.choices))

    @property
    def functions(self) -> list[tuple[str, Function]]:
        """The functions that get the document, in the order in which they are asked, each with its key."""
        named = ((name, getattr(self, name)) for name in ("choices", "text", "target"))
        return [(self.prefix + _KEYS[name], one) for name, one in named if isinstance(one, Function)]

    def own(self, row: Row) -> Row:
        """The row as these templates may have it: a copy where a function gets it, which may change it."""
        return deepcopy(row) if self.runs_code else row

    @classmethod
    def asked(cls, config: TaskConfig, mode: Mode = "right", labels: Labels = FROM_0) -> Templates:
        """Of the documents that are asked."""
        return cls(
            str(config.file),
            "",
            config.doc_to_text,
            config.doc_to_target,
            config.doc_to_choice,
            config.gen_prefix,
            config.target_delimiter,
            config.fewshot_delimiter,
            mode == "lm-eval" or config.process_results is not None,
            mode,
            config.process_results is not None,
            labels,
        )

    @classmethod
    def examples(cls, config: TaskConfig, mode: Mode = "right", labels: Labels = FROM_0) -> Templates:
        """Of few-shot examples: what `fewshot_config` says, else as the documents that are asked."""
        own, shots = cls.asked(config, mode, labels), config.fewshot_config
        if shots is None:
            return own
        changed = {
            "text": shots.doc_to_text,
            "target": shots.doc_to_target,
            "choices": shots.doc_to_choice,
            "gen_prefix": shots.gen_prefix,
            "target_delimiter": shots.target_delimiter,
            "fewshot_delimiter": shots.fewshot_delimiter,
        }
        given: dict[str, Any] = {name: value for name, value in changed.items() if value is not None}
        return replace(own, prefix="fewshot_config." if given else "", **given)


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


def rendered(
    key: str,
    wanted: Template,
    row: Row,
    file: str,
    which: str,
    function: LoadFunction,
    mode: Mode = "right",
    as_text: bool = False,
) -> Any:
    """What a template or a function makes of a document; a template `as_text` also where its value is another one.

    Raises UserError with file, key and document.
    """
    try:
        if isinstance(wanted, Function):
            return function(wanted, key)(row)
        if not isinstance(wanted, str):
            return wanted
        if mode == "lm-eval":
            return template.value_as_lm_eval(wanted, row)
        return template.text(wanted, row) if as_text else template.value(wanted, row)
    except UserError:
        raise
    except NullWritten as error:
        raise UserError(f"{which}: the template {error}", place=f"{file}:{key}") from None
    except Exception as error:  # whatever expressions and code of others raise
        what = f"the function `{wanted.name}`" if isinstance(wanted, Function) else "the template"
        missing = isinstance(error, KeyError) or "undefined" in str(error)
        columns = f"; its columns are {', '.join(map(str, row))}" if missing else ""
        why = str(error) or ("it takes more memory than there is" if isinstance(error, MemoryError) else "")
        failed = f"{type(error).__name__}: {why}" if why else type(error).__name__
        raise UserError(f"{which}: {what} failed with {failed}{columns}", place=f"{file}:{key}") from None


def column_or_template(key: str, wanted: str, row: Row, file: str, which: str, function: LoadFunction) -> Any:
    """As `rendered`, but a single word must be a column: as a text it would be the same for all documents. Raises
    UserError with file, key and document."""
    if template.is_absent_column(wanted, row):
        raise _no_column(wanted, row, which, f"{file}:{key}")
    return rendered(key, wanted, row, file, which, function)


def _no_column(word: str, row: Row, which: str, place: str) -> UserError:
    return UserError(
        f"{which} has no column `{word}`{nearest(word, map(str, row))} (its columns are {', '.join(map(str, row))}; "
        f"a fixed text is written {{{{'{word}'}}}})",
        place=place,
    )


_KEYS: Mapping[str, str] = {"text": "doc_to_text", "target": "doc_to_target", "choices": "doc_to_choice"}


def _value(templates: Templates, name: str, row: Row, which: str, function: LoadFunction) -> Any:
    key = templates.prefix + _KEYS.get(name, name)
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
        raise _no_column(str(templates.text), row, which, place)
    if templates.mode == "right":
        if isinstance(found, int) and not isinstance(found, bool):
            return found if has_choices else str(found)
        if isinstance(found, list | tuple) and _is_literal(templates, "text", row):
            key = templates.prefix + _KEYS["text"]
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
            raise _no_column(found, row, which, f"{templates.file}:{templates.prefix}doc_to_target")
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


def as_written(value: Any) -> Any:
    """The text of a value that has one: true is True, 2.50 as a decimal 2.50; whole numbers, and what has none (null,
    lists, bytes) as they are."""
    if isinstance(value, bool | Decimal | date | time | timedelta | UUID):
        return str(value)
    return str(value) if isinstance(value, float) and value == value else value


def kind_of(value: Any) -> str:
    """What a value is, for a sentence."""
    return "nothing" if value is None else type(value).__name__


def _choices(templates: Templates, row: Row, which: str, function: LoadFunction) -> list[str]:
    found = _value(templates, "choices", row, which, function)
    place = f"{templates.file}:{templates.prefix}doc_to_choice"
    if isinstance(found, str) and _is_literal(templates, "choices", row):  # a list that the template spells out
        if template.is_absent_column(found, row):
            raise _no_column(found, row, which, place)
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
