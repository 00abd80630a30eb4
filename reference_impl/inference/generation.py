"""Continuing prompts: read them once (prefill), then one token at a time (decode), each request in its own way.

Prefill and decode are apart because they are different work: prefill multiplies matrices and is bound by arithmetic,
decode multiplies a vector by every weight and is bound by memory. They are timed apart as well.

`generate` serves requests of any lengths together. What a request gets depends on the request alone: prompts are padded
on the left with positions that count real tokens, every request has random numbers of its own, and a request that has
ended leaves the batch. (Rounding differs with the number of rows in a matrix product, so a draw can change
where two choices are equal to within that: about once in a million tokens in fp32.)

    completions = generate(Engine(model), [Request(prompt, max_new=64, sampling=Sampling(top_p=0.9, seed=7))])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impl.inference.causal_model import Cache, CausalModel
from reference_impl.inference.request import Completion, Continuation, Request, check_requests, check_vocabulary
from reference_impl.inference.sampling import Sampling, distribution, draw, request_generator
from reference_impl.inference.stop import Decode


@torch.inference_mode()
def prefill(model: CausalModel, cache: Cache, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read the prompts into an empty cache; give back the logits that follow them.

    tokens: (batch, time), padded on the left where attention_mask (batch, time) is 0.
    Returns logits: (batch, vocabulary).
    """
    last = torch.tensor([tokens.size(1) - 1], device=tokens.device)
    return model(tokens, cache=cache, attention_mask=attention_mask, logits_at=last)[:, 0]


@torch.inference_mode()
def decode_step(model: CausalModel, cache: Cache, token: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read one more token of each sequence; give back the logits that follow it.

    token: (batch, 1). attention_mask: (batch, cached + 1) if the prompts were padded.
    Returns logits: (batch, vocabulary).
    """
    return model(token, cache=cache, attention_mask=attention_mask)[:, 0]


def generate(
    model: CausalModel,
    requests: Sequence[Request],
    *,
    decode: Decode | None = None,
    vocabulary: int | None = None,
    device: torch.device | str = "cpu",
) -> list[Completion]:
    """The completion of each request, in their order.

    decode: token ids to text, for `Completion.text` and stop strings. vocabulary: ids from here on are never drawn
    (the tokenizer's size, where the model's vocabulary is padded). device: the model's.
    Raises ValueError for a request that can't be served (an empty prompt, an unknown token id, more tokens than the
    context holds, stop strings without `decode`), and for logits that are not numbers.
    """
    size = check_vocabulary(model.config, vocabulary)
    check_requests(requests, model.config, size, decode)
    growing = [Continuation(request, decode) for request in requests]
    for step in steps(model, growing, size, device):
        for number, token, log_prob in zip(step.numbers, step.tokens, step.log_probs, strict=True):
            growing[number].push(token, log_prob)
    return [continuation.completion() for continuation in growing]


@dataclass(frozen=True)
class Step:
    """One new token of each sequence that is still growing."""

    numbers: list[int]
    """Which requests these are, in the order of the rows below."""
    logits: Tensor
    """(rows, vocabulary): what the model said."""
    probabilities: Tensor
    """(rows, vocabulary) float64: what the tokens were drawn from (`distribution`)."""
    tokens: list[int]
    log_probs: list[float]
    """Of the tokens by the logits alone."""


@torch.inference_mode()
def steps(
    model: CausalModel, growing: Sequence[Continuation], vocabulary: int, device: torch.device | str = "cpu"
) -> Iterator[Step]:
    """Yield each step of decoding. Whoever consumes it pushes the tokens and so decides who goes on.

    Requests that don't fit into one padded batch, a long prompt beside a long continuation, are served in turn.
    """
    for batch in padded_batches([c.request for c in growing], model.config.context):
        live = [number for number in batch if growing[number].finish is None]
        prompts = [growing[number].request.prompt for number in live]
        longest = max(map(len, prompts))
        length = longest + max(growing[number].request.max_new for number in live) - 1
        tokens, mask = pad_left(prompts, length, device)
        cache: Cache = model.new_cache(len(live), length)
        seen = _seen(prompts, [growing[number].request.sampling for number in live], vocabulary, device)
        streams = [request_generator(growing[n].request.sampling.seed, growing[n].request.prompt) for n in live]
        logits = prefill(model, cache, tokens, None if mask is None else mask[:, :longest])
        while True:
            logits = logits[:, :vocabulary]
            probabilities = _distributions(logits, [growing[number].request.sampling for number in live], seen)
            uniforms = torch.stack([torch.rand((), generator=stream, dtype=torch.float64) for stream in streams])
            chosen = draw(probabilities, uniforms.to(device))
            log_probs = chosen_log_probs(logits, chosen)
            yield Step(live, logits, probabilities, chosen.tolist(), log_probs.tolist())
            if seen is not None:
                seen[torch.arange(len(live), device=device), chosen] = True
            rows = [row for row, number in enumerate(live) if growing[number].finish is None]
            if not rows:
                break
            if len(rows) < len(live):
                live, streams = [live[row] for row in rows], [streams[row] for row in rows]
                index = torch.tensor(rows, device=device)
                cache.select(index)
                chosen = chosen[index]
                mask = None if mask is None else mask[index]
                seen = None if seen is None else seen[index]
            until = cache.length + 1
            logits = decode_step(model, cache, chosen[:, None], None if mask is None else mask[:, :until])


def padded_batches(requests: Sequence[Request], context: int) -> list[list[int]]:
    """Numbers of the requests that want tokens, shared out so that each batch fits the context when it is padded.

    First fit, longest prompts first: a row's place in the cache is the longest prompt's and its own new tokens.
    """
    batches: list[list[int]] = []
    wanting = [number for number, request in enumerate(requests) if request.max_new > 0]
    for number in sorted(wanting, key=lambda n: -len(requests[n].prompt)):
        for batch in batches:
            if len(requests[batch[0]].prompt) + requests[number].max_new - 1 <= context:
                batch.append(number)
                break
        else:
            batches.append([number])
    return batches


def pad_left(prompts: Sequence[Sequence[int]], length: int, device: torch.device | str) -> tuple[Tensor, Tensor | None]:
    """Prompts as one tensor, and which tokens of the whole sequence are real.

    Returns tokens: (batch, longest) int64, and an attention mask (batch, length) that is 0 at the padding and 1 after
    it, for all tokens to come; None where all prompts are equally long.
    """
    longest = max(map(len, prompts))
    rows = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    tokens = torch.tensor(rows, dtype=torch.int64, device=device)
    if all(len(prompt) == longest for prompt in prompts):
        return tokens, None
    padding = torch.tensor([longest - len(prompt) for prompt in prompts], device=device)
    return tokens, (torch.arange(length, device=device) >= padding[:, None]).long()


def chosen_log_probs(logits: Tensor, chosen: Tensor) -> Tensor:
    """Log-probability of the chosen tokens. logits: (rows, vocabulary); chosen: (rows,). Returns (rows,) fp32."""
    logits = logits.float()
    return logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)


def _distributions(logits: Tensor, samplings: Sequence[Sampling], seen: Tensor | None) -> Tensor:
    """`distribution` of every row by its own settings: rows with the same settings are computed together."""
    kinds = [replace(sampling, seed=0) for sampling in samplings]
    if len(set(kinds)) == 1:
        return distribution(logits, kinds[0], seen)
    found = torch.empty(logits.shape, dtype=torch.float64, device=logits.device)
    for kind in set(kinds):
        rows = torch.tensor([row for row, other in enumerate(kinds) if other == kind], device=logits.device)
        found[rows] = distribution(logits[rows], kind, None if seen is None else seen[rows])
    return found


def _seen(
    prompts: Sequence[Sequence[int]], samplings: Sequence[Sampling], vocabulary: int, device: torch.device | str
) -> Tensor | None:
    """Which tokens each prompt has: (batch, vocabulary) bool; None where no request has a repetition penalty."""
    if all(sampling.repetition_penalty == 1 for sampling in samplings):
        return None
    seen = torch.zeros(len(prompts), vocabulary, dtype=torch.bool, device=device)
    for row, prompt in zip(seen, prompts, strict=True):
        row[torch.tensor(list(prompt), device=device)] = True
    return seen
