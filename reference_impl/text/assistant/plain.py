"""Plain text that teaches what can be asked: facts about towns and people, and which tool does what."""

from reference_impl.text.assistant.world import DEEDS, TOPICS, facts
from reference_impl.text.microworld.draw import Draw

_OPENERS = (
    "", "", "as everybody knows, ", "it is said that ", "every child knows that ", "in this land, ",
    "I have read that ",
    "one can see that ", "as the old book says, ", "it is true that ", "travelers say that ", "of course, ",
)  # fmt: skip
_TOOLS = (
    "to {d} a {p} one takes a {o}", "whoever wants to {d} a {p} needs a {o}", "a {o} is what one takes to {d} a {p}",
    "the best tool to {d} a {p} is a {o}", "nobody can {d} a {p} without a {o}",
)  # fmt: skip


def frames() -> tuple[str, ...]:
    """All that is put around what is told."""
    return (*_OPENERS, *_TOOLS)


def sentence(draw: Draw) -> str:
    """One true sentence of this split; the first towns and people are spoken of more often."""
    if draw.chance(0.2):
        deed = draw.pick(DEEDS)
        return draw.say(_TOOLS, _OPENERS, d=deed.said, p=deed.place, o=deed.tool)
    topic = draw.pick(TOPICS)
    subject = draw.skewed(topic.subjects)
    return draw.say(topic.told, _OPENERS, s=subject, o=facts()[topic.name, subject])


def paragraph(draw: Draw) -> str:
    """Four to eight sentences of different things."""
    return " ".join(draw.planned(sentence) for _ in range(draw.between(4, 8)))
