"""Continuing prompts: read them once (prefill), then one token at a time (decode), each request in its own way.

Prefill and decode are apart because they are different work: prefill multiplies matrices and is bound by arithmetic,
decode multiplies a vector by every weight and is bound by memory. They are timed apart as well.

`generate` serves requests of any lengths together: one that has ended leaves the batch and the next takes its place.
What a request gets depends on the request alone: sequences are padded on the left with positions that count real tokens
and every request has random numbers of its own. What prompts share is read once (`reading`). (Rounding differs with the
number of rows in a matrix product, so a draw can change where two choices are equal to within that: about once in a
million tokens in fp32.)

    completions = generate(Engine(model), [Request(prompt, max_new=64, sampling=Sampling(top_p=0.9, seed=7))])
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Cache, CausalModel
from reference_impl.decoding.reading import Read, Reader
from reference_impl.decoding.request import (
    Completion,
    Continuation,
    Request,
    check_requests,
    check_vocabulary,
    request_stream,
)
from reference_impl.decoding.running_batch import Row, RunningBatch
from reference_impl.decoding.sampling import Sampling, check_logits, distribution, draw
from reference_impl.decoding.stop import Decode

ROWS = 16
"""Requests that are decoded at once: as many as the compiled kernel takes."""


@torch.inference_mode()
def prefill(model: CausalModel, cache: Cache, tokens: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read the prompts into an empty cache; give back the logits that follow them.

    tokens: (batch, time), padded on the left where attention_mask (batch, time) is 0.
    Returns logits: (batch, vocabulary).
    """
    last = torch.tensor([tokens.size(1) - 1], device=tokens.device)
    return model.forward(tokens, cache=cache, attention_mask=attention_mask, logits_at=last)[:, 0]


@torch.inference_mode()
def decode_step(model: CausalModel, cache: Cache, token: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Read one more token of each sequence; give back the logits that follow it.

    token: (batch, 1). attention_mask: (batch, cached + 1) if the prompts were padded.
    Returns logits: (batch, vocabulary).
    """
    return model.forward(token, cache=cache, attention_mask=attention_mask)[:, 0]


def generate(
    model: CausalModel,
    requests: Sequence[Request],
    *,
    decode: Decode | None = None,
    vocabulary: int | None = None,
    device: torch.device | str = "cpu",
    rows: int = ROWS,
) -> list[Completion]:
    """The completion of each request, in their order.

    decode: token ids to text, for `Completion.text` and stop strings. vocabulary: ids from here on are never drawn
    (the tokenizer's size, where the model's vocabulary is padded). device: the model's. rows: decoded at once.
    Raises ValueError for a request that can't be served (an empty prompt, an unknown token id, more tokens than the
    context holds, stop strings without `decode`), and for logits that are not numbers.
    """
    size = check_vocabulary(model.config, vocabulary)
    check_requests(requests, model.config, size, decode)
    growing = [Continuation(request, decode) for request in requests]
    for step in steps(model, growing, size, device, rows):
        for number, token, log_prob in zip(step.numbers, step.tokens, step.log_probs, strict=True):
            growing[number].push(token, log_prob)
    return [continuation.completion() for continuation in growing]


@dataclass(frozen=True)
class Step:
    """One new token of each of some sequences that are growing."""

    numbers: list[int]
    """Which requests these are, in the order of the rows below."""
    logits: Tensor
    """(rows, vocabulary): what the model said."""
    tokens: list[int]
    log_probs: list[float]
    """Of the tokens by the logits alone."""
    drawn_from: Tensor | None
    """`probabilities`; None where every row is greedy, which spares computing them."""

    @property
    def probabilities(self) -> Tensor:
        """(rows, vocabulary) float64: what the tokens were drawn from (`distribution`)."""
        if self.drawn_from is not None:
            return self.drawn_from
        certain = torch.zeros(self.logits.shape, dtype=torch.float64, device=self.logits.device)
        return certain.scatter_(-1, torch.tensor(self.tokens, device=self.logits.device)[:, None], 1.0)


@torch.inference_mode()
def steps(
    model: CausalModel,
    growing: Sequence[Continuation],
    vocabulary: int,
    device: torch.device | str = "cpu",
    rows: int = ROWS,
) -> Iterator[Step]:
    """Yield each step of decoding. Whoever consumes it pushes the tokens and so decides who goes on.

    Up to `rows` requests are decoded at once. When a fourth of the places is free, prompts that wait are read and take
    them, the longest first.
    """
    requests = [continuation.request for continuation in growing]
    wanting = {number: request.prompt for number, request in enumerate(requests) if growing[number].finish is None}
    if not wanting:
        return
    longest = max(len(requests[number].prompt) + requests[number].max_new - 1 for number in wanting)
    batch = RunningBatch(model, min(rows, len(wanting)), longest, device)
    reader = Reader(model, wanting, device, sharing=batch.divisible)
    ready: deque[Read] = deque()
    while True:
        while batch.free and (ready or not batch.rows or batch.free >= batch.places / 4):
            if not ready:
                ready.extend(reader.read(batch.free))
            reads = [ready.popleft() for _ in range(min(batch.free, len(ready)))]
            if not reads:
                break
            entering = [_row(requests[read.number], read, vocabulary, device) for read in reads]
            yield _step(torch.stack([read.logits for read in reads]), entering, requests, vocabulary)
            going = [place for place, row in enumerate(entering) if growing[row.number].finish is None]
            batch.enter([entering[place] for place in going], [reads[place] for place in going])
        if not batch.rows:
            return
        yield _step(batch.read_last(), batch.rows, requests, vocabulary)
        batch.keep([growing[row.number].finish is None for row in batch.rows])


def _row(request: Request, read: Read, vocabulary: int, device: torch.device | str) -> Row:
    seen = None
    if request.sampling.repetition_penalty != 1:
        seen = torch.zeros(vocabulary, dtype=torch.bool, device=device)
        seen[torch.tensor(list(request.prompt), device=device)] = True
    return Row(read.number, request_stream(request), seen, read.tokens)


def _step(logits: Tensor, rows: Sequence[Row], requests: Sequence[Request], vocabulary: int) -> Step:
    """Draw the next token of every row, and note it there."""
    logits = logits[:, :vocabulary]
    samplings = [requests[row.number].sampling for row in rows]
    if all(sampling.temperature == 0 and sampling.repetition_penalty == 1 for sampling in samplings):
        check_logits(logits)
        probabilities, chosen = None, logits.argmax(-1)  # the lowest id among equals
    else:
        probabilities = _distributions(logits, samplings, [row.seen for row in rows])
        uniforms = torch.stack([torch.rand((), generator=row.stream, dtype=torch.float64) for row in rows])
        chosen = draw(probabilities, uniforms.to(logits.device))
    tokens = chosen.tolist()
    for row, token in zip(rows, tokens, strict=True):
        row.last = token
        if row.seen is not None:
            row.seen[token] = True
    return Step([row.number for row in rows], logits, tokens, chosen_log_probs(logits, chosen).tolist(), probabilities)


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


def _distributions(logits: Tensor, samplings: Sequence[Sampling], seen: Sequence[Tensor | None]) -> Tensor:
    """`distribution` of every row by its own settings: rows with the same settings are computed together."""
    kinds = [replace(sampling, seed=0, sample=0, step=0) for sampling in samplings]
    found = torch.empty(logits.shape, dtype=torch.float64, device=logits.device)
    for kind in set(kinds):
        rows = [row for row, other in enumerate(kinds) if other == kind]
        held = [tokens for row in rows if (tokens := seen[row]) is not None]
        part = distribution(logits[rows], kind, torch.stack(held) if held else None)
        if len(rows) == len(kinds):
            return part
        found[rows] = part
    return found
