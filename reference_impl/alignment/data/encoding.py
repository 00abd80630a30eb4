"""Rows to token ids within limits: what is too long is left out or cut by a named rule, and counted either way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.excluded import Excluded, Tally, Unusable, told
from reference_impl.alignment.data.reading import why_unusable
from reference_impl.alignment.data.rows import Demonstration, Judged, Preference, Prompt, Row
from reference_impl.alignment.data.text_ids import Ids, TextIds
from reference_impl.alignment.pair import Pair

LongPrompts = Literal["leave_out", "keep_end"]
LongResponses = Literal["leave_out", "cut"]
R = TypeVar("R", bound=Row)
T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How long prompts and responses may be, in tokens, and what becomes of longer ones.

    Raises ValueError for limits that leave no room.
    """

    context: int
    """Most tokens of a prompt with its response: those that the model can read."""
    prompt: int | None = None
    """Most tokens of a prompt. None: it may fill the context, but where it is cut, which leaves half for the response
    if prompt and response are longer than the context together."""
    response: int | None = None
    """Most tokens of a response, EOS included. None: what the prompt leaves."""
    long_prompts: LongPrompts = "leave_out"
    """keep_end: the first tokens are dropped, but for BOS."""
    long_responses: LongResponses = "leave_out"
    """cut: the response has no EOS then, and is not `ended`."""

    def __post_init__(self) -> None:
        for name in ("context", "prompt", "response"):
            value, least = getattr(self, name), 2 if name == "context" else 1
            if value is not None and value < least:
                raise ValueError(f"`{name}` is {value} tokens, and {least} is the least.")
        if self.prompt is not None and self.prompt >= self.context:
            raise ValueError(f"prompts of {self.prompt} tokens leave nothing of a context of {self.context}.")


@dataclass(frozen=True)
class JudgedAnswer:
    """A response that is wanted or not."""

    answered: Answered
    wanted: bool


@dataclass(frozen=True)
class Asked:
    """A prompt in token ids, and the row that it comes from, which a verifier knows the answer by."""

    ids: Ids
    prompt: Prompt


@dataclass(frozen=True)
class Encoded(Generic[T]):
    """Items in token ids, and what was left out or cut."""

    items: tuple[T, ...]
    excluded: tuple[Excluded, ...]
    cut: tuple[Excluded, ...]
    places: tuple[int, ...]
    """Which row each item is of, counted from 0."""

    def __str__(self) -> str:
        counted = told((*self.excluded, *self.cut))
        return f"{len(self.items):,} in token ids" + (f"; {counted}" if counted else "")


def encode_demonstrations(rows: Iterable[Demonstration], text: TextIds, limits: Limits) -> Encoded[Answered]:
    """Demonstrations for SFT. Raises ValueError where none is left."""
    return _encoded(rows, lambda row, cuts: _answers(row, (row.response,), text, limits, cuts)[0])


def encode_preferences(rows: Iterable[Preference], text: TextIds, limits: Limits) -> Encoded[Pair]:
    """Pairs for a reward model or DPO; both responses follow the same prompt. Raises ValueError where none is left."""

    def pair(row: Preference, cuts: Tally) -> Pair:
        chosen, rejected = _answers(row, (row.chosen, row.rejected), text, limits, cuts)
        if chosen.response == rejected.response:
            raise Unusable("chosen and rejected are the same tokens")
        return Pair(chosen, rejected, row.margin, row.label)

    return _encoded(rows, pair)


def encode_judged(rows: Iterable[Judged], text: TextIds, limits: Limits) -> Encoded[JudgedAnswer]:
    """Judged responses for KTO. Raises ValueError where none is left."""
    return _encoded(
        rows, lambda row, cuts: JudgedAnswer(_answers(row, (row.response,), text, limits, cuts)[0], row.wanted)
    )


def encode_prompts(rows: Iterable[Prompt], text: TextIds, limits: Limits) -> Encoded[Asked]:
    """Prompts for responses that are drawn; they leave `limits.response` tokens of the context, or one.

    Raises ValueError where none is left.
    """
    most = limits.context - (limits.response or 1)
    if limits.prompt is not None:
        most = min(most, limits.prompt)
    if most < 1:
        raise ValueError(f"responses of {limits.response} tokens leave nothing of a context of {limits.context}.")

    def ask(row: Prompt, cuts: Tally) -> Asked:
        whole = text.prompt(row.prompt)
        kept = _within(whole, most, text.prefix, limits)
        _count_cut(cuts, row, whole, kept)
        return Asked(kept, row)

    return _encoded(rows, ask)


def _encoded(rows: Iterable[R], make: Callable[[R, Tally], T]) -> Encoded[T]:
    left_out, cuts = Tally(), Tally("cut")
    items, places = [], []
    for place, row in enumerate(rows):
        try:
            if (why := why_unusable(row)) is not None:
                raise Unusable(why)
            items.append(make(row, cuts))
            places.append(place)
        except Unusable as reason:
            left_out.add(str(reason), row.place)
    if not items:
        why = told(left_out.counted())
        raise ValueError(f"no row is left in token ids: {why}." if why else "there is no row to make token ids of.")
    return Encoded(tuple(items), left_out.counted(), cuts.counted(), tuple(places))


def _answers(row: Row, responses: tuple[str, ...], text: TextIds, limits: Limits, cuts: Tally) -> tuple[Answered, ...]:
    """Responses to the same prompt, all within the limits. Raises Unusable."""
    made = [text.answered(row.prompt, response) for response in responses]
    whole = made[0][0]
    if any(other != whole for other, _ in made):
        raise Unusable("the chat template writes the prompt otherwise for each response")
    longest = max(len(response) for _, response in made)
    if limits.response is not None and longest > limits.response:
        if limits.long_responses == "leave_out":
            raise Unusable(f"a response is longer than {limits.response} tokens")
        longest = limits.response
    most = limits.context - 1 if limits.prompt is None else limits.prompt
    if limits.prompt is None and limits.long_prompts == "keep_end" and len(whole) + longest > limits.context:
        most = max(limits.context // 2, limits.context - longest)
    prompt = _within(whole, most, text.prefix, limits)
    room = min(limits.context - len(prompt), longest)
    if limits.long_responses == "leave_out" and room < longest:
        raise Unusable(f"prompt and response are longer than {limits.context} tokens together")
    _count_cut(cuts, row, whole, prompt)
    for _, response in made:
        if len(response) > room:
            cuts.add("the end of a response", row.place)
    return tuple(Answered(prompt, response[:room], ended=len(response) <= room) for _, response in made)


def _within(ids: Ids, most: int, prefix: Ids, limits: Limits) -> Ids:
    """A prompt of at most so many tokens. Raises Unusable where it is to be left out."""
    if not ids:
        raise Unusable("the prompt has no token, and the tokenizer no BOS token to begin with")
    if len(ids) <= most:
        return ids
    begins = prefix if ids[: len(prefix)] == prefix else ()
    if limits.long_prompts == "leave_out" or most <= len(begins):
        raise Unusable(f"the prompt is longer than {most} tokens")
    return begins + ids[len(ids) - (most - len(begins)) :]


def _count_cut(cuts: Tally, row: Row, whole: Ids, kept: Ids) -> None:
    if len(kept) < len(whole):
        cuts.add("the beginning of a prompt", row.place)
