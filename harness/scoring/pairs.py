"""A context and its continuation, as tokens.

The continuation's tokens are those that the whole text has beyond the context's: a tokenizer merges over the seam, so
the two can't be encoded apart. Blanks at the end of the context go with the continuation, because most tokenizers put a
blank in front of a word.

Modes differ in two rare cases. Where the seam runs through a token of the whole text, `lm-eval` leaves that token's
part of the continuation unscored, or finds nothing to score, and conditions on a context that the whole text hasn't;
`right` scores the whole token, so that what is scored is always ln p(the whole text) less ln p(a beginning of it).
And where the context is cut at its left, `lm-eval` cuts off its BOS too; `right` keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import UserError
from harness.models.contract import Tokenizer
from harness.scoring.prefix_tree import common_prefix
from harness.scoring.request import Scored

Mode = Literal["right", "lm-eval"]
"""right: what is sound. lm-eval: what lm-evaluation-harness 0.4.13 does, also where that differs."""


@dataclass(frozen=True)
class EncodedPair:
    """What the engine is asked, and how much of the context did not fit."""

    scored: Scored
    cut: int = 0
    """Tokens of the context that were dropped at its left, so that the rest fits the model."""


@dataclass(frozen=True)
class Unscorable:
    """A pair that can't be asked."""

    reason: str
    """One clause with the mend, to follow the name of the document."""


class DocumentEncoder:
    """Encodes as the model was trained: with BOS in front where its tokenizer puts one, once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.prefix = prefix_token(tokenizer)
        self._bos = [self.prefix] if tokenizer.adds_bos else []
        self._written = tokenizer.decode([self.prefix])
        self._last: tuple[str, tuple[int, ...]] = ("", ())

    @property
    def adds_bos(self) -> bool:
        """Whether a BOS comes first."""
        return bool(self._bos)

    def __call__(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that begins a document."""
        bos = [] if self._written and text.startswith(self._written) else self._bos
        return (*bos, *self._tokenizer.encode(text))

    def context(self, text: str) -> tuple[int, ...]:
        """The same for a text that is likely to be asked for again at once: choices share their context."""
        if self._last[0] != text or not self._last[1]:
            self._last = (text, self(text))
        return self._last[1]

    def bare(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, nothing added."""
        return tuple(self._tokenizer.encode(text))


def prefix_token(tokenizer: Tokenizer) -> int:
    """The token that stands before a text that nothing stands before: BOS, else EOS. UserError if there is neither."""
    token = tokenizer.eos_id if tokenizer.bos_id is None else tokenizer.bos_id
    if token is None:
        raise UserError(
            "the tokenizer has neither BOS nor EOS, so nothing can stand before a text's first token: declare one "
            "in tokenizer_config.json, or ask with a context"
        )
    return token


def encode_pairs(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]], context: int, mode: Mode = "right"
) -> list[EncodedPair | Unscorable]:
    """Each (context, continuation) as token ids.

    context: the model's, in tokens. What is longer loses tokens at the left of its context, and `cut` tells how many;
    an empty context stands for the prefix token (BOS, else EOS).
    """
    encode = DocumentEncoder(tokenizer)
    return [_encode_pair(encode, before, after, context, mode) for before, after in pairs]


def _encode_pair(
    encode: DocumentEncoder, before: str, after: str, context: int, mode: Mode
) -> EncodedPair | Unscorable:
    if after == "":
        return Unscorable("the continuation is empty: give it a text to score")
    given, asked = _split(encode, before, after, mode)
    if not asked:
        return Unscorable(
            f"the continuation {after!r} has no token of its own after its context: the tokenizer merges it into the "
            "context's last token; mode right scores such a token"
        )
    if len(asked) > context:
        return Unscorable(f"the continuation has {len(asked)} tokens and the model's context is {context}: shorten it")
    room = context + 1 - len(asked)
    cut = max(len(given) - room, 0)
    if cut > 0:
        kept = given[cut:]
        if mode == "right" and encode.adds_bos and given[0] == encode.prefix and len(kept) > 1:
            kept = (given[0], *kept[1:])
        given = kept
    return EncodedPair(Scored(given + asked, len(given)), cut)


def _split(encode: DocumentEncoder, before: str, after: str, mode: Mode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tokens that are given, and those that are scored."""
    if before == "":
        return _after_nothing(encode, encode.bare(after))
    stripped = before.rstrip()
    whole = encode(before + after)
    given = encode.context(stripped)
    if mode == "lm-eval" and given:
        return given, whole[len(given) :]
    shared = common_prefix(given, whole)
    if shared == 0:
        return _after_nothing(encode, whole)
    if shared == len(whole):  # all of it merged into what the context is too: its last token is what differs
        shared -= 1
    return whole[:shared], whole[shared:]


def _after_nothing(encode: DocumentEncoder, ids: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if ids[:1] == (encode.prefix,):
        return ids[:1], ids[1:]
    return (encode.prefix,), ids
