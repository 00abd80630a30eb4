"""What is asked of a model, and what came of it: a prompt to continue, and its continuation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from reference_impl.decoding.causal_model import Shape
from reference_impl.decoding.sampling import GREEDY, Sampling, request_generator
from reference_impl.decoding.stop import Decode, TextStream, find_stop

Finish = Literal["length", "stop_id", "stop_string"]
"""Why a continuation ended: it had all its tokens, drew a stop id, or its text reached a stop string."""


@dataclass(frozen=True)
class Request:
    """A prompt and how to continue it. The continuation depends on this and the model alone."""

    prompt: Sequence[int]
    """Token ids, one at least: where nothing comes before the continuation, the model's BOS token."""
    max_new: int
    """At most so many new tokens; 0 asks for nothing and gets it."""
    sampling: Sampling = GREEDY
    stop_ids: frozenset[int] = frozenset()
    """Drawing one of these ends the continuation."""
    stop_strings: tuple[str, ...] = ()
    """The continuation ends as soon as its text holds one of these; it may span tokens."""
    searched: Callable[[str], str | None] | None = None
    """Of the text so far, where stop strings are looked for (None: nowhere yet); left out, in all of it. What a model
    thinks before it answers may hold them."""
    ended_by: Callable[[Sequence[int]], bool] | None = None
    """Whether the tokens so far end the continuation, asked after each one; replaces the search for stop strings."""


def request_stream(request: Request) -> torch.Generator:
    """Its random numbers: see `request_generator`."""
    sampling = request.sampling
    return request_generator(sampling.seed, request.prompt, sampling.sample, sampling.step)


@dataclass(frozen=True)
class Completion:
    """A continuation."""

    tokens: tuple[int, ...]
    """Every token that was drawn, one that ended it included."""
    log_probs: tuple[float, ...]
    """Of each token under the model itself (temperature 1, no filter), in nats."""
    text: str | None
    """Its text, cut before a stop string (but whole where the request has `searched` or `ended_by`) and without a stop
    id; None where no `decode` was given."""
    finish: Finish


class Continuation:
    """A continuation while it grows."""

    def __init__(self, request: Request, decode: Decode | None) -> None:
        self.request = request
        self.tokens: list[int] = []
        self.log_probs: list[float] = []
        self.finish: Finish | None = "length" if request.max_new == 0 else None
        self._stream = None if decode is None else TextStream(decode)

    def push(self, token: int, log_prob: float) -> None:
        """Add a token; `finish` says afterwards whether it was the last."""
        self.tokens.append(token)
        self.log_probs.append(log_prob)
        last = len(self.tokens) == self.request.max_new
        if token in self.request.stop_ids:
            self.finish, last = "stop_id", True
        elif last:
            self.finish = "length"
        stream = self._stream
        if stream is None:
            return
        seen = len(stream.text)
        if self.finish != "stop_id":
            stream.push(token)
        if last:
            stream.flush()
        if self.request.ended_by is not None:
            if self.finish != "stop_id" and self.request.ended_by(self.tokens):
                self.finish = "stop_string"
            return
        if self.request.searched is not None:
            text = self.request.searched(stream.text)
            if text is not None and find_stop(text, self.request.stop_strings) is not None:
                self.finish = "stop_string"
            return
        cut = find_stop(stream.text, self.request.stop_strings, seen)
        if cut is not None:
            stream.text = stream.text[:cut]
            self.finish = "stop_string"

    def completion(self) -> Completion:
        """What came of it. ValueError while it still grows."""
        if self.finish is None:
            raise ValueError("the continuation has not ended yet.")
        text = None if self._stream is None else self._stream.text
        return Completion(tuple(self.tokens), tuple(self.log_probs), text, self.finish)


def check_vocabulary(shape: Shape, vocabulary: int | None) -> int:
    """How many ids may be drawn: `vocabulary`, or the whole of the model's. ValueError if the model has fewer."""
    if vocabulary is None:
        return shape.vocabulary
    if not 1 <= vocabulary <= shape.vocabulary:
        raise ValueError(
            f"a vocabulary of {vocabulary} tokens can't be drawn from logits of {shape.vocabulary}: "
            "give the tokenizer's size, at most the model's."
        )
    return vocabulary


def check_prompt(place: str, prompt: Sequence[int], max_new: int, shape: Shape) -> None:
    """ValueError for a prompt that can't be continued, in one sentence that begins with `place`."""
    if max_new < 0:
        raise ValueError(f"{place}: max_new must be at least 0, not {max_new}.")
    if len(prompt) == 0:
        raise ValueError(
            f"{place}: the prompt is empty, so nothing predicts the first token: begin it with the model's BOS token."
        )
    if min(prompt) < 0 or max(prompt) >= shape.vocabulary:
        wrong = next(token for token in prompt if not 0 <= token < shape.vocabulary)
        raise ValueError(f"{place}: the prompt has the unknown token id {wrong}; ids are 0 to {shape.vocabulary - 1}.")
    # The last new token is never read back, so it needs no room.
    if len(prompt) + max(max_new, 1) - 1 > shape.context:
        raise ValueError(
            f"{place}: {len(prompt)} prompt tokens and {max_new} new ones don't fit the model's context of "
            f"{shape.context}: shorten the prompt or ask for fewer."
        )


def check_requests(requests: Sequence[Request], shape: Shape, vocabulary: int, decode: Decode | None) -> None:
    """ValueError for the first request that can't be served."""
    for number, request in enumerate(requests):
        place = f"request {number}"
        check_prompt(place, request.prompt, request.max_new, shape)
        for token in request.stop_ids:
            if not 0 <= token < vocabulary:
                raise ValueError(f"{place}: the stop id {token} is unknown; ids are 0 to {vocabulary - 1}.")
        if "" in request.stop_strings:
            raise ValueError(f"{place}: a stop string is empty, and every text holds that: leave it out.")
        if request.stop_strings and decode is None:
            raise ValueError(f"{place}: stop strings need `decode`, which makes text of tokens.")
