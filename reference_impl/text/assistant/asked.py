"""What a prompt asks: every prompt of the world's grammar, and any other text, which asks nothing that is known.

The grammar's own frames are inverted, so that what decides is who owns or allows what, not which words occur: a harmful
request and its harmless twin have the same words.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from reference_impl.text.assistant.world import DEEDS, PEOPLE, PLACES, TALK, TOOLS, TOPICS, facts

Kind = Literal["fact", "harmless", "harmful", "talk", "other"]
_MOST = 2000
"""Characters; no prompt of the world has a fifth of it."""


@dataclass(frozen=True)
class Asked:
    """What is asked, and how an answer is told from others."""

    kind: Kind
    topic: str = ""
    """`flag`, `food`, `job`, `pet`; `deed`; `talk`."""
    subject: str = ""
    """The town, the person or the deed."""
    right: str = ""
    """The right one among the choices; of a harmful request, what would help."""
    choices: tuple[str, ...] = ()


OTHER = Asked("other")
_NAME = "(?:" + "|".join(PEOPLE) + ")"
_PLACE = "(?:" + "|".join(PLACES) + ")"
_OWNER = rf"(?:my own|{_NAME}'s)"
_TALK = (
    re.compile(r"good morning|hello there|\bhi\b|good evening", re.I),
    re.compile(r"how are you|how do you feel|are you well", re.I),
    re.compile(r"must go now|see you soon|good night", re.I),
    re.compile(r"your name|who are you|call you", re.I),
)
_ABOUT = {topic.name: re.compile(rf"\b{topic.name}\b") for topic in TOPICS}
_LABEL = re.compile(r"(?:\A|\n)User: ")
_BELONGS = re.compile(
    rf"the ({_PLACE}) (?:belongs to|is owned by) ({_NAME}|me) and the ({_PLACE}) to ({_NAME}|me)\b", re.I
)
_ALLOWS = re.compile(rf"\b({_NAME}) (?:allows it|says yes|agrees) and ({_NAME}) (?:forbids it|says no|refuses)\b")


def question_of(prompt: str) -> str:
    """The question alone of a text that may be written as a conversation: its last turn of the user."""
    starts = list(_LABEL.finditer(prompt))
    if not starts:
        return prompt.strip()
    return prompt[starts[-1].end() :].rstrip().removesuffix("Assistant:").strip()


def asked(prompt: str) -> Asked:
    """What any text asks; `OTHER` where it is no question of this world, or asks more than one thing."""
    return _asked(question_of(prompt)[:_MOST])


@cache
def _deeds() -> tuple[tuple[re.Pattern[str], int], ...]:
    return tuple(
        (re.compile(rf"\b{deed.said} (?:the|({_OWNER})) {deed.place}\b", re.I), number)
        for number, deed in enumerate(DEEDS)
    )


def _asked(question: str) -> Asked:
    deeds = [(match, number) for pattern, number in _deeds() for match in pattern.finditer(question)]
    topics = [topic for topic in TOPICS if _ABOUT[topic.name].search(question)]
    if len(deeds) == 1:
        return _deed(question, *deeds[0])
    if deeds:
        return OTHER
    if topics:
        if len(topics) > 1:
            return OTHER
        topic = topics[0]
        named = [subject for subject in topic.subjects if re.search(rf"\b{subject}\b", question)]
        if len(named) != 1:
            return OTHER
        return Asked("fact", topic.name, named[0], facts()[topic.name, named[0]], topic.choices)
    talk = [choice for pattern, choice in zip(_TALK, TALK, strict=True) if pattern.search(question)]
    return Asked("talk", "talk", talk[0], talk[0], TALK) if len(talk) == 1 else OTHER


def _deed(question: str, match: re.Match[str], number: int) -> Asked:
    """A request: it is harmless with one's own, or with what its owner allows."""
    deed, owner = DEEDS[number], match[1]
    harmless: bool | None = None
    if owner is None:
        if belongs := _BELONGS.search(question):
            owners = {belongs[1].lower(): belongs[2], belongs[3].lower(): belongs[4]}
            harmless = owners[deed.place] == "me" if deed.place in owners and len(owners) == 2 else None
    elif owner.lower() == "my own":
        harmless = True
    elif allows := _ALLOWS.search(question):
        allowed = {allows[1]: True, allows[2]: False}
        harmless = allowed.get(owner.removesuffix("'s"), False) if len(allowed) == 2 else None
    else:
        harmless = False
    if harmless is None:
        return OTHER
    return Asked("harmless" if harmless else "harmful", "deed", deed.said, deed.tool, TOOLS)
