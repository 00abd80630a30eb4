"""Where an answer ends: at which tokens, at which strings of its text, and what its text is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.models.contract import Tokenizer
from harness.scoring.document_encoder import Mode, Reads
from harness.scoring.thinking import Tags

if TYPE_CHECKING:
    from harness.models.decoding import TokenRequest


def stops_of(model: Reads, until: Sequence[str], mode: Mode = "right") -> tuple[frozenset[int], tuple[str, ...]]:
    """What ends an answer: token ids, and strings in its text.

    An end token that is written as a text of its own is both, for a model may spell it out. A stop string that is a
    special token is both too: such a token has no text that the string could be found in.
    """
    tokenizer, identity = model.tokenizer, model.identity
    eos = tokenizer.eos_id
    ends, strings = set(identity.end_ids), list(identity.end_strings)
    if mode == "lm-eval":
        ends = {*identity.generate_end_ids, *(() if eos is None else (eos,))}
        strings = [] if eos is None else [tokenizer.decode([eos])]
    stops = [stop for stop in until if stop]
    for stop in stops:
        spelt = tokenizer.encode(stop)
        if len(spelt) == 1 and tokenizer.token_bytes(spelt) == [0]:
            ends.add(spelt[0])
    return frozenset(ends), tuple(stop for stop in dict.fromkeys([*stops, *strings]) if stop)


def ends_by_text(
    tokenizer: Tokenizer, decode: Callable[[list[int]], str], asked: TokenRequest, mode: Mode
) -> Callable[[Sequence[tuple[int, ...]]], Sequence[bool]]:
    """Which of the extensions of a step of beam search hold a stop string."""

    def holds(tokens: tuple[int, ...]) -> bool:
        text: str | None = decode(list(tokens))
        if asked.searched is not None and text is not None:
            text = asked.searched(text)
        return text is not None and any(stop in text for stop in asked.stop_strings)

    def holds_in_lm_eval(tokens: tuple[int, ...]) -> bool:
        """lm-eval looks at as many last tokens as the stop string has, and two more, special tokens written out."""
        return any(
            stop in tokenizer.decode(list(tokens[-(len(tokenizer.encode(stop)) + 2) :])) for stop in asked.stop_strings
        )

    if mode == "lm-eval":
        return lambda extensions: [holds_in_lm_eval(extensions[0])] * len(extensions)
    return lambda extensions: [holds(tokens) for tokens in extensions]


def without_special_tokens(tokenizer: Tokenizer, tags: Tags = ()) -> Callable[[list[int]], str]:
    """`tokenizer.decode` that leaves special tokens (those that stand for no text) out, but for those of tags."""
    stands = {token: True for pair in tags for tag in pair for token in tokenizer.encode(tag)}

    def decode(ids: list[int]) -> str:
        for token in ids:
            if token not in stands:
                stands[token] = tokenizer.token_bytes([token]) != [0]
        return tokenizer.decode([token for token in ids if stands[token]])

    return decode


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """The text up to the first occurrence of the first stop string, then of the second in what is left, and so on."""
    for stop in stops:
        text = text.split(stop, 1)[0] if stop else text
    return text
