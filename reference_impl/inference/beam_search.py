"""Beam search: the continuations that are most likely as a whole, rather than token by token.

The beam of a prompt is its `beams` best hypotheses by score, ended ones among them. Each step extends every hypothesis
that has not ended by every token and keeps the best of all; an ended one stays as it is until better ones push it out.
So one beam is greedy decoding, and a beam that is wide enough to lose nothing is exhaustive search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.inference.causal_model import Cache, CausalModel
from reference_impl.inference.generation import decode_step, pad_left, prefill
from reference_impl.inference.request import check_prompt, check_vocabulary
from reference_impl.inference.sampling import check_logits, ranked


@dataclass(frozen=True)
class Hypothesis:
    """One continuation of a prompt."""

    tokens: tuple[int, ...]
    """Its tokens, a stop id at the end included."""
    log_prob: float
    """Of the tokens together, in nats."""
    score: float
    """log_prob / len(tokens) ** length_penalty."""
    ended: bool
    """Whether it ends with a stop id."""


@torch.inference_mode()
def beam_search(
    model: CausalModel,
    prompts: Sequence[Sequence[int]],
    *,
    beams: int,
    max_new: int,
    length_penalty: float = 1.0,
    stop_ids: frozenset[int] = frozenset(),
    vocabulary: int | None = None,
    device: torch.device | str = "cpu",
) -> list[list[Hypothesis]]:
    """The best `beams` hypotheses of each prompt, best first; fewer where there are not so many.

    A hypothesis ends with a stop id or after `max_new` tokens. Score: log P(tokens) / len(tokens) ** length_penalty, as
    in `transformers`. 0 compares the likelihoods of whole continuations, which favours short ones; 1 compares means per
    token; more favours long ones. (Wu et al. 2016, equation 14, divide by ((5 + len) / 6) ** alpha instead.) Equal
    scores: the earlier hypothesis of the beam first, then the lower token id.
    Raises ValueError for no beam, no new token, a prompt that can't be continued, and logits that are not numbers.
    """
    size = check_vocabulary(model.config, vocabulary)
    if beams < 1 or max_new < 1:
        raise ValueError(f"beam search needs at least one beam and one new token, not {beams} and {max_new}.")
    for number, prompt in enumerate(prompts):
        check_prompt(f"prompt {number}", prompt, max_new, model.config, size)
    if not prompts:
        return []
    length = max(map(len, prompts)) + max_new - 1
    tokens, mask = pad_left(prompts, length, device)
    cache: Cache = model.new_cache(len(prompts), length)
    logits = prefill(model, cache, tokens, None if mask is None else mask[:, : tokens.size(1)])
    kept: list[list[Hypothesis]] = [[Hypothesis((), 0.0, 0.0, False)] for _ in prompts]
    while True:
        candidates = _extensions(logits[:, :size], min(beams, size))
        growing: list[tuple[int, Hypothesis]] = []
        row = 0  # rows of the cache: the hypotheses that have not ended, prompt by prompt
        for number, beam in enumerate(kept):
            found: list[tuple[Hypothesis, int]] = []
            for hypothesis in beam:
                if hypothesis.ended:
                    found.append((hypothesis, -1))
                    continue
                for token, log_prob in candidates[row]:
                    found.append((_extended(hypothesis, token, log_prob, length_penalty, stop_ids), row))
                row += 1
            found = sorted(found, key=lambda item: -item[0].score)[:beams]  # stable
            kept[number] = [hypothesis for hypothesis, _ in found]
            growing += [(parent, hypothesis) for hypothesis, parent in found if not hypothesis.ended]
        if not growing or len(growing[0][1].tokens) == max_new:
            return kept
        parents = torch.tensor([parent for parent, _ in growing], device=device)
        cache.select(parents)
        mask = None if mask is None else mask[parents]
        last = torch.tensor([[hypothesis.tokens[-1]] for _, hypothesis in growing], device=device)
        until = cache.length + 1
        logits = decode_step(model, cache, last, None if mask is None else mask[:, :until])


def _extensions(logits: Tensor, count: int) -> list[list[tuple[int, float]]]:
    """The `count` most likely tokens of each row with their log-probabilities, best first: no others can be kept."""
    check_logits(logits)
    log_probs = logits.double().log_softmax(-1)
    ids = ranked(logits, count)
    rows = zip(ids.tolist(), log_probs.gather(-1, ids).tolist(), strict=True)
    return [list(zip(tokens, values, strict=True)) for tokens, values in rows]


def _extended(
    hypothesis: Hypothesis, token: int, log_prob: float, length_penalty: float, stop_ids: frozenset[int]
) -> Hypothesis:
    tokens, total = (*hypothesis.tokens, token), hypothesis.log_prob + log_prob
    return Hypothesis(tokens, total, total / len(tokens) ** length_penalty, token in stop_ids)
