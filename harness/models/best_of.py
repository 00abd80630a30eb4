"""Opening `best_of`: a model that draws, a reward model that judges, and the best answer.

Imports all it needs at the top, and runs no operation then: workers are forked from a process that has imported it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.errors import Unsupported, UserError
from harness.models.checkpoint_stage import why_unreached
from harness.models.contract import GeneratedText, ModelIdentity, ModelSource, Prompt
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.best_of_n import kl_bound
from reference_impl.alignment.collecting import Reward, checked_scores
from reference_impl.alignment.data.own_text import OwnText
from reference_impl.alignment.rollout import draw
from reference_impl.alignment.stages.learner import Learner, open_learner
from reference_impl.alignment.stages.reward_folder import open_reward

AT_ONCE = 256
"""Answers that are drawn at once, but for those of one prompt, which always are."""


class BestOf:
    """Writes the best of n answers."""

    def __init__(self, learner: Learner, reward: Reward, n: int, temperature: float, identity: ModelIdentity) -> None:
        self._learner, self._reward, self._n, self._temperature = learner, reward, n, temperature
        self.identity = identity
        self.turns = learner.text.template if isinstance(learner.text, OwnText) else None
        """How it is shown conversations, where it is one of ours: see `ReferenceModel.turns`."""
        self.kl_bound = kl_bound(n)
        """At most so many nats per answer from the model that draws."""

    def generate_until(self, prompts: Sequence[Prompt]) -> list[GeneratedText]:
        """See `Generates`: the answer of the highest reward, read up to where it ends or is stopped; the first of equal
        ones. An answer that is stopped is judged as it is given, without its end."""
        found: dict[int, GeneratedText] = {}
        waiting = list(enumerate(prompts))
        size = max(AT_ONCE // self._n, 1)
        while waiting:
            first = waiting[0][1]
            alike = [(at, one) for at, one in waiting if (one.seed, one.max_new) == (first.seed, first.max_new)][:size]
            taken = {at for at, _ in alike}
            waiting = [one for one in waiting if one[0] not in taken]
            for (at, _), text in zip(alike, self._written([one for _, one in alike]), strict=True):
                found[at] = text
        return [found[at] for at in range(len(prompts))]

    def _written(self, prompts: Sequence[Prompt]) -> list[GeneratedText]:
        """Of prompts with one seed and one length."""
        learner, longest = self._learner, self._learner.context
        max_new = min(prompts[0].max_new, longest // 2)  # room for the end of a prompt
        ids = [learner.text.prompt(one.text)[-(longest - max_new) :] for one in prompts]
        if empty := [one.text for one, tokens in zip(prompts, ids, strict=True) if not tokens]:
            raise UserError(f"the prompt {empty[0]!r} has no token that an answer could follow; ask something")
        drawn = draw(
            learner.policy,
            ids,
            self._n,
            max_new=max_new,
            eos=learner.eos,
            temperature=self._temperature,
            seed=prompts[0].seed,
        )
        answers = [_stopped(learner, one.answered, prompts[number // self._n]) for number, one in enumerate(drawn)]
        scores = checked_scores(self._reward, [answered for answered, _ in answers]).view(-1, self._n)
        # Not argmax, which may give any of equal ones.
        best = [max(range(self._n), key=row.__getitem__) for row in scores.tolist()]
        return [answers[number * self._n + place][1] for number, place in enumerate(best)]


def _stopped(learner: Learner, answered: Answered, prompt: Prompt) -> tuple[Answered, GeneratedText]:
    """An answer up to the first of the texts that stop it: as it is judged, and as it is given."""
    text = learner.text.said(prompt.text, answered.response)
    stops = [stop for stop in prompt.until if stop and stop in text]
    if not stops:
        return answered, GeneratedText(text, "end" if answered.ended else "length")
    given = text[: min(text.index(stop) for stop in stops)]
    for count in range(1, len(answered.response)):
        if any(stop in learner.text.said(prompt.text, answered.response[:count]) for stop in stops):
            answered = Answered(answered.prompt, answered.response[:count], ended=False)
            break
    return answered, GeneratedText(given, "stop_string")


def open_source(source: ModelSource) -> BestOf:
    """The model that draws and the one that judges. Raises UserError where one of them can't be opened."""
    told = json.loads(source.settings)
    for what in ("of", "reward"):
        if (why := why_unreached(Path(told[what]))) is not None:
            raise Unsupported(why)
    try:
        learner = open_learner(Path(told["of"]), device=source.device)
        reward = open_reward(Path(told["reward"]), source.device).reward(learner.tokenizer)
    except (ValueError, OSError) as error:
        raise UserError(str(error), place=source.name) from None
    learner.policy.module.eval().requires_grad_(False)
    n = int(told["n"])
    identity = ModelIdentity(
        name=source.name,
        kind=source.kind,
        digest=source.digest,
        precision=source.precision,
        device=source.device,
        parameters=sum(parameter.numel() for parameter in learner.policy.module.parameters()),
        context=learner.context,
        notes=(
            f"the best of {n} answers drawn at temperature {told['sampled_at']:g}, whatever is asked for; at most "
            f"{kl_bound(n):.3g} nats per answer (log n - (n - 1)/n) from {told['name']}",
        ),
    )
    return BestOf(learner, reward, n, float(told["sampled_at"]), identity)
