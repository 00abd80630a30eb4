"""One rollout: responses drawn and scored, their log-probabilities under policy and reference, and what is recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.batches import Order
from reference_impl.alignment.kl import k1, k3
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.prefix_kl import compared
from reference_impl.alignment.settings.rollouts import RolloutSettings
from reference_impl.alignment.token_log_probs import per_response
from reference_impl.alignment.truncation import truncated
from reference_impl.training.loop import DivergenceError

Prompt = tuple[int, ...]


class Drawn(Protocol):
    """A response as a sampler gives it."""

    @property
    def answered(self) -> Answered:
        """Prompt and response."""

    @property
    def log_probs(self) -> Sequence[float] | Tensor:
        """Of the response's tokens, as the sampler computed them, at the temperature."""


Sampler = Callable[[Sequence[Prompt], int], Sequence[Drawn]]
"""(prompts, number of the rollout) -> one response to each, of the present policy, in the order of the prompts. A
prompt that is there several times wants different responses. The same arguments and weights give the same responses."""

Reward = Callable[[Sequence[Answered]], Tensor]
"""(responses) -> their scores, (items,): a reward model, a verifier, a table."""


@dataclass(frozen=True)
class Collected:
    """A rollout. Tensors of tokens are flat, item after item."""

    answered: tuple[Answered, ...]
    """Responses to one prompt lie side by side."""
    scores: Tensor
    """(items,) after penalties, before any scaling."""
    log_probs: Tensor
    """(tokens,) of the policy that drew them, by the trainer."""
    reference: Tensor
    """(tokens,) of the reference."""
    values: dict[str, float]
    """What is recorded."""
    graph: dict[str, Tensor] = field(default_factory=dict)
    """Where it was asked for: `scored`, log_probs with gradients, of the very pass that gave them, and `entropies`."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the responses."""
        return tuple(len(item.response) for item in self.answered)


@torch.no_grad()
def collect(
    policy: Policy,
    reference: Policy,
    prompts: Sequence[Prompt],
    sampler: Sampler,
    reward: Reward,
    settings: RolloutSettings,
    number: int,
    keep_graph: bool = False,
) -> Collected:
    """Rollout `number` (from 0), a pure function of it and the policy's weights where the sampler is one.

    keep_graph: whether the pass over the responses is kept, so that a step which learns from all of them at once needs
    no other one. A single process can.
    Raises ValueError for scores that aren't finite and for a sampler that draws from something else than the policy,
    and DivergenceError for a policy that has collapsed or is lost.
    """
    chosen = Order(len(prompts), settings.prompts, settings.seed).places(number)
    asked = [prompts[index] for index in chosen for _ in range(settings.samples)]
    drawn, answered, cut, raw = _drawn_and_scored(asked, sampler, reward, settings, number)
    scores = raw.clamp(-settings.score_clip, settings.score_clip)
    if settings.truncation is None:
        complete = torch.tensor([item.ended for item in answered], device=scores.device)
        scores = scores - settings.missing_eos_penalty * (~complete).to(scores.dtype)
    else:
        complete = torch.tensor(cut, device=scores.device)
        scores = torch.where(complete, scores, settings.truncation.score)

    with torch.set_grad_enabled(keep_graph):
        parts = processes.in_order(
            lambda piece: compared(policy, reference, piece, settings.temperature),
            settings.pieces(answered, processes.count()),
        )
        scored, entropies, reference_log_probs, exact = (torch.cat(columns) for columns in zip(*parts, strict=True))
    log_probs = scored.detach()
    lengths = [len(item.response) for item in answered]
    scores = scores.to(log_probs.device, log_probs.dtype)
    told = torch.cat(
        [torch.as_tensor(item.log_probs)[:n].to(log_probs) for item, n in zip(drawn, lengths, strict=True)]
    )
    mismatch = (told - log_probs).abs()
    values = {
        "score": float(scores.mean()),
        "score_std": float(scores.std()) if len(scores) > 1 else 0.0,
        "score_raw": float(raw.mean()),
        "kl": float(per_response(exact, lengths).mean()),
        "kl_k1": float(per_response(k1(log_probs, reference_log_probs), lengths).mean()),
        "kl_k3": float(per_response(k3(log_probs, reference_log_probs), lengths).mean()),
        "entropy": float(entropies.mean()),
        "length": sum(lengths) / len(lengths),
        "truncated": 1 - float(complete.float().mean()),
        "length_score_correlation": _correlation(torch.tensor(lengths).to(scores), scores),
        "mismatch": float(mismatch.mean()),
        "mismatch_largest": float(mismatch.max()),
    }
    if settings.samples > 1:
        groups = [answered[start : start + settings.samples] for start in range(0, len(answered), settings.samples)]
        values["distinct"] = sum(len({item.response for item in group}) for group in groups) / len(answered)
        _refuse_copies(groups, per_response(log_probs, lengths).view(-1, settings.samples)[:, 0].tolist())
    _refuse_collapse(values, settings, number)
    graph = {"scored": scored, "entropies": entropies} if keep_graph else {}
    return Collected(tuple(answered), scores, log_probs, reference_log_probs, values, graph)


def _drawn_and_scored(
    asked: Sequence[Prompt], sampler: Sampler, reward: Reward, settings: RolloutSettings, number: int
) -> tuple[list[Drawn], list[Answered], list[bool], Tensor]:
    """Responses as drawn and as learned from, whether each was cut at `truncation`'s token, and raw scores."""

    def of(places: Sequence[int]) -> tuple[list[tuple[Drawn, Answered, bool]], Tensor]:
        prompts = [asked[place] for place in places]
        drawn = sampler(prompts, number)
        _refuse_other_prompts(prompts, drawn)
        kept = [(item.answered, False) for item in drawn]
        if settings.truncation is not None:
            kept = [truncated(answered, settings.truncation) for answered, _ in kept]
        rows = [(item, answered, cut) for item, (answered, cut) in zip(drawn, kept, strict=True)]
        return rows, checked_scores(reward, [answered for answered, _ in kept])

    shares = processes.places_by_value(asked)
    found = processes.in_order(of, shares)
    order = sorted(range(len(asked)), key=[place for share in shares for place in share].__getitem__)
    rows = [row for part, _ in found for row in part]
    drawn, answered, cut = map(list, zip(*(rows[index] for index in order), strict=True))
    return drawn, answered, cut, torch.cat([scores for _, scores in found])[order]


def checked_scores(reward: Reward, answered: Sequence[Answered]) -> Tensor:
    """(items,) fp32, detached. Raises ValueError where there is not one finite number for each response."""
    scores = reward(answered)
    if scores.shape != (len(answered),):
        raise ValueError(
            f"the reward function gave a tensor of shape {tuple(scores.shape)} for {len(answered)} responses: it "
            "must give one number for each."
        )
    scores = scores.detach().float()
    if not bool(scores.isfinite().all()):
        index = int((~scores.isfinite()).nonzero()[0])
        item = answered[index]
        count = int((~scores.isfinite()).sum())
        raise ValueError(
            f"the reward function gave {float(scores[index])} for the response {list(item.response)} to the prompt "
            f"{list(item.prompt)} ({count} of {len(answered)} scores are not finite): fix the reward, as one such "
            "number would spoil every weight."
        )
    return scores


def _refuse_other_prompts(asked: Sequence[Prompt], drawn: Sequence[Drawn]) -> None:
    if len(drawn) != len(asked):
        raise ValueError(f"the sampler gave {len(drawn)} responses to {len(asked)} prompts: it must answer each once.")
    for index, (prompt, item) in enumerate(zip(asked, drawn, strict=True)):
        if tuple(item.answered.prompt) != tuple(prompt):
            raise ValueError(f"response {index} of the sampler is to another prompt: keep the order of the prompts.")
        if len(item.log_probs) != len(item.answered.response):
            raise ValueError(f"response {index} of the sampler lacks a log-probability for each of its tokens.")


def _refuse_copies(groups: Sequence[Sequence[Answered]], log_probs: Sequence[float]) -> None:
    """A sampler that is seeded by the prompt alone answers a prompt always alike: nothing could be learned.

    log_probs: of the first response of each group. Independent samples all equal the first one of each group with
    probability exp((G - 1) * sum of them).
    """
    equal = all(item.response == group[0].response for group in groups for item in group)
    if equal and (len(groups[0]) - 1) * sum(log_probs) < math.log(1e-9):
        raise ValueError(
            f"the sampler gave all {len(groups[0])} samples of each prompt the same response, which independent "
            "samples would do with a probability below 1e-9: seed every sample apart."
        )


def _refuse_collapse(values: dict[str, float], settings: RolloutSettings, number: int) -> None:
    if values["mismatch"] > settings.mismatch_limit:
        raise ValueError(
            f"the sampler's log-probabilities differ from the trainer's by {values['mismatch']:.3g} nats per token in "
            f"rollout {number}: draw from the policy itself at temperature {settings.temperature:g}, without top-k or "
            "top-p, with its present weights."
        )
    if values["entropy"] < settings.entropy_limit:
        raise DivergenceError(
            f"the policy collapsed before rollout {number}: its entropy is {values['entropy']:.3g} nats per token, and "
            f"entropy_limit is {settings.entropy_limit:g}. Raise the KL coefficient or lower learning_rate."
        )
    if not values["kl"] <= settings.kl_limit:
        raise DivergenceError(
            f"the policy is {values['kl']:.3g} nats per response from its reference before rollout {number}, and "
            f"kl_limit is {settings.kl_limit:g}. Raise the KL coefficient or lower learning_rate."
        )


def _correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; 0 where one of them doesn't vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(a.norm() * b.norm())
    return float((a * b).sum()) / scale if scale > 1e-12 else 0.0
