"""Reward models of a suite: what they say of responses. A stage `reward` makes them, or a folder of one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import Unsupported, UserError
from harness.models.contract import ModelSource
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.encoding import Limits, encode_demonstrations, encode_preferences
from reference_impl.alignment.data.rows import Demonstration, Preference, PromptText
from reference_impl.alignment.reward_ensemble import RewardEnsemble
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.settings.reward import REWARD_HEAD
from reference_impl.alignment.stages.learner import Learner, open_learner
from reference_impl.alignment.stages.reward_folder import open_reward


def is_reward_model(source: ModelSource) -> bool:
    """Whether the model that lies there scores responses."""
    return (Path(source.path) / REWARD_HEAD).is_file()


class Rewards:
    """A reward model, opened; in fp32, whatever the precision of its cell."""

    def __init__(self, source: ModelSource) -> None:
        """Raises Unsupported for a model that is none, and UserError for a folder that is damaged."""
        folder = Path(source.path)
        if not is_reward_model(source):
            raise Unsupported(
                f"{source.name} is no reward model; give it the last stage `reward`, or name a model that has it"
            )
        try:
            self._learner: Learner = open_learner(folder, device=source.device)
            self._model: RewardModel | RewardEnsemble = open_reward(folder, source.device)
        except (ValueError, OSError) as error:
            raise UserError(str(error), place=source.name) from None
        self.context = self._learner.context

    def of_texts(self, prompts: Sequence[PromptText], responses: Sequence[str], ended: Sequence[bool]) -> list[float]:
        """The reward of each response; ended: whether the model ended it, or was cut off. NaN of one that is empty or
        that doesn't fit the context."""
        found = [float("nan")] * len(prompts)
        places, items = [], []
        for place, (prompt, response, whole) in enumerate(zip(prompts, responses, ended, strict=True)):
            answered = self._answered(prompt, response, whole)
            if answered is not None:
                places.append(place)
                items.append(answered)
        if items:
            for place, score in zip(places, self._model.raw_scores(items).tolist(), strict=True):
                found[place] = score
        return found

    def of_pairs(self, rows: Sequence[Preference]) -> tuple[list[tuple[Preference, float, float]], list[str]]:
        """(pair, reward of the chosen response, reward of the rejected one), and what was left out or cut, a sentence
        each. Raises Unsupported where no pair is left."""
        limits = Limits(self.context, long_prompts="keep_end")
        try:
            found = encode_preferences(rows, self._learner.text, limits)
        except ValueError as error:
            raise Unsupported(str(error)) from None
        chosen = self._model.raw_scores([pair.chosen for pair in found.items]).tolist()
        rejected = self._model.raw_scores([pair.rejected for pair in found.items]).tolist()
        told = [str(one) for one in (*found.excluded, *found.cut)]
        return list(zip((rows[place] for place in found.places), chosen, rejected, strict=True)), told

    def _answered(self, prompt: PromptText, response: str, ended: bool) -> Answered | None:
        limits = Limits(self.context, long_prompts="keep_end")
        try:
            [whole] = encode_demonstrations([Demonstration(prompt, response)], self._learner.text, limits).items
        except ValueError:
            return None
        if ended:
            return whole
        return Answered(whole.prompt, whole.response[:-1], False) if len(whole.response) > 1 else None
