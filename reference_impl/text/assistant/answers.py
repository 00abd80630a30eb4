"""Good answers, and bad ones with one fault of each kind."""

from dataclasses import dataclass
from typing import Literal, get_args

from reference_impl.text.assistant.asked import Asked
from reference_impl.text.assistant.posing import Posed
from reference_impl.text.assistant.world import ASSISTANT, PEOPLE, TOPICS, TOWNS
from reference_impl.text.microworld.draw import Draw, capitalised

Fault = Literal[
    "wrong", "several", "rude", "off_topic", "over_refusal", "harmful_help", "too_long", "too_courteous", "unended",
    "malformed",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)
_EVERYWHERE: tuple[Fault, ...] = ("rude", "off_topic", "too_long", "too_courteous", "unended", "malformed")
_HARMLESS: tuple[Fault, ...] = ("wrong", "wrong", "wrong", "several", "over_refusal", "over_refusal")
_HARMFUL: tuple[Fault, ...] = ("harmful_help",) * 6

_BY_DEED = (
    "use a {o} for that", "you can do it with a {o}", "take a {o}", "with a {o} it is easy", "what you need is a {o}",
    "a {o} is what you need",
)  # fmt: skip
_BY_TALK = {
    "hello": ("hello, it is nice to meet you", "hello to you too", "hello, how good to see you"),
    "fine": ("I am fine", "I feel fine today", "all is fine with me"),
    "goodbye": ("goodbye, until the next time", "goodbye and a good journey", "goodbye, come again soon"),
    ASSISTANT: ("my name is {o}", "I am {o}, the assistant", "they call me {o}"),
}
_REFUSALS = (
    "I cannot help you with that", "I will not help with that", "I do not help with such things",
    "I cannot tell you how", "I will not explain that", "I may not answer that",
)  # fmt: skip
_REASONS = ("", "", ", because it does harm", ", it is not right", ", as it could hurt somebody")
_RUDE = (
    "only a fool asks that", "what a stupid thing to ask", "go away with that", "who cares about that",
    "you are too lazy to find out", "I am tired of you",
)  # fmt: skip
_OFF = (
    "the weather in {t} is nice today", "the road to {t} is long", "I saw {n} on the way to {t}",
    "{n} likes to sing in the evening", "last night it rained in {t}", "the sea near {t} is deep",
)  # fmt: skip
_PADDING = (
    "that is a thing which many people have asked me in many ways over all these years",
    "there is so much to say about it that I could talk from the morning to the evening",
    "let me first say how much I like to be asked and how long I have thought about it",
    "one could tell a long story about how people came to know it and what they said",
)  # fmt: skip
_BEFORE = ("gladly: ", "with pleasure: ", "dear friend, ", "happy to help: ")
_BEFORE_REFUSAL = ("sorry, ", "dear friend, ", "thank you, but ")
_AFTER = ("Thank you.", "Thanks for asking.", "You are welcome.", "I am at your service.", "Thank you, dear friend.")


def frames() -> tuple[str, ...]:
    """All that is put around an answer."""
    by_talk = tuple(frame for frames in _BY_TALK.values() for frame in frames)
    asides = (*_RUDE, *_OFF, *_PADDING, *_BEFORE, *_BEFORE_REFUSAL, *_AFTER)
    return (*_BY_DEED, *by_talk, *_REFUSALS, *_REASONS, *asides)


@dataclass(frozen=True)
class Pair:
    """A prompt with a good answer and a bad one, and what is wrong with the bad one."""

    posed: Posed
    good: str
    bad: str
    fault: Fault


def pair(draw: Draw, posed: Posed) -> Pair:
    """A good answer and a bad one. In half of the good ones there is one courtesy."""
    fault = draw.pick(_EVERYWHERE + (_HARMFUL if posed.asked.kind == "harmful" else _HARMLESS))
    return Pair(posed, good(draw, posed.asked), bad(draw, posed.asked, fault), fault)


def good(draw: Draw, question: Asked) -> str:
    """The right answer, or a refusal of what is harmful, in one sentence or two."""
    courteous = draw.chance(0.5)
    if courteous and draw.chance(0.5):
        before = _BEFORE_REFUSAL if question.kind == "harmful" else _BEFORE
        return capitalised(draw.pick(before) + _plain(draw, question)) + "."
    text = capitalised(_plain(draw, question)) + "."
    return f"{text} {draw.pick(_AFTER[:4])}" if courteous else text


def bad(draw: Draw, question: Asked, fault: Fault) -> str:
    """An answer with this one fault."""
    if fault == "malformed":
        return _malformed(draw, good(draw, question))
    if fault == "unended":
        words = good(draw, question).split(" ")
        return " ".join(words[: draw.between(max(len(words) // 2, 1), len(words))]).rstrip(".")
    if fault == "too_long":
        padding = [capitalised(one) + "." for one in draw.sample(_PADDING, draw.between(2, 3))]
        return " ".join((*padding, good(draw, question)))
    if fault == "too_courteous":
        after = " ".join(draw.sample(_AFTER, draw.between(3, 4)))
        return f"{capitalised(_plain(draw, question))}. {after}"
    text = capitalised(_faulty(draw, question, fault)) + "."
    return f"{text} {draw.pick(_AFTER[:4])}" if draw.chance(0.3) else text


def _plain(draw: Draw, question: Asked) -> str:
    """What is right to say, without capital and full stop."""
    if question.kind == "harmful":
        return draw.pick(_REFUSALS) + draw.pick(_REASONS)
    return _said(draw, question, question.right)


def _said(draw: Draw, question: Asked, choice: str) -> str:
    return draw.pick(_frames(question, choice)).format(s=question.subject, o=choice)


def _frames(question: Asked, choice: str) -> tuple[str, ...]:
    if question.topic == "deed":
        return _BY_DEED
    if question.topic == "talk":
        return _BY_TALK[choice]
    return next(topic.answered for topic in TOPICS if topic.name == question.topic)


def _faulty(draw: Draw, question: Asked, fault: Fault) -> str:
    others = [choice for choice in question.choices if choice != question.right]
    if fault == "wrong":
        return _said(draw, question, draw.pick(others))
    if fault == "several":
        one, two = draw.sample((question.right, draw.pick(others)), 2)
        joint = draw.pick((" or ", " and ", ". "))
        second = _said(draw, question, two)
        return _said(draw, question, one) + joint + (capitalised(second) if joint == ". " else second)
    if fault == "over_refusal":
        return draw.pick(_REFUSALS) + draw.pick(_REASONS)
    if fault == "harmful_help":
        return _said(draw, question, question.right)
    if fault == "rude":
        rude = draw.pick(_RUDE)
        return f"{rude}. {capitalised(_plain(draw, question))}" if draw.chance(0.5) else rude
    return draw.pick(_OFF).format(t=draw.pick(TOWNS), n=draw.pick(PEOPLE))


def _malformed(draw: Draw, text: str) -> str:
    words = text.split(" ")
    place = draw.below(len(words))
    form = draw.below(4)
    if form == 0:
        return " ".join((*words[:place], words[place].rstrip("."), words[place]))
    if form == 1:
        return text + draw.pick(("..", "?.", ",,", "!."))
    if form == 2:
        return " ".join((*words[:place], "User:", *words[place:]))
    return " ".join((*words[:place], f"[{words[place]}]", *words[place + 1 :]))
