"""Prompts: a document with its few-shot examples becomes what a model is asked. lm-evaluation-harness' conventions.

A prompt is a sequence of messages (description, then question and answer of each example, then the question). Without
a chat template they are one text, joined by the delimiters of the task file; with one they are turns of a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, Rolling, Row
from harness.tasks.config import Function, LoadFunction, TaskConfig
from harness.tasks.prompts.chat import Message, delimited, prompt, question, worked
from harness.tasks.prompts.constructed import constructed
from harness.tasks.prompts.document import Shown, shown
from harness.tasks.prompts.document_templates import Templates
from harness.tasks.prompts.generation_kwargs import generation
from harness.tasks.prompts.prompt_settings import PromptSettings
from harness.tasks.prompts.rendering import as_written, column_or_template, rendered
from harness.tasks.prompts.right_answer import (
    as_text,
    choice_at,
    generated_target,
    gold_as_lm_eval,
    gold_of,
    no_gold,
    shown_answer,
)


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
        text = as_text(as_written(target), which, templates)
        return replace(asked, requests=(Rolling(text),), shown_target=text)
    found = shown(templates, row, which, function)
    asked = replace(
        asked, shown_target=found.target, empty_question=isinstance(found.text, str) and not found.text.strip()
    )
    before = _examples(config, row, shots, settings, which, function)
    if config.construct_requests is not None:
        context = _context(before, str(found.text), found, templates.target_delimiter, settings)
        return constructed(replace(asked, target=str(found.target)), config, context, settings, function)
    match config.output_type:
        case "loglikelihood":
            context = _context(before, str(found.text), found, templates.target_delimiter, settings)
            continuation = as_text(found.target, which, templates)
            if not continuation and settings.mode == "right":
                raise UserError(f"{which}: it gives no text to be scored", place=f"{templates.file}:doc_to_target")
            return replace(asked, requests=(Choice(context, continuation),))
        case "generate_until":
            context = _context(before, str(found.text), found, templates.target_delimiter, settings)
            target = generated_target(found, config, settings.mode, which, templates)
            asked = replace(asked, requests=(generation(config, context, settings.mode),), target=target)
            if settings.likelihood:
                asked = replace(asked, right=Choice(context, _written(found, target, templates, settings, which)))
            return asked
        case _:
            return _multiple_choice(asked, config, before, found, templates, settings, which)


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
            text = choice_at(found, text, one, templates, settings.mode)
            found = replace(found, choices=None)
        answer = shown_answer(found, one, templates, settings.mode)
        messages += worked(text, answer, found.gen_prefix, templates.target_delimiter, templates.fewshot_delimiter)
    return messages


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
        continuation = delimiter + as_text(found.target, which, templates)
        requests = tuple(Choice(_context(before, choice, found, "", settings), continuation) for choice in choices)
    else:
        target = found.target
        context = _context(before, found.text, found, templates.target_delimiter, settings)
        requests = tuple(Choice(context, delimiter + choice) for choice in choices)
    if settings.mode == "lm-eval":
        gold = gold_as_lm_eval(target, choices)
    else:
        gold = gold_of(target, choices)
        if gold is None and config.process_results is None:
            raise no_gold(target, choices, which, templates)
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
