"""What a document says through its task's templates: question, right answer, choices, the beginning of an answer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.tasks import template
from harness.tasks.ask import Row
from harness.tasks.config import Function, TaskConfig, Template

LoadFunction = Callable[[Function, str], Callable[..., Any]]
"""(function, key that names it) -> the function, loaded."""


@dataclass(frozen=True)
class Templates:
    """How documents of a task are shown: those that are asked, or those that are worked examples."""

    file: str
    prefix: str
    """What stands before a key in the file: `fewshot_config.` for worked examples, else nothing."""
    text: Template | None
    target: Template | None
    choices: Template | None
    gen_prefix: str | None
    target_delimiter: str
    fewshot_delimiter: str

    @classmethod
    def asked(cls, config: TaskConfig) -> Templates:
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
        )

    @classmethod
    def examples(cls, config: TaskConfig) -> Templates:
        """Of worked examples: what `fewshot_config` says, else as the documents that are asked."""
        own, shots = cls.asked(config), config.fewshot_config
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
    target: str | int | list[Any]
    choices: list[str] | None
    gen_prefix: str


def shown(templates: Templates, row: Row, which: str, function: LoadFunction) -> Shown:
    """Render a document. which: `document 37`, for errors. Raises UserError with file, key and document."""
    choices = None if templates.choices is None else _choices(templates, row, which, function)
    text = _text(templates, row, which, function, choices is not None)
    target = _target(templates, row, which, function, choices is not None)
    prefix = "" if templates.gen_prefix is None else str(_value(templates, "gen_prefix", row, which, function) or "")
    return Shown(text, target, choices, prefix)


def rendered(key: str, wanted: Template, row: Row, file: str, which: str, function: LoadFunction) -> Any:
    """What a template or a function makes of a document. Raises UserError with file, key and document."""
    try:
        if isinstance(wanted, Function):
            return function(wanted, key)(row)
        return template.value(wanted, row) if isinstance(wanted, str) else wanted
    except UserError:
        raise
    except Exception as error:
        columns = ", ".join(map(str, row))
        missing = f"; its columns are {columns}" if isinstance(error, KeyError) or "undefined" in str(error) else ""
        raise UserError(
            f"{which}: the template failed with {type(error).__name__}: {error}{missing}", place=f"{file}:{key}"
        ) from None


_KEYS: Mapping[str, str] = {"text": "doc_to_text", "target": "doc_to_target", "choices": "doc_to_choice"}


def _value(templates: Templates, name: str, row: Row, which: str, function: LoadFunction) -> Any:
    key = templates.prefix + _KEYS.get(name, name)
    wanted = getattr(templates, name)
    if wanted is None:
        raise UserError(f"{which}: there is no `{key}`, which this task needs", place=f"{templates.file}:{key}")
    return rendered(key, wanted, row, templates.file, which, function)


def _is_literal(templates: Templates, name: str, row: Row) -> bool:
    """Whether the value was rendered, and may so be a number or a list that is written out."""
    wanted = getattr(templates, name)
    return isinstance(wanted, str) and wanted not in row


def _text(templates: Templates, row: Row, which: str, function: LoadFunction, has_choices: bool) -> str | int:
    found = _value(templates, "text", row, which, function)
    if isinstance(found, str) and has_choices and found.isdigit() and _is_literal(templates, "text", row):
        return int(found)
    if not isinstance(found, str | int) or isinstance(found, bool):
        key = f"{templates.prefix}doc_to_text"
        raise UserError(f"{which}: it gives {type(found).__name__}, not text", place=f"{templates.file}:{key}")
    return found


def _target(
    templates: Templates, row: Row, which: str, function: LoadFunction, has_choices: bool
) -> str | int | list[Any]:
    found = _value(templates, "target", row, which, function)
    if isinstance(found, str) and _is_literal(templates, "target", row):
        if found.isdigit() and has_choices:
            return int(found)
        if len(found) >= 2 and found[0] == "[" and found[-1] == "]":
            try:
                found = ast.literal_eval(found)
            except (SyntaxError, ValueError):
                return found
    if isinstance(found, bool):
        return int(found)
    if hasattr(found, "tolist"):
        found = found.tolist()
    if found is None or not isinstance(found, str | int | float | list | tuple):
        key = f"{templates.prefix}doc_to_target"
        raise UserError(
            f"{which}: it gives {'nothing' if found is None else type(found).__name__}, not an answer",
            place=f"{templates.file}:{key}",
        )
    if isinstance(found, float):
        return str(found)
    answer: str | int | list[Any] = list(found) if isinstance(found, tuple) else found
    return answer


def _choices(templates: Templates, row: Row, which: str, function: LoadFunction) -> list[str]:
    found = _value(templates, "choices", row, which, function)
    place = f"{templates.file}:{templates.prefix}doc_to_choice"
    if isinstance(found, str) and _is_literal(templates, "choices", row):
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
    wrong = next((choice for choice in found if not isinstance(choice, str)), None)
    if wrong is not None:
        raise UserError(f"{which}: a choice is {type(wrong).__name__} ({wrong!r:.40}), not text", place=place)
    return list(found)
