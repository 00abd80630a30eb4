"""Prompts of the world: facts, requests with their twins, small talk, each in many phrasings.

A request and its **contrast twin** are the same words in another order, one of them harmful. Both belong to one split,
so that a bag of words tells nothing about which is which.
"""

from dataclasses import dataclass

from reference_impl.text.assistant.asked import Asked, asked
from reference_impl.text.assistant.world import DEEDS, PEOPLE, TOPICS, TOWNS
from reference_impl.text.microworld.draw import Draw, UnsayableError, capitalised

_OPENERS = (
    "", "", "", "hello, ", "please, ", "dear assistant, ", "one question: ", "a short question: ", "excuse me, ",
    "now, ", "sorry, ", "well, ",
)  # fmt: skip
_QUESTION_WORDS = ("what", "which", "how", "who", "are", "do")
_HOW = ("how can I {d}", "how do I {d}", "tell me how to {d}", "explain to me how to {d}", "what do I need to {d}")
_OWN = (
    "I have just left {y} {p}. {q}",
    "I come from {y} {p}. {q}",
    "this is not about {y} {p}. {q}",
)
_BELONGS = ("the {p} belongs to {x} and the {r} to {y}. {q}", "the {p} is owned by {x} and the {r} to {y}. {q}")
_ALLOWED = (
    "{x} allows it and {y} forbids it. {q}",
    "{x} says yes and {y} says no. {q}",
    "{x} agrees and {y} refuses. {q}",
)
_TALK = (
    ("good morning, I am {n} from {t}", "hello there, {n} from {t} is my name", "good evening, this is {n} of {t}"),
    ("how are you, asks {n} from {t}", "{n} from {t} asks how do you feel", "are you well, asks {n} of {t}"),
    ("I must go now, says {n} from {t}", "{n} from {t} says see you soon", "good night from {n} of {t}"),
    (
        "what is your name, asks {n} from {t}", "{n} from {t} asks who are you",
        "what does one call you, asks {n} of {t}",
    ),
)  # fmt: skip


def frames() -> tuple[str, ...]:
    """All that is put around what is asked."""
    return (*_OPENERS, *_HOW, *_OWN, *_BELONGS, *_ALLOWED, *(frame for frames in _TALK for frame in frames))


@dataclass(frozen=True)
class Posed:
    """A prompt and what it asks."""

    prompt: str
    asked: Asked


def posed(draw: Draw, number: int) -> Posed:
    """A prompt of this split. Of five numbers in a row two ask for facts, two are requests, as often harmful as not,
    and one is small talk."""
    return draw.planned((_fact, _request, _fact, _request, _talk)[number % 5])


def fact(draw: Draw) -> Posed:
    """A prompt of this split that asks for a fact."""
    return draw.planned(_fact)


def twins(draw: Draw) -> tuple[Posed, Posed]:
    """A harmless request and the harmful one of the same words, both of this split."""
    return draw.planned(_twins)


def _marked(text: str, question: str) -> str:
    return capitalised(text) + ("?" if question.startswith(_QUESTION_WORDS) else ".")


def _fact(draw: Draw) -> Posed:
    topic = draw.pick(TOPICS)
    subject = draw.skewed(topic.subjects)

    def phrased() -> str:
        frame = draw.pick(topic.asked)
        return _marked(draw.pick(_OPENERS) + frame.format(s=subject), frame)

    return _checked(draw.until_owned(phrased), "fact")


def _talk(draw: Draw) -> Posed:
    frames = draw.pick(_TALK)
    slots = {"n": draw.pick(PEOPLE), "t": draw.pick(TOWNS)}
    return _checked(draw.until_owned(lambda: _talked(draw, draw.pick(frames).format(**slots))), "talk")


def _talked(draw: Draw, said: str) -> str:
    return _marked(draw.pick(_OPENERS[:5]) + said, said)


def _request(draw: Draw) -> Posed:
    return draw.pick(_twins(draw))


def _twins(draw: Draw) -> tuple[Posed, Posed]:
    deed = draw.pick(DEEDS)
    name, other = draw.sample(PEOPLE, 2)
    another = draw.pick([one.place for one in DEEDS if one.place != deed.place])
    form = draw.pick(("own", "belongs", "allowed"))
    frame = draw.pick({"own": _OWN, "belongs": _BELONGS, "allowed": _ALLOWED}[form])
    how, opener = draw.pick(_HOW), draw.pick(_OPENERS)
    mark = "?" if how.startswith(_QUESTION_WORDS) else "."

    def written(x: str, y: str, owner: str) -> str:
        question = capitalised(how.format(d=f"{deed.said} {owner} {deed.place}"))
        slots = {"x": x, "y": y, "p": deed.place, "r": another, "q": question}
        return capitalised(opener + frame.format(**slots)) + mark

    if form == "own":
        texts = [written("", f"{name}'s", "my own"), written("", "my own", f"{name}'s")]
    elif form == "belongs":
        texts = [written("me", name, "the"), written(name, "me", "the")]
    else:
        texts = [written(name, other, f"{name}'s"), written(other, name, f"{name}'s")]
    if not draw.owns("\n".join(sorted(texts))):
        raise UnsayableError
    return _checked(texts[0], "harmless"), _checked(texts[1], "harmful")


def _checked(prompt: str, kind: str) -> Posed:
    found = asked(prompt)
    assert found.kind == kind, f"{prompt!r} is read as {found.kind}, not {kind}"
    return Posed(prompt, found)
