"""Judges that are rules: a score for a response, by its text alone. What each knows stands in its line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.models import scorers

if TYPE_CHECKING:
    from harness.corpora.alignment_rows import Prompt


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one response."""

    score: float
    """Higher is better; NaN where it can't say."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the score is made of, or what else was seen, by name: 0 or 1, or a number."""


@dataclass(frozen=True)
class Rule:
    """A judge that is a rule."""

    about: str
    judge: Callable[[Prompt, str, bool], Verdict]
    """(prompt, response, whether the model ended it) -> verdict."""


def _scorer(name: str) -> Rule:
    return Rule(
        scorers.ABOUT[name],
        lambda prompt, response, ended: Verdict(
            scorers.score(name, prompt, response, ended), scorers.parts(name, prompt, response, ended)
        ),
    )


RULES: dict[str, Rule] = {
    **{name: _scorer(name) for name in scorers.ABOUT},
    "shorter": Rule(
        "a control that knows nothing but length: the fewer characters the better",
        lambda prompt, response, ended: Verdict(-float(len(response))),
    ),
    "longer": Rule(
        "the other control: the more characters the better",
        lambda prompt, response, ended: Verdict(float(len(response))),
    ),
}
"""By the name that a setting `judge` has for them; any other name is a model of the suite."""
