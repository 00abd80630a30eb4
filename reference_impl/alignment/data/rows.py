"""What files of alignment data say, in types: prompts, demonstrations, pairs of responses, judged responses.

A prompt is a text that is continued as it stands, or a dialog that a chat template makes a text of. A response is what
the assistant says next (in a dialog, the content of one message).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from reference_impl.text.dialog import Dialog

PromptText = str | Dialog


@dataclass(frozen=True)
class Prompt:
    """A prompt alone, for responses that are drawn and rewarded."""

    prompt: PromptText
    answer: str | None = None
    """What a right response arrives at, where the data say it (`data/microworld.py` rewards by it)."""
    place: str = ""
    """Where it was read: `file:line`."""


@dataclass(frozen=True)
class Demonstration:
    """A prompt with the response that is imitated."""

    prompt: PromptText
    response: str
    place: str = ""


@dataclass(frozen=True)
class Preference:
    """A prompt with two responses, of which the first is preferred."""

    prompt: PromptText
    chosen: str
    rejected: str
    margin: float | None = None
    """By how much, in the unit of the data's scores; None where they don't say."""
    label: float = 1.0
    """Probability that the chosen response is the better one: 0.5 for a tie."""
    place: str = ""

    @property
    def is_tie(self) -> bool:
        """Whether neither response is preferred."""
        return self.label == 0.5


@dataclass(frozen=True)
class Judged:
    """A prompt with one response that is wanted or not, for KTO."""

    prompt: PromptText
    response: str
    wanted: bool
    place: str = ""


Row = Prompt | Demonstration | Preference | Judged


def chosen_of(preferences: Iterable[Preference]) -> Iterator[Demonstration]:
    """The preferred responses as demonstrations (SFT before DPO). Of a tie neither is one."""
    return (Demonstration(one.prompt, one.chosen, one.place) for one in preferences if not one.is_tie)


def judged_of(preferences: Iterable[Preference]) -> Iterator[Judged]:
    """Each pair as a wanted and an unwanted response, one after the other. A tie says neither."""
    for one in preferences:
        if not one.is_tie:
            yield Judged(one.prompt, one.chosen, True, one.place)
            yield Judged(one.prompt, one.rejected, False, one.place)


def prompts_of(rows: Iterable[Row]) -> Iterator[Prompt]:
    """The prompts alone, each once, in the order in which they first stand."""
    seen: set[PromptText] = set()
    for row in rows:
        if row.prompt not in seen:
            seen.add(row.prompt)
            yield replace(row) if isinstance(row, Prompt) else Prompt(row.prompt, place=row.place)
