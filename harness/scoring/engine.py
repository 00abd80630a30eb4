"""The log-likelihood engine: many requests, each token of a shared prefix read once.

    [scores] = score(model, [Scored(ids, start)])
    scores.total, scores.all_greedy

The requests become a tree of shared prefixes (`prefix_tree`), the tree a list of forward passes (`plan`), each bounded
in memory beforehand (`budget`). A model that can't share, such as one with a sliding window, reads each request whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.errors import UserError
from harness.models.contract import HeadApart, LanguageModel
from harness.models.token_tree import layout
from harness.scoring.bf16 import bf16_through_fp32
from harness.scoring.budget import Budget, budget_for
from harness.scoring.plan import Pass, passes
from harness.scoring.prefix_tree import prefix_tree
from harness.scoring.request import OnScored, Scored, TokenScores
from harness.scoring.results import Results, Wanted
from harness.scoring.sharing import Held, can_share
from harness.scoring.token_log_probs import log_probs_by_head, token_log_probs


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
    context, vocabulary = model.identity.context, model.identity.vocabulary
    for request in requests:
        if len(request.ids) > context + 1:
            raise UserError(
                f"a request of {len(request.ids)} tokens doesn't fit the model's context of {context} (and the one "
                "token after it): cut it at its left",
                place=model.identity.name,
            )
        if not 0 <= min(request.ids) <= max(request.ids) < vocabulary:
            raise UserError(
                f"token id {max(request.ids)} is outside of the model's vocabulary of {vocabulary}: "
                "use the tokenizer that the model was made for",
                place=model.identity.name,
            )


def _finished(model: LanguageModel, requests: Sequence[Scored], results: Results) -> Iterator[list[int]]:
    """Run all passes; give the requests that each one finished."""
    budget, context = budget_for(model), model.identity.context
    if not can_share(model, max(len(request.read) for request in requests)):
        yield from _one_by_one(model, requests, results, budget)
        return
    planned = list(passes(prefix_tree(requests), budget, context))
    capacity = max(step.held + step.tokens for step in planned)
    keeps = [*(after.held > 0 for after in planned[1:]), False]
    held = Held(model, capacity) if any(keeps) else None
    for step, kept in zip(planned, keeps, strict=True):
        if held is not None:
            held.cut(step.held)
        yield _run(model, step, held if kept or step.held else None, results)


def _run(model: LanguageModel, step: Pass, held: Held | None, results: Results) -> list[int]:
    import torch

    device = model.identity.device
    visible, positions = layout(step.segments, step.held)
    read = (
        torch.tensor([[token for segment in step.segments for token in segment.ids]], device=device),
        None if held is None else held.cache,
        positions.to(device),
        None if visible is None else visible.to(device),
    )
    wanted = Wanted.by(step)
    rows, row = np.unique(wanted.positions, return_inverse=True)
    at = rows if len(rows) else np.array([step.tokens - 1])  # a model must give something
    places, which, tokens = (torch.from_numpy(part).to(device) for part in (at, row, results.tokens(wanted)))
    if isinstance(model, HeadApart) and model.head is not None:
        scores = log_probs_by_head(model.features(*read, places)[0], model.head, which, tokens)
    else:
        scores = token_log_probs(model.forward(*read, places)[0], which, tokens)
    return results.take(wanted, *scores)


def _one_by_one(
    model: LanguageModel, requests: Sequence[Scored], results: Results, budget: Budget
) -> Iterator[list[int]]:
    """Each request for itself, by what any model can do; in chunks where its logits are too many."""
    import torch

    device = model.identity.device
    for number, request in enumerate(requests):
        planned = list(passes(prefix_tree([request]), budget._replace(tokens=model.identity.context), len(request.ids)))
        cache = model.new_cache(1, len(request.read)) if len(planned) > 1 else None
        for step in planned:
            wanted = Wanted.by(step)
            read = torch.tensor([step.segments[0].ids], device=device)
            at = wanted.positions if len(wanted.positions) else np.array([step.tokens - 1])
            logits = model.forward(read, cache, logits_at=torch.from_numpy(at).to(device))[0]
            wanted = wanted.of(number)
            tokens = torch.from_numpy(results.tokens(wanted)).to(device)
            rows = torch.arange(len(tokens), device=device)
            done = results.take(wanted, *token_log_probs(logits, rows, tokens))
        yield done
