"""Conversations of a reference model in plain text, as it was taught them (`reference_impl.text.chat_template`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.errors import Unsupported
from reference_impl.text.chat_template import ChatTemplate
from reference_impl.text.dialog import ROLES, Dialog, Message


def turns_of(model: object) -> ChatTemplate | None:
    """The template in a model's checkpoint; None where there is none."""
    turns: object = getattr(model, "turns", None)
    return turns if isinstance(turns, ChatTemplate) else None


def in_plain_text(turns: ChatTemplate) -> Callable[[Sequence[Mapping[str, str]], bool, bool], str]:
    """(messages, add_generation_prompt, continue_final_message) -> the prompt. What is returned raises Unsupported for
    no message, and for roles that the template doesn't have."""

    def apply(messages: Sequence[Mapping[str, str]], add_generation_prompt: bool, continue_final_message: bool) -> str:
        dialog = tuple(_message(turns, message) for message in messages)
        if not dialog:
            raise Unsupported("there is no message to make a prompt of")
        if continue_final_message and dialog[-1].role == "assistant":
            return _before(turns, dialog[:-1]) + turns.response(dialog[-1].content)
        whole = turns.prompt(dialog)
        if continue_final_message:
            return whole.removesuffix(f"{turns.between}{turns.assistant}:")
        return whole if add_generation_prompt else whole.removesuffix(f"{turns.assistant}:")

    return apply


def _before(turns: ChatTemplate, dialog: Dialog) -> str:
    return turns.prompt(dialog) if dialog else f"{turns.assistant}:"


def _message(turns: ChatTemplate, message: Mapping[str, str]) -> Message:
    role = next((known for known in ROLES if known == message["role"]), None)
    if role is None:
        raise Unsupported(f"the model's chat template has no role {message['role']!r}: {', '.join(ROLES)}")
    content = message["content"]
    # What the model wrote before comes back as it wrote it, with its first space and its escapes.
    return Message(role, turns.content(content) if role == "assistant" else content)
