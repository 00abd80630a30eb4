"""What scores responses in a stage, by name: a reward model's folder, or a scorer that has a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Reward
from reference_impl.alignment.data.encoding import Asked
from reference_impl.alignment.settings.scorers import SCORERS
from reference_impl.alignment.stages.learner import Learner
from reference_impl.alignment.stages.reward_folder import open_reward


def reward_of(learner: Learner, asked: Iterable[Asked], name: str) -> Reward:
    """The function that scores responses of this learner to these prompts. Raises ValueError for prompts that don't say
    what the scorer needs, and for a reward model that reads other tokens."""
    if name not in SCORERS:
        return open_reward(Path(name), learner.device).reward(learner.tokenizer)
    known = SCORERS[name]
    score = known.load()
    rows = {one.ids: one.prompt for one in asked}
    for row in rows.values():
        if known.needs_answer and row.answer is None:
            raise ValueError(f"{row.place or 'a prompt'} says no answer, so responses to it can't be judged by it.")

    def judged(answered: Sequence[Answered]) -> Tensor:
        found = []
        for one in answered:
            row = rows[one.prompt]
            found.append(score(row, learner.text.said(row.prompt, one.response), one.ended))
        return torch.tensor(found)

    return judged
