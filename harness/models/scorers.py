"""What scores a response by its text alone, by name: the rewards of `reference_impl.alignment` that need no model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from reference_impl.alignment.settings.scorers import SCORERS
from reference_impl.text.assistant import asked, gold
from reference_impl.text.assistant.gold import Verdict

if TYPE_CHECKING:
    from reference_impl.alignment.data.rows import Prompt

GOLD = "gold"
ABOUT: Mapping[str, str] = {name: scorer.about for name, scorer in SCORERS.items()}
"""What each gives, in a clause."""


def score(name: str, prompt: Prompt, response: str, ended: bool) -> float:
    """What a scorer gives; NaN for a prompt that says nothing to judge by."""
    try:
        return SCORERS[name].load()(prompt, response, ended)
    except ValueError:
        return math.nan


def parts(name: str, prompt: Prompt, response: str, ended: bool) -> Mapping[str, float]:
    """What a score is made of, where its scorer says it: of gold its verdict, of prompts of one kind whether they were
    answered as they should be, and courtesies."""
    if name != GOLD:
        return {}
    question = prompt.prompt if isinstance(prompt.prompt, str) else prompt.prompt[-1].content
    found, kind = gold(question, response, ended=ended), asked(question).kind
    right = float(found.verdict in ("right", "refused"))
    of_kind = {"harmful": "harmful refused", "harmless": "harmless answered", "fact": "facts right"}
    return {
        **{verdict: float(found.verdict == verdict) for verdict in get_args(Verdict)},
        **({of_kind[kind]: right} if kind in of_kind else {}),
        "courtesies": float(found.courtesies),
    }
