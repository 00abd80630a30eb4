"""Speculative decoding: a small model drafts a few tokens, the large one checks them all in one pass.

Decoding is bound by reading the weights, so the large model reads k + 1 tokens in about the time of one. A drafted
token x is kept with probability min(1, p(x) / q(x)), where p and q are the probabilities that the large and the small
model would draw it with, filters included. The first that is refused is replaced by a draw from max(0, p - q),
normalized; if none is refused the large model's own next token comes on top. What comes out is distributed exactly as
if the large model had been sampled alone, and with temperature 0 it is its greedy continuation (Leviathan et al. 2023,
algorithm 1 and appendix A.1; Chen et al. 2023, algorithm 2).

One request at a time: several rows would accept different numbers of tokens, and with many rows decoding is no longer
bound by the weights that speculation saves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.decoding.causal_model import Cache, CausalModel
from reference_impl.decoding.generation import chosen_log_probs
from reference_impl.decoding.request import (
    Completion,
    Continuation,
    Request,
    check_requests,
    check_vocabulary,
    request_stream,
)
from reference_impl.decoding.sampling import Sampling, distribution, draw
from reference_impl.decoding.stop import Decode


@dataclass(frozen=True)
class Speculated:
    """A completion, and how well the draft did."""

    completion: Completion
    drafted: int
    """Tokens that the draft proposed."""
    accepted: int
    """Those of them that the target kept."""
    passes: int
    """Forward passes of the target; decoding alone takes one per token."""

    @property
    def acceptance_rate(self) -> float:
        """accepted / drafted; NaN where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else float("nan")


@torch.inference_mode()
def speculate(
    target: CausalModel,
    draft: CausalModel,
    request: Request,
    *,
    lookahead: int = 4,
    decode: Decode | None = None,
    vocabulary: int | None = None,
    device: torch.device | str = "cpu",
) -> Speculated:
    """The target's completion of one request, sooner.

    lookahead: tokens that are drafted before each check. The tokens depend on the seed and the prompt, and are other
    ones than `generate` draws, from the same distribution; greedy ones are the same (to within rounding: a pass of
    k + 1 tokens and one of a single token may differ where two tokens are equally likely).
    Raises ValueError where the two models' vocabularies differ (unless `vocabulary` says how many ids both share),
    where the request fits one of the contexts and not the other, and as `generate` does.
    """
    if vocabulary is None and target.config.vocabulary != draft.config.vocabulary:
        raise ValueError(
            f"the target has {target.config.vocabulary} token ids and the draft {draft.config.vocabulary}: a draft "
            "must have the target's tokenizer. If it has, and only the padding differs, give `vocabulary`, its size."
        )
    if lookahead < 1:
        raise ValueError(f"lookahead must be at least 1, not {lookahead}.")
    for model in (target, draft):
        size = check_vocabulary(model.config, vocabulary)
        check_requests([request], model.config, size, decode)
    continuation = Continuation(request, decode)
    text = list(request.prompt)
    length = len(text) + max(request.max_new, 1) - 1
    readers = [_Reader(model, length, request.sampling, size, device) for model in (target, draft)]
    stream = request_stream(request)
    drafted = accepted = passes = 0
    while continuation.finish is None:
        room = request.max_new - len(continuation.tokens)
        proposed, guesses = _propose(readers[1], text, min(lookahead, room - 1), stream)
        logits, truths = readers[0].read(text + proposed, len(proposed) + 1)
        kept, token = verify(proposed, truths, guesses, stream)
        drafted, accepted, passes = drafted + len(proposed), accepted + kept, passes + 1
        new = torch.tensor([*proposed[:kept], token], device=device)
        for chosen, log_prob in zip(new.tolist(), chosen_log_probs(logits[: kept + 1], new).tolist(), strict=True):
            if continuation.finish is None:
                text.append(chosen)
                continuation.push(chosen, log_prob)
        for reader in readers:
            reader.rewind(len(text) - 1)
    return Speculated(continuation.completion(), drafted, accepted, passes)


def verify(proposed: list[int], truths: Tensor, guesses: Tensor, stream: torch.Generator) -> tuple[int, int]:
    """How many of the proposed tokens are kept, and the token that comes after them.

    truths: (n + 1, vocabulary), what the target would draw from at each position and after the last. guesses: (n,
    vocabulary), what the draft drew from. Both float64.
    """
    for place, token in enumerate(proposed):
        if _uniform(stream) * float(guesses[place, token]) < float(truths[place, token]):
            continue
        return place, _drawn(residual(truths[place], guesses[place]), stream)
    return len(proposed), _drawn(truths[len(proposed)], stream)


def residual(truth: Tensor, guess: Tensor) -> Tensor:
    """What the target would draw and the draft did not offer enough: max(0, p - q), normalized. (vocabulary,)."""
    left = (truth - guess).clamp(min=0)
    return left / left.sum()


def _propose(reader: _Reader, text: list[int], count: int, stream: torch.Generator) -> tuple[list[int], Tensor]:
    """`count` tokens drawn one by one after the text, and the distributions they came from: (count, vocabulary)."""
    proposed: list[int] = []
    guesses = []
    for _ in range(count):
        _, probabilities = reader.read(text + proposed, 1)
        guesses.append(probabilities)
        proposed.append(_drawn(probabilities[0], stream))
    return proposed, torch.cat(guesses) if guesses else torch.empty(0, reader.vocabulary)


class _Reader:
    """One of the two models with its cache."""

    def __init__(
        self, model: CausalModel, length: int, sampling: Sampling, vocabulary: int, device: torch.device | str
    ) -> None:
        self._model = model
        self._cache: Cache = model.new_cache(1, length)
        self._sampling = sampling
        self.vocabulary = vocabulary
        self._device = device

    def read(self, text: list[int], count: int) -> tuple[Tensor, Tensor]:
        """Read what is new of the text. Returns the logits after each of its last `count` tokens, and what is drawn
        from them: (count, vocabulary) each."""
        new = torch.tensor([text[self._cache.length :]], device=self._device)
        at = torch.arange(new.size(1) - count, new.size(1), device=self._device)
        logits = self._model.forward(new, cache=self._cache, logits_at=at)[0, :, : self.vocabulary]
        return logits, distribution(logits, self._sampling, self._seen(text, count))

    def rewind(self, length: int) -> None:
        """Forget what was read beyond `length` tokens."""
        self._cache.truncate(min(length, self._cache.length))

    def _seen(self, text: list[int], count: int) -> Tensor | None:
        """Which tokens had been there at each of the last `count` positions: (count, vocabulary) bool."""
        if self._sampling.repetition_penalty == 1:
            return None
        seen = torch.zeros(count, self.vocabulary, dtype=torch.bool, device=self._device)
        for row, end in enumerate(range(len(text) - count + 1, len(text) + 1)):
            seen[row, torch.tensor(text[:end], device=self._device)] = True
        return seen


def _uniform(stream: torch.Generator) -> float:
    return float(torch.rand((), generator=stream, dtype=torch.float64))


def _drawn(probabilities: Tensor, stream: torch.Generator) -> int:
    uniform = torch.tensor([_uniform(stream)], dtype=torch.float64, device=probabilities.device)
    return int(draw(probabilities[None], uniform))
