"""Generation with any `LanguageModel`: the reference's decoding, driven through the contract.

One sampler, one beam search, one stop rule for every kind of model, so that two models decoded under the same settings
differ by their logits alone. Each kind of cache is used as far as it is right (`served`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from harness.errors import UserError
from harness.models.rereading import served
from harness.models.token_ids import why_unknown
from reference_impl.decoding.beam_search import EarlyStopping, beam_search
from reference_impl.decoding.generation import generate, steps
from reference_impl.decoding.request import Completion, Continuation, Finish, Request, check_prompt, check_requests
from reference_impl.decoding.sampling import Sampling
from reference_impl.decoding.speculative import Speculated, speculate

if TYPE_CHECKING:
    from harness.models.contract import LanguageModel


def drawable_ids(model: LanguageModel) -> int:
    """Ids that may be drawn: those that the tokenizer knows, where the model's vocabulary is padded beyond them."""
    return min(model.tokenizer.size, model.identity.vocabulary)


def complete(model: LanguageModel, requests: Sequence[Request]) -> list[Completion]:
    """The completion of each request, with its text.

    An empty prompt is legal where something stands for nothing before a text (`ModelIdentity.start`). Raises UserError
    for a request that can't be served.
    """
    asked = [replace(request, prompt=started(model, request.prompt)) for request in requests]
    found: dict[int, Completion] = {}
    try:
        check_requests(asked, model.identity, drawable_ids(model), model.tokenizer.decode)
        for numbers, longest in _by_cache(model, asked):
            completions = generate(
                served(model, longest),
                [asked[number] for number in numbers],
                decode=model.tokenizer.decode,
                vocabulary=drawable_ids(model),
                device=model.identity.device,
            )
            found |= dict(zip(numbers, completions, strict=True))
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error
    return [found[number] for number in range(len(asked))]


def _by_cache(model: LanguageModel, requests: Sequence[Request]) -> Iterator[tuple[list[int], int]]:
    """The places of requests that a cache may serve, then of those that it may not, with the tokens of the longest.

    The last token of a request is drawn and never read.
    """
    lengths = [len(request.prompt) + max(request.max_new, 1) - 1 for request in requests]
    served = [model.identity.cache.serves(length) for length in lengths]
    for kind in (True, False):
        numbers = [number for number, serves in enumerate(served) if serves is kind]
        if numbers:
            yield numbers, max(lengths[number] for number in numbers)


TokenRequest = Request
"""What is asked of a model in token ids (the reference's type, for who doesn't know the reference)."""
TokenCompletion = Completion
"""And what came of it."""


def token_request(
    model: LanguageModel,
    prompt: Sequence[int],
    max_new: int,
    *,
    temperature: float,
    top_p: float,
    top_k: int | None,
    min_p: float,
    repetition_penalty: float,
    seed: int,
    stop_ids: frozenset[int],
    stop_strings: tuple[str, ...],
    searched: Callable[[str], str | None] | None,
    ended_by: Callable[[Sequence[int]], bool] | None,
) -> TokenRequest:
    """A request that the model can serve. Raises ValueError, in one sentence, if it can't.

    searched: of the text so far, what is searched for stop strings; None: all of it. ended_by: whether the tokens so
    far end the continuation, in place of that search; None: the search decides.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, repetition_penalty, seed)
    if (why := why_unknown(model, prompt)) is not None:
        raise ValueError(why)
    check_prompt("the request", prompt, max_new, model.identity)
    return Request(prompt, max_new, sampling, stop_ids, stop_strings, searched, ended_by)


def complete_as_they_end(
    model: LanguageModel, requests: Sequence[TokenRequest], decode: Callable[[list[int]], str], rows: int
) -> Iterator[tuple[int, TokenCompletion]]:
    """The place and the completion of each request, as soon as it has ended.

    requests: of `token_request`. decode: token ids to text, where stop strings are looked for. rows: decoded at once.
    Raises UserError where the model's logits are not numbers.
    """
    growing = [Continuation(request, decode) for request in requests]
    yield from ((place, one.completion()) for place, one in enumerate(growing) if one.finish is not None)
    try:
        for numbers, longest in _by_cache(model, requests):
            some = [growing[number] for number in numbers]
            for step in steps(served(model, longest), some, drawable_ids(model), model.identity.device, rows):
                for number, token, log_prob in zip(step.numbers, step.tokens, step.log_probs, strict=True):
                    some[number].push(token, log_prob)
                yield from ((numbers[n], some[n].completion()) for n in step.numbers if some[n].finish is not None)
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error


def complete_step_by_step(
    model: LanguageModel, request: TokenRequest, decode: Callable[[list[int]], str]
) -> Iterator[Continuation]:
    """The continuation of one request after each of its tokens, the same object each time; of no tokens, none.

    decode: token ids to text, where stop strings are looked for. Raises UserError where the model's logits are not
    numbers.
    """
    growing = Continuation(request, decode)
    longest = len(request.prompt) + max(request.max_new, 1) - 1
    try:
        for step in steps(served(model, longest), [growing], drawable_ids(model), model.identity.device, rows=1):
            for token, log_prob in zip(step.tokens, step.log_probs, strict=True):
                growing.push(token, log_prob)
            yield growing
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error


def complete_by_beams(
    model: LanguageModel,
    request: TokenRequest,
    *,
    beams: int,
    length_penalty: float,
    early_stopping: EarlyStopping,
    ends: Callable[[Sequence[tuple[int, ...]]], Sequence[bool]],
) -> TokenCompletion:
    """The best completion that beam search finds (`beam_search`). ends: which of some continuations end by their text.

    Raises UserError where the model's logits are not numbers.
    """
    try:
        [[best, *_]] = beam_search(
            served(model, len(request.prompt) + request.max_new, divided=True),
            [request.prompt],
            beams=beams,
            max_new=request.max_new,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            stop_ids=request.stop_ids,
            ends=ends,
            vocabulary=drawable_ids(model),
            device=model.identity.device,
        )
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error
    by_id = best.tokens[-1] in request.stop_ids
    finish: Finish = "stop_id" if by_id else "stop_string" if best.ended else "length"
    return Completion(best.tokens, best.log_probs, None, finish)


def complete_speculatively(
    model: LanguageModel, draft: LanguageModel, request: Request, lookahead: int = 4
) -> Speculated:
    """The same for one request, with a smaller model that drafts. Raises UserError where their tokenizers differ."""
    if model.identity.tokenizer_digest != draft.identity.tokenizer_digest:
        raise UserError(
            f"the draft {draft.identity.name} has another tokenizer than {model.identity.name}: its tokens would mean "
            "other text; take a draft of the same family",
            place=model.identity.name,
        )
    asked = replace(request, prompt=started(model, request.prompt))
    longest = len(asked.prompt) + asked.max_new
    try:
        return speculate(
            served(model, longest, divided=True),
            served(draft, longest, divided=True),
            asked,
            lookahead=lookahead,
            decode=model.tokenizer.decode,
            vocabulary=min(drawable_ids(model), drawable_ids(draft)),
            device=model.identity.device,
        )
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error


def started(model: LanguageModel, prompt: Sequence[int]) -> Sequence[int]:
    """The prompt, or where it is empty what stands for nothing before a text. Raises UserError if nothing does."""
    if (why := why_unknown(model, prompt)) is not None:
        raise UserError(why, place=model.identity.name)
    if len(prompt) > 0:
        return prompt
    if not model.identity.start:
        raise UserError(
            "the prompt is empty and the tokenizer has no BOS token to begin with: give at least one token",
            place=model.identity.name,
        )
    return model.identity.start


@dataclass(frozen=True)
class Continued:
    """A continuation with what the model thought at each of its tokens."""

    tokens: tuple[int, ...]
    """Without the token that ended it."""
    ended: bool
    """Whether the model ended it (by an end token) before it was as long as asked for."""
    log_probs: tuple[float, ...]
    """Of each drawn token under the model itself, the one that ended it included, in nats."""
    entropies: tuple[float, ...]
    """Of the model's own distribution of each drawn token, in nats."""
    drawn_entropies: tuple[float, ...]
    """Of the distribution that it was drawn from: after temperature and filters."""


def continue_prompts(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    max_new: int,
    *,
    temperature: float,
    top_k: int | None,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    seeds: Sequence[int],
    stop_at_end: bool,
    on_tokens: Callable[[int], None] = lambda written: None,
) -> list[Continued]:
    """A continuation of each prompt by these decoding settings (`Sampling`), up to `max_new` tokens or one that
    ends it (`ModelIdentity.end_ids`).

    seeds: of each prompt's draws. Two equal prompts under one seed are continued alike, so give each its own.
    on_tokens: hears of each step how many tokens it wrote.
    Raises UserError where the model's logits are not numbers.
    """
    stops = frozenset(model.identity.end_ids if stop_at_end else ())
    vocabulary = drawable_ids(model)
    requests = [
        Request(
            started(model, prompt),
            max_new,
            Sampling(temperature, top_k, top_p, min_p, repetition_penalty, seed),
            stops,
        )
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    check_requests(requests, model.identity, vocabulary, decode=None)
    growing = [Continuation(request, decode=None) for request in requests]
    entropies: list[list[float]] = [[] for _ in growing]
    drawn: list[list[float]] = [[] for _ in growing]
    try:
        for numbers, longest in _by_cache(model, requests):
            some = [growing[number] for number in numbers]
            for step in steps(served(model, longest), some, vocabulary, model.identity.device):
                before = torch.special.entr(step.logits.double().softmax(-1)).sum(-1).tolist()
                after = torch.special.entr(step.probabilities).sum(-1).tolist()
                for row, number in enumerate(step.numbers):
                    some[number].push(step.tokens[row], step.log_probs[row])
                    entropies[numbers[number]].append(before[row])
                    drawn[numbers[number]].append(after[row])
                on_tokens(len(step.numbers))
    except ValueError as error:
        raise UserError(str(error), place=model.identity.name) from error
    found: list[Continued] = []
    for continuation, own, filtered in zip(growing, entropies, drawn, strict=True):
        ended = continuation.finish == "stop_id"
        tokens = continuation.tokens[:-1] if ended else continuation.tokens
        found.append(Continued(tuple(tokens), ended, tuple(continuation.log_probs), tuple(own), tuple(filtered)))
    return found
