"""The right answer of a document, as it is scored, shown and compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.config import TaskConfig
from harness.tasks.prompts.document import Shown
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.rendering import kind_of


def shown_answer(found: Shown, which: str, templates: Templates, mode: Mode) -> str | None:
    """The text of a few-shot example's answer, of several right ones the first; None where it shows none."""
    target = found.target
    if target == "" or (target is None and mode == "lm-eval"):
        return None
    first = target[0] if isinstance(target, list) and target else target
    if isinstance(first, int):
        return choice_at(found, first, which, templates, mode) if found.choices else str(first)
    if not isinstance(first, str | float):
        raise UserError(
            f"{which}: its answer is {kind_of(first)}, not text",
            place=f"{templates.file}:{templates.prefix}doc_to_target",
        )
    return str(first)


def choice_at(found: Shown, index: int, which: str, templates: Templates, mode: Mode) -> str:
    """The text of a choice. Raises UserError where there is no such one."""
    choices = found.choices or []
    if mode == "lm-eval" and -len(choices) <= index < 0:
        return choices[index]  # Python counts from the end: a label of -1 shows the last choice
    if not 0 <= index < len(choices):
        raise UserError(
            f"{which}: choice {index} is wanted and there are {len(choices)}",
            place=f"{templates.file}:{templates.prefix}doc_to_choice",
        )
    return choices[index]


def gold_of(target: Any, choices: Sequence[str]) -> int | tuple[int, ...] | None:
    """Index of the right choice, or indexes of all right ones; None where one of them is no choice. A choice with the
    text of a right one is right."""
    found = [_index(one, choices) for one in (target if isinstance(target, list) else [target])]
    known = [index for index in found if index is not None]
    if not known or len(known) < len(found):
        return None
    alike = [place for index in known for place, text in enumerate(choices) if text == choices[index]]
    right = tuple(dict.fromkeys([*known, *alike]))
    return right if isinstance(target, list) or len(right) > 1 else right[0]


def _index(target: Any, choices: Sequence[str]) -> int | None:
    if isinstance(target, str):
        return choices.index(target) if target in choices else None
    return target if isinstance(target, int) and 0 <= target < len(choices) else None


def gold_as_lm_eval(target: Any, choices: Sequence[str]) -> int | tuple[int, ...] | None:
    """Indexes are not looked at here; a text that is no choice is None, which scores 0 as an index out of range."""
    if isinstance(target, list):
        found = [one if isinstance(one, int) else _index(one, choices) for one in target]
        return tuple(len(choices) if index is None else index for index in found)
    return target if isinstance(target, int) else _index(target, choices)


def no_gold(target: Any, choices: Sequence[str], which: str, templates: Templates) -> UserError:
    """What is told where the right answer is none of the choices."""
    told = "nothing" if target is None or target == "" else f"{target!r:.60}"
    return UserError(
        f"{which}: the right answer is {told}, which is none of the {len(choices)} choices (0 to "
        f"{len(choices) - 1}, or one of their texts)",
        place=f"{templates.file}:doc_to_target",
    )


def as_text(target: Any, which: str, templates: Templates) -> str:
    """A value that must be one text. Raises UserError."""
    if not isinstance(target, str | int | float):
        raise UserError(
            f"{which}: it gives {kind_of(target)} where one text is wanted", place=f"{templates.file}:doc_to_target"
        )
    return str(target)


def generated_target(
    found: Shown, config: TaskConfig, mode: Mode, which: str, templates: Templates
) -> str | tuple[str, ...] | None:
    """What a written answer is compared with; None where the task file's own code judges without it."""
    target = found.target
    if found.choices is not None and isinstance(target, int):
        return choice_at(found, target, which, templates, mode)
    if isinstance(target, list) and mode == "right":
        if any(not isinstance(one, str | int) for one in target):
            listed = ", ".join(kind_of(one) for one in target)
            raise UserError(
                f"{which}: it gives a list with {listed}, not answers", place=f"{templates.file}:doc_to_target"
            )
        of_choices = found.choices is not None
        return tuple(
            choice_at(found, one, which, templates, mode) if of_choices and isinstance(one, int) else str(one)
            for one in target
        )
    if isinstance(target, list):
        return tuple(map(str, target))
    if isinstance(target, str | int | float) or mode == "lm-eval":
        return str(target)
    if config.process_results is not None:
        return None
    raise UserError(f"{which}: it gives {kind_of(target)}, not an answer", place=f"{templates.file}:doc_to_target")
