"""Beam search: the continuations that are most likely as a whole, rather than token by token.

The search of `transformers`, so that its numbers can be made again. A prompt has up to `beams` hypotheses that grow and
up to `beams` that have ended, compared by different scores: those that grow by the likelihood of their tokens together,
those that have ended by that over a power of their length. Each step extends every growing hypothesis by every token.
Of the best extensions the first `beams` that end are candidates for the one list, the first `beams` that don't are the
other. The search is over when no growing hypothesis is likely to beat the ended ones (`early_stopping`), or none grows.
One beam is greedy decoding, and a beam that is wide enough to lose nothing is exhaustive search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Cache, CausalModel
from reference_impl.decoding.generation import decode_step, pad_left, prefill
from reference_impl.decoding.request import check_prompt, check_vocabulary
from reference_impl.decoding.sampling import check_logits, ranked

Tokens = tuple[int, ...]
EarlyStopping = bool | Literal["never"]


@dataclass(frozen=True)
class Hypothesis:
    """One continuation of a prompt."""

    tokens: Tokens
    """Its tokens, a stop id at the end included."""
    log_probs: tuple[float, ...]
    """Of each token, in nats."""
    log_prob: float
    """Of the tokens together."""
    score: float
    """log_prob / len(tokens) ** length_penalty."""
    ended: bool
    """Whether it ends with a stop id, or by its text."""


@dataclass
class _Search:
    """The search after one prompt."""

    growing: list[Hypothesis] = field(default_factory=lambda: [Hypothesis((), (), 0.0, 0.0, False)])
    """By log_prob, best first."""
    finished: list[Hypothesis] = field(default_factory=list)
    """By score, best first: they have ended, or are as long as allowed."""


@torch.inference_mode()
def beam_search(
    model: CausalModel,
    prompts: Sequence[Sequence[int]],
    *,
    beams: int,
    max_new: int,
    length_penalty: float = 1.0,
    early_stopping: EarlyStopping = False,
    stop_ids: frozenset[int] = frozenset(),
    ends: Callable[[Sequence[Tokens]], Sequence[bool]] | None = None,
    vocabulary: int | None = None,
    device: torch.device | str = "cpu",
) -> list[list[Hypothesis]]:
    """The best `beams` hypotheses of each prompt, best first; fewer where there are not so many.

    A hypothesis ends with a stop id, or where `ends` says so, which is given the extensions of a step from the best to
    the worst, or after `max_new` tokens. Score: log P(tokens) / len(tokens) ** length_penalty. 0 compares the
    likelihoods of whole continuations, which favors short ones; 1 compares means per token; more favors long ones. (Wu
    et al. 2016, equation 14, divide by ((5 + len) / 6) ** alpha instead.)
    early_stopping: when `beams` hypotheses have ended, True stops at once; False as soon as the best that grows would
    not beat the worst of them if it ended now; "never" only if it could not at any length up to `max_new`.
    Equal likelihoods: the better hypothesis of the step before first, then the lower token id.
    Raises ValueError for no beam, no new token, a prompt that can't be continued, and logits that are not numbers.
    """
    size = check_vocabulary(model.config, vocabulary)
    if beams < 1 or max_new < 1:
        raise ValueError(f"beam search needs at least one beam and one new token, not {beams} and {max_new}.")
    for number, prompt in enumerate(prompts):
        check_prompt(f"prompt {number}", prompt, max_new, model.config)
    if not prompts:
        return []
    length = max(map(len, prompts)) + max_new - 1
    tokens, mask = pad_left(prompts, length, device)
    cache: Cache = model.new_cache(len(prompts), length)
    logits = prefill(model, cache, tokens, None if mask is None else mask[:, : tokens.size(1)])
    searches = [_Search() for _ in prompts]
    # more than are kept, so that enough are left to grow where the best of them all end
    wanted = 1 if beams == 1 else max(2, 1 + len(stop_ids)) * beams
    while True:
        extensions = _extensions(logits[:, :size], min(wanted, size))
        parents: list[int] = []
        row = 0  # rows of the cache: the hypotheses that grow, prompt by prompt
        for search in searches:
            found = [
                (_extended(hypothesis, token, log_prob, length_penalty, stop_ids), row + place)
                for place, hypothesis in enumerate(search.growing)
                for token, log_prob in extensions[row + place]
            ]
            row += len(search.growing)
            best = sorted(found, key=lambda item: -item[0].log_prob)[:wanted]  # stable
            best = _by_text(best, ends)
            if best:
                going = _step(search, best, beams, max_new, length_penalty, early_stopping)
                parents += [parent for _, parent in going]
        if not parents:
            return [search.finished for search in searches]
        rows = torch.tensor(parents, device=device)
        cache.select(rows)
        mask = None if mask is None else mask[rows]
        last = torch.tensor([[h.tokens[-1]] for search in searches for h in search.growing], device=device)
        until = cache.length + 1
        logits = decode_step(model, cache, last, None if mask is None else mask[:, :until])


_Candidate = tuple[Hypothesis, int]
"""A hypothesis, and the row of the cache that it extends."""


def _step(
    search: _Search,
    best: Sequence[_Candidate],
    beams: int,
    max_new: int,
    length_penalty: float,
    early_stopping: EarlyStopping,
) -> list[_Candidate]:
    """Take a step's extensions in, best first; give back those that go on growing, none where the search is over."""
    length = len(best[0][0].tokens)
    over = [hypothesis.ended or length == max_new for hypothesis, _ in best]
    was_full = len(search.finished) == beams
    if not (was_full and early_stopping is True):
        ended = [hypothesis for (hypothesis, _), done in zip(best[:beams], over[:beams], strict=True) if done]
        search.finished = sorted([*search.finished, *ended], key=lambda hypothesis: -hypothesis.score)[:beams]
    going = [candidate for candidate, done in zip(best, over, strict=True) if not done][:beams]
    if going and len(search.finished) == beams:
        longest = max_new if early_stopping == "never" and length_penalty > 0 else length
        possible = going[0][0].log_prob / longest**length_penalty
        if early_stopping is True or possible <= search.finished[-1].score:
            going = []
    search.growing = [hypothesis for hypothesis, _ in going]
    return going


def _by_text(
    candidates: list[_Candidate], ends: Callable[[Sequence[Tokens]], Sequence[bool]] | None
) -> list[_Candidate]:
    """The candidates, with those ended that end by their text."""
    if ends is None or not candidates:
        return candidates
    ended = ends([hypothesis.tokens for hypothesis, _ in candidates])
    return [
        (hypothesis if hypothesis.ended or not by_text else _ended(hypothesis), row)
        for (hypothesis, row), by_text in zip(candidates, ended, strict=True)
    ]


def _ended(hypothesis: Hypothesis) -> Hypothesis:
    return Hypothesis(hypothesis.tokens, hypothesis.log_probs, hypothesis.log_prob, hypothesis.score, True)


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
    log_probs = (*hypothesis.log_probs, log_prob)
    return Hypothesis(tokens, log_probs, total, total / len(tokens) ** length_penalty, token in stop_ids)
