"""A conversation: messages, each of somebody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["system", "user", "assistant"]
"""Who speaks, by the names that chat templates give them."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


Dialog = tuple[Message, ...]
"""The turns in order. One that is a prompt ends with what the assistant is to answer."""


def asked(question: str, system: str = "") -> Dialog:
    """The dialog of one question, after a system message where there is one."""
    before = (Message("system", system),) if system else ()
    return (*before, Message("user", question))
