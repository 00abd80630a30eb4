"""The log-likelihood engine: many requests, each token of a shared prefix read once.

    [scores] = score(model, [Scored(ids, start)])
    scores.total, scores.all_greedy

The requests become a tree of shared prefixes (`prefix_tree`), the tree a list of forward passes (`plan`), each bounded
in memory beforehand (`budget`). A model that can't share, such as one with a sliding window, reads each request whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.errors import UserError
from harness.models.contract import LanguageModel
from harness.models.token_ids import why_unknown
from harness.models.token_tree import layout
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.budget import budget_for
from harness.scoring.head_slices import Reading, logits_in_slices
from harness.scoring.plan import Pass, passes
from harness.scoring.prefix_tree import prefix_tree
from harness.scoring.request import OnScored, Scored, TokenScores
from harness.scoring.results import Results, Wanted
from harness.scoring.sharing import can_share
from harness.scoring.token_log_probs import log_probs_in_slices


def score(model: LanguageModel, requests: Sequence[Scored], *, on_scored: OnScored | None = None) -> list[TokenScores]:
    """The scores of each request, in the order of `requests`.

    on_scored: told of requests as they are done, in the engine's order, so that they can be kept before all are. Which
    requests are asked together changes a log-probability by rounding alone (1e-5 in fp32).
    UserError where a request doesn't fit the model, and where the model's logits are NaN.
    """
    import torch

    _check(model, requests)
    if not requests:
        return []
    results = Results(model.identity.name, requests)
    with torch.inference_mode(), bf16_through_fp32():
        for done in _finished(model, requests, results):
            if done and on_scored is not None:
                on_scored(done, [results.of(number) for number in done])
    return [results.of(number) for number in range(len(requests))]


def _check(model: LanguageModel, requests: Sequence[Scored]) -> None:
    context = model.identity.context
    for request in requests:
        if len(request.ids) > context + 1:
            raise UserError(
                f"a request of {len(request.ids)} tokens doesn't fit the model's context of {context} (and the one "
                "token after it): cut it at its left",
                place=model.identity.name,
            )
        if (why := why_unknown(model, request.ids)) is not None:
            raise UserError(why, place=model.identity.name)


def _finished(model: LanguageModel, requests: Sequence[Scored], results: Results) -> Iterator[list[int]]:
    """Run all passes; give the requests that each one finished."""
    budget, context = budget_for(model), model.identity.context
    if not can_share(model, max(len(request.read) for request in requests)):
        yield from _one_by_one(model, requests, results)
        return
    planned = list(passes(prefix_tree(requests), budget, context))
    capacity = max(step.held + step.tokens for step in planned)
    keeps = [*(after.held > 0 for after in planned[1:]), False]
    cache = model.new_cache(1, capacity) if any(keeps) else None
    for step, kept in zip(planned, keeps, strict=True):
        if cache is not None and cache.length > step.held:
            cache.truncate(step.held)
        yield _run(model, step, cache if kept or step.held else None, results)


def _run(model: LanguageModel, step: Pass, cache: Any, results: Results) -> list[int]:
    import torch

    device = model.identity.device
    visible, positions = layout(step.segments, step.held)
    reading = Reading(
        torch.tensor([[token for segment in step.segments for token in segment.ids]], device=device),
        cache,
        positions.to(device),
        None if visible is None else visible.to(device),
    )
    wanted = Wanted.by(step)
    rows, row = np.unique(wanted.positions, return_inverse=True)
    at = rows if len(rows) else np.array([step.tokens - 1])  # a model must give something
    places, which, tokens = (torch.from_numpy(part).to(device) for part in (at, row, results.tokens(wanted)))
    return results.take(wanted, *log_probs_in_slices(logits_in_slices(model, reading, places), which, tokens))


def _one_by_one(model: LanguageModel, requests: Sequence[Scored], results: Results) -> Iterator[list[int]]:
    """Each request for itself, in one pass and without a cache: by what any model can do."""
    import torch

    device = model.identity.device
    for number, request in enumerate(requests):
        scored = np.arange(request.start, len(request.ids))
        wanted = Wanted(scored - 1, np.full_like(scored, number), scored - request.start)
        reading = Reading(torch.tensor([request.read], device=device))
        slices = logits_in_slices(model, reading, torch.from_numpy(wanted.positions).to(device))
        tokens = torch.from_numpy(results.tokens(wanted)).to(device)
        yield results.take(wanted, *log_probs_in_slices(slices, torch.arange(len(tokens), device=device), tokens))
