"""Prompts: a document with its few-shot examples becomes what a model is asked. lm-evaluation-harness' conventions.

A prompt is a sequence of messages (description, then question and answer of each example, then the question). Without
a chat template they are one text, joined by the delimiters of the task file; with one they are turns of a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, Rolling, Row
from harness.tasks.code.judging import done
from harness.tasks.config import Function, Mode, TaskConfig
from harness.tasks.prompts.chat import ApplyChat, Message, delimited, prompt, question, worked
from harness.tasks.prompts.document import (
    LoadFunction,
    Shown,
    Templates,
    as_written,
    column_or_template,
    kind_of,
    rendered,
    shown,
)
from harness.tasks.prompts.generation_kwargs import generation, put_over
from harness.tasks.prompts.labels import FROM_0, Labels


@dataclass(frozen=True)
class PromptSettings:
    """What a suite says about prompts."""

    mode: Mode = "right"
    chat: ApplyChat | None = None
    multi_turn: bool = True
    """With `chat`: whether few-shot examples are turns of their own."""
    system: str | None = None
    unconditional: bool = False
    """Whether each choice is also asked without its context."""
    likelihood: bool = False
    """Whether the right answer is also scored where an answer is written."""
    labels: Labels = FROM_0
    """What the labels of the task's data have in common (`labels.common`)."""


def ask(
    config: TaskConfig,
    row: Row,
    document: int,
    shots: Sequence[tuple[int, Row]],
    settings: PromptSettings,
    function: LoadFunction,
) -> Asked:
    """What is asked about one document.

    document: its place, for errors and samples. shots: places and rows of its examples. function: loads what the
    task file names with `!function`. Raises UserError with file, key and document.
    """
    which = f"document {document}"
    templates = Templates.asked(config, settings.mode, settings.labels)
    row = templates.own(row)
    cluster = None
    if config.cluster is not None:
        shared = column_or_template("cluster", config.cluster, row, templates.file, which, function)
        cluster = None if shared is None else str(shared)  # a document without a passage shares none
    asked = Asked(config.task, document, row, (), cluster=cluster, shots=tuple(place for place, _ in shots))
    if config.output_type == "loglikelihood_rolling":
        wanted = config.doc_to_target or ""
        target = rendered("doc_to_target", wanted, row, templates.file, which, function, settings.mode)
        text = _as_text(as_written(target), which, templates)
        return replace(asked, requests=(Rolling(text),), shown_target=text)
    found = shown(templates, row, which, function)
    asked = replace(
        asked, shown_target=found.target, empty_question=isinstance(found.text, str) and not found.text.strip()
    )
    before = _examples(config, row, shots, settings, which, function)
    if config.construct_requests is not None:
        context = _context(before, str(found.text), found, templates.target_delimiter, settings)
        return _constructed(replace(asked, target=str(found.target)), config, context, settings, function)
    match config.output_type:
        case "loglikelihood":
            context = _context(before, str(found.text), found, templates.target_delimiter, settings)
            continuation = _as_text(found.target, which, templates)
            if not continuation and settings.mode == "right":
                raise UserError(f"{which}: it gives no text to be scored", place=f"{templates.file}:doc_to_target")
            return replace(asked, requests=(Choice(context, continuation),))
        case "generate_until":
            context = _context(before, str(found.text), found, templates.target_delimiter, settings)
            target = _generated_target(found, config, settings.mode, which, templates)
            asked = replace(asked, requests=(generation(config, context, settings.mode),), target=target)
            if settings.likelihood:
                asked = replace(asked, right=Choice(context, _written(found, target, templates, settings, which)))
            return asked
        case _:
            return _multiple_choice(asked, config, before, found, templates, settings, which)


def _constructed(
    asked: Asked, config: TaskConfig, context: str, settings: PromptSettings, function: LoadFunction
) -> Asked:
    """The requests that a Python class makes of a document. Raises UserError where they are none that can be asked."""
    assert config.construct_requests is not None
    which, place = f"document {asked.document}", str(config.construct_requests.file)
    make = function(config.construct_requests, "construct_requests")
    told: dict[str, Any] = {
        "metadata": (asked.task, asked.document, config.repeats),
        "apply_chat_template": settings.chat is not None,
    }
    told["chat_template"] = None
    try:
        listed, how = done(make, "requests", asked.row, context, told, place, which)
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{which}: `{config.construct_requests.name}` failed with {reason}", place=place) from error
    choices = tuple(Choice(str(one[0]), str(one[1])) for kind, one in listed if kind == "loglikelihood")
    if listed[0][0] == "loglikelihood_rolling":
        return replace(asked, requests=(Rolling(str(listed[0][1][0])),))
    if listed[0][0] == "loglikelihood":
        return replace(asked, requests=choices)
    written = config.model_copy(update={"generation_kwargs": put_over(how, config.generation_kwargs or {})})
    request = generation(written, str(listed[0][1][0]), settings.mode)
    return replace(asked, requests=(request,), right=choices[0] if choices else None)


def _examples(
    config: TaskConfig,
    row: Row,
    shots: Sequence[tuple[int, Row]],
    settings: PromptSettings,
    which: str,
    function: LoadFunction,
) -> list[Message]:
    """The description and the few-shot examples."""
    file = str(config.file)
    described: Any = config.description
    if isinstance(described, Function) or described:
        described = rendered("description", described, row, file, which, function, settings.mode)
    system = delimited(settings.system or "", str(described or ""), config.fewshot_delimiter)
    messages = [Message("system", system)] if system else []
    templates = Templates.examples(config, settings.mode, settings.labels)
    for place, example in shots:
        one = f"{which}, few-shot example {place}"
        found = shown(templates, templates.own(example), one, function)
        text = found.text
        if isinstance(text, int):  # the choices are whole questions: the right one is shown
            text = _choice(found, text, one, templates, settings.mode)
            found = replace(found, choices=None)
        answer = _answer(found, one, templates, settings.mode)
        messages += worked(text, answer, found.gen_prefix, templates.target_delimiter, templates.fewshot_delimiter)
    return messages


def _answer(found: Shown, which: str, templates: Templates, mode: Mode) -> str | None:
    """The text of a few-shot example's answer, of several right ones the first; None where it shows none."""
    target = found.target
    if target == "" or (target is None and mode == "lm-eval"):
        return None
    first = target[0] if isinstance(target, list) and target else target
    if isinstance(first, int):
        return _choice(found, first, which, templates, mode) if found.choices else str(first)
    if not isinstance(first, str | float):
        raise UserError(
            f"{which}: its answer is {kind_of(first)}, not text",
            place=f"{templates.file}:{templates.prefix}doc_to_target",
        )
    return str(first)


def _choice(found: Shown, index: int, which: str, templates: Templates, mode: Mode) -> str:
    choices = found.choices or []
    if mode == "lm-eval" and -len(choices) <= index < 0:
        return choices[index]  # Python counts from the end: a label of -1 shows the last choice
    if not 0 <= index < len(choices):
        raise UserError(
            f"{which}: choice {index} is wanted and there are {len(choices)}",
            place=f"{templates.file}:{templates.prefix}doc_to_choice",
        )
    return choices[index]


def _context(
    before: Sequence[Message], text: str, found: Shown, target_delimiter: str, settings: PromptSettings
) -> str:
    turns = [*before, *question(text, found.gen_prefix, target_delimiter)]
    return prompt(turns, settings.chat, settings.multi_turn)


def _multiple_choice(
    asked: Asked,
    config: TaskConfig,
    before: Sequence[Message],
    found: Shown,
    templates: Templates,
    settings: PromptSettings,
    which: str,
) -> Asked:
    if found.choices is None:
        raise UserError(
            f"{which}: a multiple_choice task needs `doc_to_choice`", place=f"{templates.file}:doc_to_choice"
        )
    delimiter = _before_choice(found, templates, settings)
    choices = tuple(found.choices)
    if isinstance(found.text, int):  # each choice is a whole question, and what follows is the same
        target: Any = found.text
        if settings.mode == "right" and (isinstance(found.target, int) or found.target in choices):
            raise UserError(
                f"{which}: its text is a number, {found.text}, so the choices are whole questions, and `doc_to_target` "
                f"must give the words that follow them, not {found.target!r:.60}; where {found.text} is the question, "
                "put it into a sentence",
                place=f"{templates.file}:doc_to_text",
            )
        continuation = delimiter + _as_text(found.target, which, templates)
        requests = tuple(Choice(_context(before, choice, found, "", settings), continuation) for choice in choices)
    else:
        target = found.target
        context = _context(before, found.text, found, templates.target_delimiter, settings)
        requests = tuple(Choice(context, delimiter + choice) for choice in choices)
    if settings.mode == "lm-eval":
        gold = _gold_as_lm_eval(target, choices)
    else:
        gold = _gold(target, choices)
        if gold is None and config.process_results is None:
            raise _no_gold(target, choices, which, templates)
        if "" in choices:
            raise UserError(
                f"{which}: choice {choices.index('')} is empty; give it a text, or leave the document out in "
                "`process_docs`",
                place=f"{templates.file}:doc_to_choice",
            )
    if settings.unconditional:
        requests += tuple(Choice("", delimiter + choice) for choice in choices)
    return replace(asked, requests=requests, choices=choices, gold=gold)


def _written(
    found: Shown, target: str | tuple[str, ...] | None, templates: Templates, settings: PromptSettings, which: str
) -> str:
    """What a model writes that gives the right answer, of several the first, and nothing else."""
    answer = target[0] if isinstance(target, tuple) and target else target
    if not isinstance(answer, str) or not answer:
        raise UserError(f"{which}: it gives no text to be scored", place=f"{templates.file}:doc_to_target")
    if found.gen_prefix:
        return delimited(found.gen_prefix, answer, " ")[len(found.gen_prefix) :]
    return _before_choice(found, templates, settings) + answer


def _before_choice(found: Shown, templates: Templates, settings: PromptSettings) -> str:
    """What stands between context and choice. A chat template ends with white space of its own; an answer that is
    begun may not."""
    if settings.chat is None:
        return templates.target_delimiter
    begun = templates.gen_prefix if settings.mode == "lm-eval" else found.gen_prefix  # there, before it is rendered
    return templates.target_delimiter if isinstance(begun, str) and begun and not begun[-1].isspace() else ""


def _gold(target: Any, choices: Sequence[str]) -> int | tuple[int, ...] | None:
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


def _gold_as_lm_eval(target: Any, choices: Sequence[str]) -> int | tuple[int, ...] | None:
    """Indexes are not looked at here; a text that is no choice is None, which scores 0 as an index out of range."""
    if isinstance(target, list):
        found = [one if isinstance(one, int) else _index(one, choices) for one in target]
        return tuple(len(choices) if index is None else index for index in found)
    return target if isinstance(target, int) else _index(target, choices)


def _no_gold(target: Any, choices: Sequence[str], which: str, templates: Templates) -> UserError:
    told = "nothing" if target is None or target == "" else f"{target!r:.60}"
    return UserError(
        f"{which}: the right answer is {told}, which is none of the {len(choices)} choices (0 to "
        f"{len(choices) - 1}, or one of their texts)",
        place=f"{templates.file}:doc_to_target",
    )


def _as_text(target: Any, which: str, templates: Templates) -> str:
    if not isinstance(target, str | int | float):
        raise UserError(
            f"{which}: it gives {kind_of(target)} where one text is wanted", place=f"{templates.file}:doc_to_target"
        )
    return str(target)


def _generated_target(
    found: Shown, config: TaskConfig, mode: Mode, which: str, templates: Templates
) -> str | tuple[str, ...] | None:
    """What a written answer is compared with; None where the task file's own code judges without it."""
    target = found.target
    if found.choices is not None and isinstance(target, int):
        return _choice(found, target, which, templates, mode)
    if isinstance(target, list) and mode == "right":
        if any(not isinstance(one, str | int) for one in target):
            listed = ", ".join(kind_of(one) for one in target)
            raise UserError(
                f"{which}: it gives a list with {listed}, not answers", place=f"{templates.file}:doc_to_target"
            )
        of_choices = found.choices is not None
        return tuple(
            _choice(found, one, which, templates, mode) if of_choices and isinstance(one, int) else str(one)
            for one in target
        )
    if isinstance(target, list):
        return tuple(map(str, target))
    if isinstance(target, str | int | float) or mode == "lm-eval":
        return str(target)
    if config.process_results is not None:
        return None
    raise UserError(f"{which}: it gives {kind_of(target)}, not an answer", place=f"{templates.file}:doc_to_target")
