"""Answers that a model writes: text prompts in, texts out, served together and each as if alone.

The conventions are lm-eval's. The context is encoded as the tokenizer does by default (a BOS where it adds one), and
cut at its left to what leaves room for the answer. An answer ends at the end-of-text token or at the first of its stop
strings, to which the end-of-text token's own spelling belongs. Its text is without special tokens, cut at the first
occurrence of each stop string in turn, and not stripped.

What lm-eval 0.4.13 does otherwise, whatever our mode:

* It cuts contexts to the length of the longest of a batch after padding them, so that what a short one loses depends on
  its neighbours; here it is what batch size 1 gives.
* A context that can't leave room for the answer ends its whole run; here it is refused alone.
* It draws from one global stream of random numbers, so that a sampled answer depends on all that was drawn before; here
  the stream belongs to (seed, task, document, sample).
* `transformers` adds what the model's `generation_config.json` says (a repetition penalty, top-k, other end tokens);
  here nothing is added to what the task asks for.
* Spaces are left as decoded; `transformers` tidies them for the tokenizers that say `clean_up_tokenization_spaces`.
* An empty context is an error there; here it stands for BOS, or the end-of-text token where there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.models.contract import LanguageModel, ModelIdentity, Tokenizer
from harness.scoring.pairs import Mode

if TYPE_CHECKING:
    from harness.models.decoding import TokenCompletion, TokenRequest

CACHE_BYTES = 1 << 29
"""Most bytes of keys and values that rows are chosen for; a single row may need more."""
MOST_ROWS = {"cpu": 16}
"""Requests at once, by the kind of device: on a CPU what the compiled kernel takes."""
MOST_ROWS_ELSEWHERE = 64


@dataclass(frozen=True)
class TextRequest:
    """A context and how to go on from it."""

    context: str | tuple[int, ...]
    """Text, or token ids, which are taken as they are."""
    until: tuple[str, ...]
    """Stop strings; an empty one says nothing."""
    max_new: int
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int | None = None
    samples: int = 1
    """So many answers, each drawn for itself; greedy ones are all the same and computed once."""
    seed: int = 0
    task: str = ""
    document: int = 0
    """Seed, task and document determine the draws."""


Finish = Literal["stop_string", "end", "length"]
"""What ended an answer: a stop string, the end-of-text token, or `max_new`, which cut it off."""


@dataclass(frozen=True)
class WrittenAnswer:
    """One answer."""

    text: str
    tokens: tuple[int, ...]
    """Every token that was drawn, one that ended it included."""
    log_probs: tuple[float, ...]
    """Of each token under the model itself, in nats."""
    finish: Finish


@dataclass(frozen=True)
class Completed:
    """What came of a request."""

    answers: tuple[WrittenAnswer, ...]
    prompt: tuple[int, ...]
    """What the model read."""
    cut: int
    """Tokens of the context that were dropped at its left because it was too long."""

    @property
    def texts(self) -> list[str]:
        """The answers' texts."""
        return [answer.text for answer in self.answers]


@dataclass(frozen=True)
class Refused:
    """A request that can't be served; the others are."""

    reason: str
    """One sentence with the mend."""


OnDone = Callable[[int, Completed | Refused], None]
"""Called with the place of a request as soon as all its answers are there."""


def complete_texts(
    model: LanguageModel,
    requests: Sequence[TextRequest],
    on_done: OnDone | None = None,
    mode: Mode = "right",
    visible: int | None = None,
) -> list[Completed | Refused]:
    """The answers to each request, in their order.

    mode: where a context is cut at its left, `lm-eval` cuts off its BOS too; `right` keeps it. visible: tokens that the
    model may see at once, at most its context, which it is where left out.

    An answer depends on its request and the model alone, so serving only those that a killed run had not finished gives
    the same. Raises UserError where the model's logits are not numbers.
    """
    from harness.models.decoding import complete_as_they_end

    decode = without_special_tokens(model.tokenizer)
    found: dict[int, Completed | Refused] = {}
    prepared: dict[int, _Prepared] = {}
    asked: list[TokenRequest] = []
    owners: list[int] = []
    firsts: dict[int, int] = {}

    def done(place: int, result: Completed | Refused) -> None:
        found[place] = result
        if on_done is not None:
            on_done(place, result)

    for place, request in enumerate(requests):
        try:
            prepared[place] = _prepared(model, request, mode, visible or model.identity.context)
        except ValueError as error:
            done(place, Refused(str(error)))
            continue
        firsts[place] = len(asked)
        owners += [place] * len(prepared[place].asked)
        asked += prepared[place].asked
    waiting = {place: len(one.asked) for place, one in prepared.items()}
    answers: list[WrittenAnswer | None] = [None] * len(asked)
    longest = max((len(one.prompt) + one.max_new for one in asked), default=1)
    for number, whole in complete_as_they_end(model, asked, decode, rows_at_once(model.identity, longest)):
        answers[number] = _answer(whole, asked[number], model.tokenizer, decode)
        place = owners[number]
        waiting[place] -= 1
        if waiting[place] == 0:
            first = firsts[place]
            mine = answers[first : first + len(prepared[place].asked)]
            prompt, cut = tuple(asked[first].prompt), prepared[place].cut
            alike = requests[place].samples // len(mine)  # greedy ones are computed once
            done(place, Completed(tuple(a for a in mine if a is not None) * alike, prompt, cut))
    return [found[place] for place in range(len(requests))]


@dataclass(frozen=True)
class _Prepared:
    """A request in token ids: one for each answer, a single one where all would be the same."""

    asked: list[TokenRequest]
    cut: int


def rows_at_once(identity: ModelIdentity, longest: int) -> int:
    """How many requests to decode at once, so that a cache of sequences up to `longest` tokens is not too large."""
    most = MOST_ROWS.get(identity.device.split(":")[0], MOST_ROWS_ELSEWHERE)
    return max(1, min(most, CACHE_BYTES // max(1, longest * identity.kv_bytes_per_token)))


def context_ids(tokenizer: Tokenizer, context: str) -> list[int]:
    """Token ids of a context as the tokenizer gives them by default: with BOS where it adds one and none is written.

    An empty context is BOS, or the end-of-text token. ValueError where there is neither.
    """
    ids = tokenizer.encode(context)
    bos = tokenizer.bos_id
    if tokenizer.adds_bos and bos is not None and ids[:1] != [bos]:
        return [bos, *ids]
    if ids:
        return ids
    begin = bos if bos is not None else tokenizer.eos_id
    if begin is None:
        raise ValueError("the context is empty and the tokenizer has no BOS or end-of-text token to begin with.")
    return [begin]


def without_special_tokens(tokenizer: Tokenizer) -> Callable[[list[int]], str]:
    """`tokenizer.decode` that leaves special tokens (those that stand for no text) out."""
    stands: dict[int, bool] = {}

    def decode(ids: list[int]) -> str:
        for token in ids:
            if token not in stands:
                stands[token] = tokenizer.token_bytes([token]) != [0]
        return tokenizer.decode([token for token in ids if stands[token]])

    return decode


def sample_seed(seed: int, task: str, document: int, sample: int) -> int:
    """The seed of one answer's draws: determined by these four alone."""
    digest = hashlib.blake2b(repr((seed, task, document, sample)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """The text up to the first occurrence of the first stop string, then of the second in what is left, and so on."""
    for stop in stops:
        text = text.split(stop, 1)[0] if stop else text
    return text


def _prepared(model: LanguageModel, request: TextRequest, mode: Mode, context: int) -> _Prepared:
    """Raises ValueError, in one sentence, for a request that can't be served."""
    from harness.models.decoding import token_request

    tokenizer = model.tokenizer
    if request.samples < 1:
        raise ValueError(f"samples must be at least 1, not {request.samples}.")
    ids = context_ids(tokenizer, request.context) if isinstance(request.context, str) else list(request.context)
    room = context - request.max_new
    if room < 1:
        raise ValueError(
            f"{request.max_new} new tokens leave no room for the prompt in the model's context of {context}: ask for "
            f"at most {context - 1}."
        )
    cut = max(0, len(ids) - room)
    prompt = tuple(ids[cut:])
    if cut and mode == "right" and tokenizer.adds_bos and ids[0] == tokenizer.bos_id:
        prompt = (ids[0], *prompt[1:])
    ends, stops = stops_of(tokenizer, request.until)
    asked = [
        token_request(
            model,
            prompt,
            request.max_new,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            seed=sample_seed(request.seed, request.task, request.document, sample),
            stop_ids=ends,
            stop_strings=stops,
        )
        for sample in range(1 if request.temperature == 0 else request.samples)
    ]
    return _Prepared(asked, cut)


def stops_of(tokenizer: Tokenizer, until: Sequence[str]) -> tuple[frozenset[int], tuple[str, ...]]:
    """What ends an answer: token ids, and strings in its text.

    The end-of-text token is both, for a model may spell it out. A stop string that is a special token is both too: such
    a token has no text that the string could be found in.
    """
    end = tokenizer.eos_id
    ends, strings = set[int](), [stop for stop in until if stop]
    for stop in strings:
        spelt = tokenizer.encode(stop)
        if len(spelt) == 1 and tokenizer.token_bytes(spelt) == [0]:
            ends.add(spelt[0])
    if end is not None:
        ends.add(end)
        strings.append(tokenizer.decode([end]))
    return frozenset(ends), tuple(stop for stop in dict.fromkeys(strings) if stop)


def _answer(
    whole: TokenCompletion, asked: TokenRequest, tokenizer: Tokenizer, decode: Callable[[list[int]], str]
) -> WrittenAnswer:
    ended = whole.finish == "stop_id"
    finish: Finish = "stop_string" if whole.finish == "stop_string" else "length"
    if ended:  # by the end-of-text token, or by a special token that is a stop string
        finish = "end" if whole.tokens[-1] == tokenizer.eos_id else "stop_string"
    text = decode(list(whole.tokens[:-1] if ended else whole.tokens))
    return WrittenAnswer(cut_at_stops(text, asked.stop_strings), whole.tokens, whole.log_probs, finish)
