"""Where an answer ends: at which tokens, at which strings of its text, and what its text is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.mode import Mode
from harness.models.contract import Tokenizer
from harness.scoring.document_encoder import Reads

if TYPE_CHECKING:
    from harness.models.decoding import TokenRequest


def stops_of(model: Reads, until: Sequence[str], mode: Mode = "right") -> tuple[frozenset[int], tuple[str, ...]]:
    """What ends an answer: token ids, and strings in its text.

    An end token that is written as a text of its own is both, for a model may spell it out. In mode right a stop string
    that encodes to one special token is both too. Stop strings are searched in the text with special tokens written
    out.
    """
    tokenizer, identity = model.tokenizer, model.identity
    if mode == "lm-eval":
        eos = tokenizer.eos_id
        ends = {*identity.generate_end_ids, *(() if eos is None else (eos,))}
        return frozenset(ends), tuple(dict.fromkeys([*until, *([] if eos is None else [tokenizer.decode([eos])])]))
    spelled = [_encoded(tokenizer, stop) for stop in until if stop]
    special = {ids[0] for ids in spelled if len(ids) == 1 and tokenizer.token_bytes(ids) == [0]}
    strings = tuple(stop for stop in dict.fromkeys([*until, *identity.end_strings]) if stop)
    return frozenset(special.union(identity.end_ids)), strings


def _encoded(tokenizer: Tokenizer, stop: str) -> list[int]:
    """Its tokens; none of one with characters that a tokenizer of characters lacks: the model can't write it."""
    try:
        return tokenizer.encode(stop)
    except ValueError:
        return []


def ends_in_lm_eval(tokenizer: Tokenizer, stops: Sequence[str]) -> Callable[[Sequence[int]], bool]:
    """Whether lm-eval ends an answer after these tokens.

    It decodes as many of the last tokens as the stop string has, and two more, special tokens written out. An empty
    stop string is in every text.
    """
    windows = [(stop, len(tokenizer.encode(stop)) + 2) for stop in stops]
    return lambda tokens: any(stop in tokenizer.decode(list(tokens[-window:])) for stop, window in windows)


def ends_of_beams(tokenizer: Tokenizer, asked: TokenRequest) -> Callable[[Sequence[tuple[int, ...]]], Sequence[bool]]:
    """Which of the extensions of a step of beam search end by their text. In lm-eval the best one ends them all."""

    def holds(tokens: tuple[int, ...]) -> bool:
        text: str | None = tokenizer.decode(list(tokens))
        if asked.searched is not None and text is not None:
            text = asked.searched(text)
        return text is not None and any(stop in text for stop in asked.stop_strings)

    ended_by = asked.ended_by
    if ended_by is not None:
        return lambda extensions: [ended_by(extensions[0])] * len(extensions)
    return lambda extensions: [holds(tokens) for tokens in extensions]


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """The text up to the first occurrence of the first stop string, then of the second in what is left, and so on."""
    for stop in stops:
        text = text.split(stop, 1)[0] if stop else text
    return text
