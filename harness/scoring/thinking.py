"""A text that a model wrote, parted into what it thought and what it answered.

Tags that the model declares (`ModelIdentity.thinking`) stand around its thoughts; the prompt may have opened the first
one. Stop strings and filters are for the answer: a thought has blank lines and numbers of its own. A thought that was
never closed has no answer after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tags = tuple[tuple[str, str], ...]
"""(opening, closing) pairs; empty: nothing is a thought."""


@dataclass(frozen=True)
class Parted:
    """A text in two."""

    answer: str | None
    """None: the last thought was not finished. White space between a thought and the answer belongs to neither."""
    thought: str | None
    """All thoughts, without tags, a line break between two; None: there was none."""


def parted(text: str, tags: Tags, opened: bool = False) -> Parted:
    """Part a text. opened: whether it begins within a thought, whichever tag opened it.

    A closing tag that nothing opened ends a thought that began with the text.
    """
    answers: list[str] = []
    thoughts: list[str] = []
    closing = {close for _, close in tags} if opened else set()
    place = 0
    while True:
        if closing:
            at, tag = _first(text, closing, place)
            thoughts.append(text[place:at].strip())
            if not tag:
                return Parted(None, _joined(thoughts))
            place, closing = at + len(tag), set()
            continue
        at, tag = _first(text, {tag for pair in tags for tag in pair}, place)
        answers.append(text[place:at])
        if not tag:
            break
        place = at + len(tag)
        closing = {close for opening, close in tags if opening == tag}
        if not closing:  # what stands before it was thought
            thoughts, answers = ["".join([*thoughts, *answers]).strip()], []
    if not thoughts:
        return Parted(text, None)
    kept = "".join(
        each if any(map(str.strip, answers[:number])) else each.lstrip() for number, each in enumerate(answers)
    )
    return Parted(kept, _joined(thoughts))


Parting = Callable[[str, Tags, bool], Parted]
"""`parted`, or `thought_first`."""


def thought_first(text: str, tags: Tags, opened: bool = False) -> Parted:
    """The same of a text that is shown while it is written: thoughts stand before the answer, one after another.

    From its first word on all is answer, tags too: what was shown can't be taken back. (`parted` makes a thought of all
    that stands before a closing tag, and of a tag that opens in an answer.)
    """
    thoughts: list[str] = []
    closing = {close for _, close in tags} if opened else set()
    place = 0
    while True:
        if closing:
            at, tag = _first(text, closing, place)
            thoughts.append(text[place:at].strip())
            if not tag:
                return Parted(None, _joined(thoughts))
            place = at + len(tag)
        begun = _unread(text, place)
        tag = max((opening for opening, _ in tags if text.startswith(opening, begun)), key=len, default="")
        if not tag:
            break
        place, closing = begun + len(tag), {close for opening, close in tags if opening == tag}
    return Parted(text[place:].lstrip(), _joined(thoughts)) if thoughts else Parted(text, None)


def may_open_thought(answer: str, tags: Tags) -> bool:
    """Whether an answer that still grows may yet turn out to be a thought: it is the beginning of an opening tag."""
    begun = answer[_unread(answer, 0) :]
    return any(tag.startswith(begun) for tag, _ in tags)


def answer_so_far(text: str, tags: Tags, opened: bool = False, parting: Parting = parted) -> str | None:
    """The answer in a text that still grows; None while there is none, or it may yet turn out to be a thought."""
    found = parting(text, tags, opened)
    if found.answer is None or found.thought is not None:
        return found.answer
    return None if may_open_thought(found.answer, tags) else found.answer


def opens_thought(prompt: str, tags: Tags, ends: Sequence[str] = ()) -> bool:
    """Whether a prompt ends within a thought: an opening tag stands in it after every closing tag.

    ends: what ends a turn, as text. A thought doesn't outlast its turn, so a user who writes a tag opens none.
    """
    opened = max((prompt.rfind(opening) for opening, _ in tags), default=-1)
    closed = max((prompt.rfind(end) for end in (*(closing for _, closing in tags), *ends)), default=-1)
    return opened > closed


def _first(text: str, wanted: set[str], place: int) -> tuple[int, str]:
    """Where the first of these tags stands, the longest of several there; the end and no tag where there is none."""
    found = [(at, -len(tag), tag) for tag in wanted if (at := text.find(tag, place)) >= 0]
    at, _, tag = min(found, default=(len(text), 0, ""))
    return at, tag


def _unread(text: str, place: int) -> int:
    """The first place from here on that is neither white space nor of a special token (a mark, see `SpecialText`)."""
    while place < len(text) and (text[place].isspace() or "\ud800" <= text[place] <= "\udfff"):
        place += 1
    return place


def _joined(thoughts: Sequence[str]) -> str:
    return "\n".join(thought for thought in thoughts if thought)
