"""Prompts: a document with its worked examples becomes what a model is asked. lm-evaluation-harness' conventions.

A prompt is a sequence of messages (description, then question and answer of each example, then the question). Without
a chat template they are one text, joined by the delimiters of the task file; with one they are turns of a conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, Generation, Rolling, Row
from harness.tasks.config import Function, Mode, TaskConfig
from harness.tasks.document import LoadFunction, Shown, Templates, rendered, shown

ApplyChat = Callable[[list[dict[str, str]], bool, bool], str]
"""(messages, add_generation_prompt, continue_final_message) -> the prompt, by the model's chat template."""

MAX_NEW = 256
"""Tokens of an answer where the task file says nothing."""
_MAX_NEW_KEYS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_SAMPLING_KEYS = ("until", "do_sample", "temperature", "top_p", "top_k")


@dataclass(frozen=True)
class PromptSettings:
    """What a suite says about prompts."""

    mode: Mode = "right"
    chat: ApplyChat | None = None
    multi_turn: bool = True
    """With `chat`: whether worked examples are turns of their own."""
    system: str | None = None
    unconditional: bool = False
    """Whether each choice is also asked without its context."""


@dataclass(frozen=True)
class _Message:
    role: str
    content: str
    delimiter: str = ""
    """What follows it in plain text."""


def ask(
    config: TaskConfig,
    row: Row,
    document: int,
    shots: Sequence[tuple[int, Row]],
    settings: PromptSettings,
    function: LoadFunction,
) -> Asked:
    """What is asked about one document.

    document: its place, for errors and samples. shots: places and rows of its worked examples. function: loads what the
    task file names with `!function`. Raises UserError with file, key and document.
    """
    which = f"document {document}"
    templates = Templates.asked(config)
    cluster = None
    if config.cluster is not None:
        cluster = str(rendered("cluster", config.cluster, row, templates.file, which, function))
    asked = Asked(config.task, document, row, (), cluster=cluster, shots=tuple(place for place, _ in shots))
    if config.output_type == "loglikelihood_rolling":
        target = rendered("doc_to_target", config.doc_to_target or "", row, templates.file, which, function)
        return replace(asked, requests=(Rolling(_as_text(target, which, templates)),))
    question = shown(templates, row, which, function)
    before = _examples(config, row, shots, settings, which, function)
    match config.output_type:
        case "loglikelihood":
            context = _joined(before, question, templates, settings)
            return replace(asked, requests=(Choice(context, _as_text(question.target, which, templates)),))
        case "generate_until":
            context = _joined(before, question, templates, settings)
            return replace(
                asked,
                requests=(generation(config, context),),
                target=_generated_target(question, which, templates),
            )
        case _:
            return _multiple_choice(asked, before, question, templates, settings, which)


def generation(config: TaskConfig, context: str) -> Generation:
    """How an answer is written: the task's `generation_kwargs`, with lm-eval's names and defaults.

    Raises UserError for a key that no setting of ours stands for.
    """
    given = {"until": [config.fewshot_delimiter]} | dict(config.generation_kwargs or {"do_sample": False})
    place = f"{config.file}:generation_kwargs"
    unknown = [key for key in given if key not in (*_MAX_NEW_KEYS, *_SAMPLING_KEYS)]
    if unknown:
        raise UserError(
            f"`{unknown[0]}` is not understood; there are {', '.join((*_MAX_NEW_KEYS, *_SAMPLING_KEYS))}", place=place
        )
    until = given["until"]
    stops = [] if until is None else [until] if isinstance(until, str) else list(until)
    temperature = float(given.get("temperature") or 0.0)
    if given.get("do_sample", temperature > 0) is False:
        temperature = 0.0
    elif temperature == 0.0 and given.get("do_sample"):
        temperature = 1.0  # what transformers draws with where nothing is said
    max_new = next((int(given[key]) for key in _MAX_NEW_KEYS if given.get(key) is not None), MAX_NEW)
    return Generation(
        context=context,
        until=tuple(map(str, stops)),
        max_new=max_new,
        temperature=temperature,
        top_p=float(given.get("top_p") or 1.0),
        top_k=given.get("top_k"),
        samples=config.repeats,
    )


def delimited(left: str, right: str, delimiter: str) -> str:
    """Both, with the delimiter between them unless there is white space already; one alone where the other is empty."""
    if not left or not right:
        return left or right
    return left + (delimiter if _wants_delimiter(left, right) else "") + right


def _wants_delimiter(left: str, right: str) -> bool:
    return left != "" and not left[-1].isspace() and not right[:1].isspace()


def _examples(
    config: TaskConfig,
    row: Row,
    shots: Sequence[tuple[int, Row]],
    settings: PromptSettings,
    which: str,
    function: LoadFunction,
) -> list[_Message]:
    """The description and the worked examples."""
    file = str(config.file)
    described: Any = config.description
    if isinstance(described, Function) or described:
        described = rendered("description", described, row, file, which, function)
    system = delimited(settings.system or "", str(described or ""), config.fewshot_delimiter)
    messages = [_Message("system", system)] if system else []
    templates = Templates.examples(config)
    for place, example in shots:
        one = f"{which}, worked example {place}"
        found = shown(templates, example, one, function)
        question, answer = found.text, found.target
        if isinstance(question, int):  # the choices are whole questions: the right one is shown
            question = _choice(found, question, one, templates)
            found = replace(found, choices=None)
        messages += _turn(question, _answer(found, answer, one, templates, settings.mode), found.gen_prefix, templates)
    return messages


def _answer(found: Shown, target: str | int | list[Any], which: str, templates: Templates, mode: Mode) -> str:
    """The text of a worked example's answer; of several right ones the first."""
    first = target[0] if isinstance(target, list) and target else target
    if isinstance(first, list):
        raise UserError(f"{which} has no answer", place=f"{templates.file}:{templates.prefix}doc_to_target")
    if isinstance(first, int):
        return _choice(found, first, which, templates) if found.choices else str(first)
    return str(first)


def _choice(found: Shown, index: int, which: str, templates: Templates) -> str:
    choices = found.choices or []
    if not 0 <= index < len(choices):
        raise UserError(
            f"{which}: choice {index} is wanted and there are {len(choices)}",
            place=f"{templates.file}:{templates.prefix}doc_to_choice",
        )
    return choices[index]


def _turn(question: str, answer: str, gen_prefix: str, templates: Templates) -> list[_Message]:
    """A worked example. An empty answer leaves the question alone, with nothing behind it."""
    if answer == "":
        return _question(question, gen_prefix, templates)
    delimiter = templates.target_delimiter
    if gen_prefix and not _wants_delimiter(question, gen_prefix):
        delimiter = ""
    return [
        _Message("user", question, delimiter),
        _Message("assistant", delimited(gen_prefix, answer, " "), templates.fewshot_delimiter),
    ]


def _question(question: str, gen_prefix: str, templates: Templates) -> list[_Message]:
    delimiter = templates.target_delimiter if gen_prefix and _wants_delimiter(question, gen_prefix) else ""
    messages = [_Message("user", question, delimiter)]
    return [*messages, _Message("assistant", gen_prefix)] if gen_prefix else messages


def _joined(before: Sequence[_Message], question: Shown, templates: Templates, settings: PromptSettings) -> str:
    text = str(question.text)
    return _prompt([*before, *_question(text, question.gen_prefix, templates)], question.gen_prefix, settings)


def _prompt(messages: Sequence[_Message], gen_prefix: str, settings: PromptSettings) -> str:
    if settings.chat is None:
        return "".join(message.content + message.delimiter for message in messages)
    turns = messages if settings.multi_turn else _single_turn(messages)
    told = [{"role": message.role, "content": message.content} for message in turns]
    return settings.chat(told, not gen_prefix, bool(gen_prefix))


def _single_turn(messages: Sequence[_Message]) -> list[_Message]:
    """All turns as one message of the user; the system's, and an answer that is begun, stay apart."""
    system = [message for message in messages[:1] if message.role == "system"]
    rest = list(messages[len(system) :])
    begun = [rest.pop()] if rest[-1].role == "assistant" else []
    rest[-1] = replace(rest[-1], delimiter="")
    text = "".join(message.content + message.delimiter for message in rest)
    return [*system, _Message("user", text), *begun]


def _multiple_choice(
    asked: Asked,
    before: Sequence[_Message],
    question: Shown,
    templates: Templates,
    settings: PromptSettings,
    which: str,
) -> Asked:
    if question.choices is None:
        raise UserError(
            f"{which}: a multiple_choice task needs `doc_to_choice`", place=f"{templates.file}:doc_to_choice"
        )
    delimiter = templates.target_delimiter
    if settings.chat is not None and not (question.gen_prefix and not question.gen_prefix[-1].isspace()):
        delimiter = ""
    choices = tuple(question.choices)
    if isinstance(question.text, int):
        continuation = delimiter + _as_text(question.target, which, templates)
        undelimited = replace(templates, target_delimiter="")
        contexts = [
            _prompt([*before, *_question(choice, question.gen_prefix, undelimited)], question.gen_prefix, settings)
            for choice in choices
        ]
        requests = tuple(Choice(context, continuation) for context in contexts)
        gold: int | tuple[int, ...] | None = _gold(question.text, choices, settings.mode, which, templates)
    else:
        context = _joined(before, question, templates, settings)
        requests = tuple(Choice(context, delimiter + choice) for choice in choices)
        gold = _gold(question.target, choices, settings.mode, which, templates)
    if settings.mode == "right":
        for number, choice in enumerate(choices):
            if not choice:
                raise UserError(
                    f"{which}: choice {number} is empty; give it a text, or leave the document out in `process_docs`",
                    place=f"{templates.file}:doc_to_choice",
                )
    if settings.unconditional:
        requests += tuple(Choice("", delimiter + choice) for choice in choices)
    return replace(asked, requests=requests, choices=choices, gold=gold)


def _gold(
    target: str | int | list[Any], choices: Sequence[str], mode: Mode, which: str, templates: Templates
) -> int | tuple[int, ...] | None:
    """Index of the right choice, or indexes of all right ones; None in mode lm-eval where it names none."""
    if isinstance(target, list):
        found = [_index(one, choices) for one in target]
        if mode == "right" and (not found or None in found):
            raise _no_gold(target, choices, which, templates)
        return tuple(len(choices) if index is None else index for index in found)  # out of range: scored 0
    index = _index(target, choices)
    if index is None and mode == "right":
        raise _no_gold(target, choices, which, templates)
    return index


def _index(target: Any, choices: Sequence[str]) -> int | None:
    if isinstance(target, str):
        return choices.index(target) if target in choices else None
    return target if isinstance(target, int) and 0 <= target < len(choices) else None


def _no_gold(target: Any, choices: Sequence[str], which: str, templates: Templates) -> UserError:
    return UserError(
        f"{which}: the right answer is {target!r:.60}, which is none of the {len(choices)} choices (0 to "
        f"{len(choices) - 1}, or one of their texts)",
        place=f"{templates.file}:doc_to_target",
    )


def _as_text(target: Any, which: str, templates: Templates) -> str:
    if isinstance(target, list):
        raise UserError(f"{which}: it gives a list where one text is wanted", place=f"{templates.file}:doc_to_target")
    return str(target)


def _generated_target(question: Shown, which: str, templates: Templates) -> str | tuple[str, ...]:
    target = question.target
    if question.choices is not None and isinstance(target, int):
        return _choice(question, target, which, templates)
    return tuple(map(str, target)) if isinstance(target, list) else str(target)


def columns_of(row: Mapping[str, Any]) -> str:
    """The names of a document's columns, for a sentence."""
    return ", ".join(map(str, row))
