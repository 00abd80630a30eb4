"""A context and its continuation, as tokens.

The continuation's tokens are those that the whole text has beyond the context's: a tokenizer merges over the seam, so
the two can't be encoded apart. Blanks at the end of the context go with the continuation, because most tokenizers put a
blank in front of a word.

Modes differ in a few rare cases. Where the seam runs through a token of the whole text, `lm-eval` leaves that token's
part of the continuation unscored, or finds nothing to score, and conditions on a context that the whole text hasn't;
`right` scores the whole token, so that what is scored is always ln p(the whole text) less ln p(a beginning of it). If
that happens to one choice of a document, all choices after the same context are scored from that token on: their
sums compare only if the same beginning is taken off all of them. And where the context is cut at its left, `lm-eval`
cuts off what stands before every text too, and of each choice so much as its own length wants; `right` keeps the one,
and cuts the same for all choices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.common_prefix import common_prefix
from harness.errors import UserError
from harness.mode import Mode
from harness.scoring.document_encoder import DocumentEncoder, Reads
from harness.scoring.request import Scored


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
    """One clause with the fix, to follow the name of the document."""


Ids = tuple[int, ...]


def encode_pairs(
    model: Reads, pairs: Sequence[tuple[str, str]], context: int, mode: Mode = "right"
) -> list[EncodedPair | Unscorable]:
    """Each (context, continuation) as token ids, each for itself: `encode_choices` of one choice."""
    encode = DocumentEncoder(model, mode)
    return [encode_choices(encode, [pair], context)[0] for pair in pairs]


def encode_choices(
    encode: DocumentEncoder, pairs: Sequence[tuple[str, str]], context: int
) -> list[EncodedPair | Unscorable]:
    """The (context, continuation) pairs of one document as token ids.

    context: the model's, in tokens. What is longer loses tokens at the left of its context, and `cut` tells how many;
    an empty context is what stands for nothing before a text (`DocumentEncoder.start`).
    """
    found: dict[int, EncodedPair | Unscorable] = {}
    split: dict[int, tuple[Ids, Ids]] = {}
    for before in dict.fromkeys(before for before, _ in pairs):
        mine = [place for place, pair in enumerate(pairs) if pair[0] == before and pair[1] != ""]
        try:
            split |= zip(mine, _split(encode, before, [pairs[place][1] for place in mine]), strict=True)
        except UserError as error:
            found |= {place: Unscorable(error.message) for place in mine}
    for place, (before, after) in enumerate(pairs):
        if place in found:
            continue
        if after == "":
            found[place] = Unscorable("the continuation is empty: give it a text to score")
            continue
        given, asked = split[place]
        if not asked:
            found[place] = Unscorable(
                f"the continuation {after!r} has no token of its own after its context: the tokenizer merges it into "
                "the context's last token; mode right scores such a token"
            )
            continue
        if len(asked) > context:
            found[place] = Unscorable(
                f"the continuation has {len(asked)} tokens and the model's context is {context}: shorten it"
            )
            continue
        longest = len(asked)
        if encode.mode == "right":
            others = (len(split[other][1]) for other, pair in enumerate(pairs) if other in split and pair[0] == before)
            longest = max(length for length in others if length <= context)
        kept, cut = _cut(encode, given, context + 1 - longest)
        found[place] = EncodedPair(Scored(kept + asked, len(kept)), cut)
    return [found[place] for place in range(len(pairs))]


def _split(encode: DocumentEncoder, before: str, continuations: Sequence[str]) -> list[tuple[Ids, Ids]]:
    """Of each continuation of a context the tokens that are given, and those that are scored.

    Raises UserError where nothing can stand before a first token.
    """
    if before == "":
        return [_after_nothing(encode, encode.bare(after)) for after in continuations]
    given = encode.context(before.rstrip())
    wholes = [encode(before + after) for after in continuations]
    if encode.mode == "lm-eval" and given:
        return [(given, whole[len(given) :]) for whole in wholes]
    # where all of a text merged into what the context is too, its last token is what differs
    shared = min((min(common_prefix(given, whole), len(whole) - 1) for whole in wholes), default=0)
    if shared <= 0:
        return [_after_nothing(encode, whole) for whole in wholes]
    return [(whole[:shared], whole[shared:]) for whole in wholes]


def _after_nothing(encode: DocumentEncoder, ids: Ids) -> tuple[Ids, Ids]:
    start = encode.start
    if ids[: len(start)] == start:
        return start, ids[len(start) :]
    return start, ids


def _cut(encode: DocumentEncoder, given: Ids, room: int) -> tuple[Ids, int]:
    """The end of the context that there is room for, and how many tokens that cost."""
    cut = max(len(given) - room, 0)
    if cut == 0:
        return given, 0
    prefix = encode.prefix
    kept = given[cut:]
    if encode.mode == "right" and given[: len(prefix)] == prefix and len(kept) > len(prefix):
        kept = prefix + kept[len(prefix) :]
    return kept, cut
