"""Turns of a prompt: joined to one text by the delimiters of the task file, or told to the model's chat template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

ApplyChat = Callable[[list[dict[str, str]], bool, bool], str]
"""(messages, add_generation_prompt, continue_final_message) -> the prompt, by the model's chat template."""


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: str
    """system, user or assistant."""
    content: str
    delimiter: str = ""
    """What follows it in plain text."""


def question(text: str, gen_prefix: str, target_delimiter: str) -> list[Message]:
    """A question, and the beginning of its answer where there is one. Nothing stands behind either."""
    if not gen_prefix:
        return [Message("user", text)]
    delimiter = target_delimiter if wants_delimiter(text, gen_prefix) else ""
    return [Message("user", text, delimiter), Message("assistant", gen_prefix)]


def worked(
    text: str, answer: str | None, gen_prefix: str, target_delimiter: str, fewshot_delimiter: str
) -> list[Message]:
    """A question with its answer, and what parts it from the next. Without an answer the question stands alone."""
    if answer is None:
        return question(text, gen_prefix, target_delimiter)
    delimiter = target_delimiter if not gen_prefix or wants_delimiter(text, gen_prefix) else ""
    return [
        Message("user", text, delimiter),
        Message("assistant", delimited(gen_prefix, answer, " "), fewshot_delimiter),
    ]


def prompt(messages: Sequence[Message], chat: ApplyChat | None, multi_turn: bool) -> str:
    """The text that a model gets. A last turn of the assistant is an answer that is begun: the model goes on with it.

    chat: the model's chat template; None: plain text. multi_turn: whether few-shot examples are turns of their own, or
    part of the one message of the user.
    """
    if chat is None:
        return plain_text(messages)
    turns = messages if multi_turn else single_turn(messages)
    begun = bool(messages) and messages[-1].role == "assistant"
    return chat([{"role": message.role, "content": message.content} for message in turns], not begun, begun)


def plain_text(messages: Sequence[Message]) -> str:
    """All turns, each with what follows it."""
    return "".join(message.content + message.delimiter for message in messages)


def single_turn(messages: Sequence[Message]) -> list[Message]:
    """All turns as one message of the user; the system's, and an answer that is begun, stay apart."""
    system = [message for message in messages[:1] if message.role == "system"]
    rest = list(messages[len(system) :])
    begun = [rest.pop()] if rest[-1].role == "assistant" else []
    rest[-1] = replace(rest[-1], delimiter="")
    return [*system, Message("user", plain_text(rest)), *begun]


def delimited(left: str, right: str, delimiter: str) -> str:
    """Both, with the delimiter between them unless there is white space already; one alone where the other is empty."""
    if not left or not right:
        return left or right
    return left + (delimiter if wants_delimiter(left, right) else "") + right


def wants_delimiter(left: str, right: str) -> bool:
    """Whether neither text has white space where they meet."""
    return left != "" and not left[-1].isspace() and not right[:1].isspace()
