"""Answers that a model writes: text prompts in, texts out, served together and each as if alone.

The conventions are lm-eval's. The context is encoded with what the tokenizer puts first, once (`DocumentEncoder`), and
cut at its left to what leaves room for the answer. An answer ends at one of the model's end tokens
(`ModelIdentity.end_ids`) or at the first of its stop strings, to which those tokens' spellings belong. Stop strings are
searched in the text with special tokens written out. The answer is cut at the first occurrence of each stop string in
turn, has no special tokens, and is not stripped. What a model thinks
before it answers is no part of it, where a request says between which tags that stands: stop strings are looked for in
the answer alone, and a thought that isn't finished has none.

What lm-eval 0.4.13 does otherwise, whatever our mode:

* It cuts contexts to the length of the longest of a batch after padding them, so that what a short one loses depends on
  its neighbors; here it is what batch size 1 gives.
* A context that can't leave room for the answer ends its whole run; here it is refused alone.
* It draws from one global stream of random numbers, so that a sampled answer depends on all that was drawn before; here
  the stream belongs to (seed, task, document, sample).
* `transformers` adds what the model's `generation_config.json` says of sampling (a repetition penalty, top-k); here
  nothing is added to what the task asks for.
* Spaces are left as decoded; `transformers` tidies them for the tokenizers that say `clean_up_tokenization_spaces`.
* An empty context is an error there; here it stands for BOS, or the end-of-text token where there is none.

In mode lm-eval only, as there: an answer ends at the end tokens of `generation_config.json` and at the tokenizer's EOS;
a stop string is searched in the last tokens alone, an empty one ends an answer after one token, and the answer is cut
where a stop string stands in the text without special tokens;
beam search stops as a whole as soon as the best extension of a step holds a stop string.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import UserError
from harness.mode import Mode
from harness.models.contract import LanguageModel, ModelIdentity
from harness.scoring.document_encoder import DocumentEncoder, Reads
from harness.scoring.special_text import SpecialText
from harness.scoring.stops import cut_at_stops, ends_in_lm_eval, ends_of_beams, stops_of
from harness.scoring.thinking import Parting, Tags, answer_so_far, opens_thought, parted
from harness.scoring.written_answer import Finish, WrittenAnswer

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
    """Stop strings; an empty one says nothing (in lm-eval it ends the answer after one token)."""
    max_new: int
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    beams: int = 1
    """Above 1: beam search, which gives one answer."""
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    """Of beam search: see `beam_search`."""
    thinking: Tags = ()
    """Between which tags the model thinks; none: its whole text is the answer."""
    parting: Parting = parted
    """How its text is parted into thought and answer; of a text that is shown as it comes `thought_first`."""
    samples: int = 1
    """So many answers, each drawn for itself; greedy ones are all the same and computed once."""
    seed: int = 0
    task: str = ""
    document: int = 0
    """Seed, task and document determine the draws."""


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
    """One sentence with the fix."""


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
    found: dict[int, Completed | Refused] = {}
    prepared: dict[int, Prepared] = {}
    asked: list[TokenRequest] = []
    owners: list[int] = []
    firsts: dict[int, int] = {}

    def done(place: int, result: Completed | Refused) -> None:
        found[place] = result
        if on_done is not None:
            on_done(place, result)

    encode = DocumentEncoder(model, mode)
    for place, request in enumerate(requests):
        try:
            prepared[place] = prepare_request(model, encode, request, visible or model.identity.context)
        except ValueError as error:
            done(place, Refused(str(error)))
            continue
        firsts[place] = len(asked)
        owners += [place] * len(prepared[place].asked)
        asked += prepared[place].asked
    waiting = {place: len(one.asked) for place, one in prepared.items()}
    answers: list[WrittenAnswer | None] = [None] * len(asked)
    for number, whole in _completed(model, asked, [requests[owner] for owner in owners]):
        place = owners[number]
        opened = prepared[place].in_thought
        answers[number] = written_answer(whole, asked[number], requests[place], opened, model, mode)
        waiting[place] -= 1
        if waiting[place] == 0:
            first = firsts[place]
            mine = answers[first : first + len(prepared[place].asked)]
            prompt, cut = tuple(asked[first].prompt), prepared[place].cut
            alike = requests[place].samples // len(mine)  # greedy ones are computed once
            done(place, Completed(tuple(a for a in mine if a is not None) * alike, prompt, cut))
    return [found[place] for place in range(len(requests))]


@dataclass(frozen=True)
class Prepared:
    """A request in token ids: one for each answer, a single one where all would be the same."""

    asked: list[TokenRequest]
    cut: int
    in_thought: bool
    """Whether the prompt ends within a thought."""


def rows_at_once(identity: ModelIdentity, longest: int) -> int:
    """How many requests to decode at once, so that a cache of sequences up to `longest` tokens is not too large."""
    most = MOST_ROWS.get(identity.device.split(":")[0], MOST_ROWS_ELSEWHERE)
    return max(1, min(most, CACHE_BYTES // max(1, longest * identity.kv_bytes_per_token)))


def sample_seed(seed: int, task: str, document: int, sample: int) -> int:
    """The seed of one answer's draws: determined by these four alone."""
    digest = hashlib.blake2b(repr((seed, task, document, sample)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _completed(
    model: LanguageModel, asked: Sequence[TokenRequest], told: Sequence[TextRequest]
) -> Iterator[tuple[int, TokenCompletion]]:
    """The place and the completion of each token request, as soon as it has ended. told: what each is of."""
    from harness.models.decoding import complete_as_they_end, complete_by_beams

    drawn = [n for n, request in enumerate(told) if request.beams == 1]
    longest = max((len(asked[n].prompt) + asked[n].max_new for n in drawn), default=1)
    rows = rows_at_once(model.identity, longest)
    for number, whole in complete_as_they_end(model, [asked[n] for n in drawn], model.tokenizer.decode, rows):
        yield drawn[number], whole
    for number, request in enumerate(told):
        if request.beams > 1:
            yield (
                number,
                complete_by_beams(
                    model,
                    asked[number],
                    beams=request.beams,
                    length_penalty=request.length_penalty,
                    early_stopping=request.early_stopping,
                    ends=ends_of_beams(model.tokenizer, asked[number]),
                ),
            )


def prepare_request(model: LanguageModel, encode: DocumentEncoder, request: TextRequest, context: int) -> Prepared:
    """What the model is asked. context: tokens that it may see at once. Raises ValueError, in one sentence, for a
    request that can't be served."""
    from harness.models.decoding import token_request

    tokenizer, mode = model.tokenizer, encode.mode
    if request.samples < 1:
        raise ValueError(f"samples must be at least 1, not {request.samples}.")
    ids = context_ids(encode, request.context) if isinstance(request.context, str) else request.context
    room = context - request.max_new
    if room < 1:
        raise ValueError(
            f"{request.max_new} new tokens leave no room for the prompt in the model's context of {context}: ask for "
            f"at most {context - 1}."
        )
    cut = max(0, len(ids) - room)
    prompt, prefix = ids[cut:], encode.prefix
    if cut and mode == "right" and prefix and ids[: len(prefix)] == prefix and len(prompt) > len(prefix):
        prompt = prefix + prompt[len(prefix) :]
    ends, stops = stops_of(model, request.until, mode)
    if request.beams > 1 and mode == "lm-eval":
        ends = frozenset(model.identity.generate_end_ids)  # the others are strings to it, of which one ends the search
    tags = request.thinking
    opened = bool(tags) and opens_thought(tokenizer.decode(list(ids)), tags, model.identity.end_strings)
    asked = [
        token_request(
            model,
            prompt,
            request.max_new,
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            min_p=request.min_p,
            repetition_penalty=request.repetition_penalty,
            seed=sample_seed(request.seed, request.task, request.document, sample),
            stop_ids=ends,
            stop_strings=stops,
            searched=(lambda text: answer_so_far(text, tags, opened, request.parting)) if tags else None,
            ended_by=ends_in_lm_eval(tokenizer, stops) if mode == "lm-eval" and not tags else None,
        )
        for sample in range(1 if request.temperature == 0 or request.beams > 1 else request.samples)
    ]
    return Prepared(asked, cut, opened)


def context_ids(encode: DocumentEncoder, context: str) -> tuple[int, ...]:
    """Token ids of a context; of an empty one what stands for nothing before a text.

    ValueError where nothing does.
    """
    try:
        return encode.prompt(context) or encode.start
    except UserError as error:
        raise ValueError(f"the context is empty: {error.message}") from error


def written_answer(
    whole: TokenCompletion, asked: TokenRequest, request: TextRequest, opened: bool, model: Reads, mode: Mode
) -> WrittenAnswer:
    """The answer that a completion is. opened: whether the prompt ends within a thought."""
    ended = whole.finish == "stop_id"
    finish: Finish = "stop_string" if whole.finish == "stop_string" else "length"
    if ended:  # by an end token, or by a special token that is a stop string
        of_model, _ = stops_of(model, (), mode)
        finish = "end" if whole.tokens[-1] in of_model else "stop_string"
    texts = SpecialText(model.tokenizer, request.thinking)
    # in lm-eval an end token that has a text is a part of the answer
    written = list(whole.tokens[:-1] if ended and mode == "right" else whole.tokens)

    def cut(marked: str) -> str:
        upto = len(cut_at_stops(texts.spelled(marked), asked.stop_strings)) if mode == "right" else None
        return cut_at_stops(texts.without_marks(marked[:upto]), asked.stop_strings)

    marked = texts.marked(written)
    if not request.thinking:
        return WrittenAnswer(cut(marked), whole.tokens, whole.log_probs, finish)
    parts = request.parting(marked, request.thinking, opened)
    answer = cut(parts.answer or "")
    thought = None if parts.thought is None else texts.without_marks(parts.thought).strip()
    if thought is not None:
        answer = answer.lstrip()  # what stood behind a special token
    answered = parts.answer is not None
    return WrittenAnswer(answer, whole.tokens, whole.log_probs, finish, thought, answered)
