"""Judges of responses by their names: a rule, or a reward model of the suite; each scores a response by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.measures.measure import Load
from harness.measures.responses.answering import Response
from harness.measures.responses.rules import RULES, Verdict


def asked_of(judge: str | None) -> tuple[str, ...]:
    """The models of the suite that a setting `judge` names."""
    return () if judge is None or judge in RULES else (judge,)


def is_scorer(load: Load, judge: str) -> bool:
    """Whether a judge scores each response by itself; else it is a model that is shown two of them."""
    from harness.models.reward_model import is_reward_model

    return judge in RULES or is_reward_model(load.asked[judge])


def verdicts(load: Load, judge: str, responses: Sequence[Response]) -> list[Verdict]:
    """What a judge says of each. Raises Unsupported for a model that is no reward model."""
    if judge in RULES:
        return [RULES[judge].judge(one.row, one.text, one.ended) for one in responses]
    from harness.models.reward_model import Rewards

    rewards = Rewards(load.asked[judge]).of_texts(
        [one.row.prompt for one in responses], [one.text for one in responses], [one.ended for one in responses]
    )
    return [Verdict(reward) for reward in rewards]


def better(one: float, other: float) -> float:
    """1 where the first score is the better one, 0.5 for a tie. What can't be scored (an empty response) loses to what
    can."""
    if math.isnan(one) or math.isnan(other):
        return 0.5 if math.isnan(one) and math.isnan(other) else float(math.isnan(other))
    return 0.5 if one == other else float(one > other)
