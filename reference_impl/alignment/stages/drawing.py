"""What a stage draws by itself: responses of a model, and pairs of them that something scores."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from reference_impl.alignment import processes
from reference_impl.alignment.collecting import Prompt as PromptIds
from reference_impl.alignment.collecting import Reward, Sampler
from reference_impl.alignment.data.encoding import Asked, encode_prompts
from reference_impl.alignment.data.rows import Prompt
from reference_impl.alignment.drawn_pairs import (
    DrawnTwice,
    as_pair,
    drawn_twice,
    with_flips,
    without_margins,
)
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.prefix_kl import compared
from reference_impl.alignment.rollout import DrawingPolicy, draw
from reference_impl.alignment.settings.drawn import DrawnLabels, DrawnPairSettings
from reference_impl.alignment.stages.data_settings import RESPONSE, DataSettings
from reference_impl.alignment.stages.learner import Learner, open_learner
from reference_impl.alignment.stages.reading import Learned, learned
from reference_impl.alignment.stages.rewards import reward_of
from reference_impl.alignment.token_log_probs import per_response

PAIRS = "drawn_pairs.jsonl"
"""The file of drawn pairs beside the model that learned from them: `prompt`, `chosen`, `rejected`, their scores."""
MOST_DRAWS = 10
"""Times as many pairs as are wanted are drawn, before it is given up that so many differ."""


def asked_prompts(learner: Learner, data: DataSettings) -> Learned[Asked]:
    """The prompts of data, which leave room for a response."""
    room = replace(data, response=data.response or RESPONSE)
    return learned(Prompt, room, encode_prompts, learner.text, learner.context)


def sampler_of(learner: Learner, data: DataSettings, temperature: float, seed: int) -> Sampler:
    """One response to each prompt, drawn by the policy as it is when it is asked."""

    def sample(prompts: Sequence[PromptIds], number: int) -> Sequence[object]:
        return draw(
            learner.policy,
            prompts,
            max_new=data.response or RESPONSE,
            eos=learner.eos,
            temperature=temperature,
            seed=seed,
            step=number,
        )

    return sample  # type: ignore[return-value]


@dataclass(frozen=True)
class DrawnData:
    """Pairs that a stage drew, as it learns from them, and what is said of them."""

    read: Learned[Pair]
    counts: dict[str, float]
    """Of the pairs that are learned from: how many were drawn, are identical, of equal scores, flipped; which share of
    labels names the higher score."""
    _learner: Learner
    _rows: tuple[tuple[Pair, str], ...]
    _asked: dict[tuple[int, ...], Prompt]

    def write(self, folder: Path) -> None:
        """Every pair with its scores, a row of JSON each, in the format `preference`."""
        lines = []
        for pair, split in self._rows:
            row = self._asked[pair.chosen.prompt]
            said = [self._learner.text.said(row.prompt, one.response) for one in (pair.chosen, pair.rejected)]
            dialog = not isinstance(row.prompt, str)
            told = {
                "prompt": [{"role": one.role, "content": one.content} for one in row.prompt] if dialog else row.prompt,  # type: ignore[union-attr]
                "chosen": [{"role": "assistant", "content": said[0]}] if dialog else said[0],
                "rejected": [{"role": "assistant", "content": said[1]}] if dialog else said[1],
                "score_difference": pair.margin,
                "split": split,
            }
            lines.append(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")
        (folder / PAIRS).write_text("".join(lines), encoding="utf-8")


def drawn_data(learner: Learner, data: DataSettings, drawn: DrawnPairSettings) -> DrawnData:
    """Pairs of responses to the prompts of data, drawn and labeled as the settings say.

    Pairs of held-out prompts have the labels of the scores themselves, without noise or flips: what is said of them is
    how often the scorer is agreed with. Raises ValueError for a model of other tokens, for scores that are all equal,
    and where too few pairs differ.
    """
    read = asked_prompts(learner, data)
    writer = learner if drawn.model is None else open_learner(Path(drawn.model), device=learner.device)
    if writer.tokenizer != learner.tokenizer:
        raise ValueError(f"{drawn.model} draws tokens of another tokenizer than {learner.folder} reads.")
    if writer.context < learner.context and drawn.model is not None:
        longest = max(len(asked.ids) for asked in (*read.train, *read.held_out)) + (data.response or RESPONSE)
        if longest > writer.context:
            raise ValueError(f"{drawn.model} reads {writer.context} tokens, and {longest} are asked: lower `prompt`.")
    sampler = sampler_of(writer, data, drawn.temperature, drawn.seed)
    reward = reward_of(learner, (*read.train, *read.held_out), drawn.reward)
    found = _enough(read.train, drawn.pairs, sampler, reward, drawn.seed)
    labeled = _labeled(found.kept, drawn.labels, drawn.seed)
    pairs, flipped = with_flips(labeled, drawn.flipped, drawn.seed)
    held_out: list[Pair] = []
    if read.held_out:
        wanted = max(round(drawn.pairs * data.held_out / (1 - data.held_out)), 1)
        held = _enough(read.held_out, wanted, sampler, reward, drawn.seed, least=0)
        held_out = _labeled(held.kept, "certain", drawn.seed)
    counts = {
        "drawn": float(found.drawn),
        "identical": float(found.identical),
        "equal": float(found.equal),
        "flipped": float(flipped),
        "right": sum((pair.margin or 0.0) > 0 for pair in pairs) / len(pairs),
    }
    rows = (*((pair, "train") for pair in pairs), *((pair, "held_out") for pair in held_out))
    asked = {one.ids: one.prompt for one in (*read.train, *read.held_out)}
    return DrawnData(
        Learned(tuple(without_margins(pairs)), tuple(without_margins(held_out)), read.excluded),
        counts,
        learner,
        rows,
        asked,
    )


@torch.no_grad()
def measured_kl(
    policy: DrawingPolicy, reference: Policy, prompts: Sequence[PromptIds], sampler: Sampler, step: int
) -> float:
    """KL(policy || reference) in nats per response at temperature 1, of responses that the policy draws: the sum over
    their prefixes of the divergence of whole next-token distributions, averaged over responses."""
    answered = [one.answered for one in sampler(prompts, step)]
    found = [
        per_response(compared(policy, reference, part).kl, [len(one.response) for one in part])
        for part in (answered[at : at + 16] for at in range(0, len(answered), 16))
    ]
    return float(torch.cat(found).mean())


def _labeled(drawn: Sequence[DrawnTwice], labels: DrawnLabels, seed: int) -> list[Pair]:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(drawn), generator=generator, dtype=torch.float64).tolist()
    return [as_pair(one, labels, at) for one, at in zip(drawn, uniform, strict=True)]


@dataclass(frozen=True)
class _Enough:
    kept: list[DrawnTwice]
    drawn: int
    identical: int
    equal: int


def _enough(
    asked: Sequence[Asked], count: int, sampler: Sampler, reward: Reward, seed: int, *, least: int | None = None
) -> _Enough:
    """`count` pairs of unequal scores: the prompts in an order of the seed, again and again with fresh responses.

    least: fewer than these are an error; None: fewer than `count`.
    """
    prompts = list(dict.fromkeys(one.ids for one in asked))
    order = torch.randperm(len(prompts), generator=torch.Generator().manual_seed(seed)).tolist()
    kept: list[DrawnTwice] = []
    drawn = identical = equal = step = 0
    while len(kept) < count and drawn < MOST_DRAWS * count:
        size = min(count - len(kept), len(prompts))  # a prompt once at most: its samples are told apart by the step
        taken = [prompts[order[(drawn + at) % len(prompts)]] for at in range(size)]
        share = math.ceil(size / processes.count())
        pieces = [taken[at : at + share] for at in range(0, size, share)]
        found = processes.in_order(partial(drawn_twice, sampler=sampler, reward=reward, step=step), pieces)
        for one in (one for piece in found for one in piece):
            identical += one.identical
            equal += not one.identical and one.scores[0] == one.scores[1]
            if not one.identical and one.scores[0] != one.scores[1]:
                kept.append(one)
        drawn, step = drawn + size, step + 1
    if len(kept) < (count if least is None else least):
        raise ValueError(
            f"of {drawn:,} pairs that were drawn {identical:,} are of identical responses and {equal:,} of equal "
            f"scores, so {len(kept):,} are left of {count:,} that are wanted: draw at a higher temperature, ask for "
            "fewer pairs, or take another reward."
        )
    return _Enough(kept, drawn, identical, equal)
