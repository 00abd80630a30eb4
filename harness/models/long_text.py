"""A long text as token ids, a piece at a time.

A tokenizer keeps some hundreds of bytes per token while it encodes a text: offsets, alignments, every token's own text.
Of a document of many megabytes that is gigabytes. So pieces are encoded that overlap, and two are joined where they
agree: at a place in their overlap from which on, and up to which, both have the same tokens at the same places of the
text. What tokenizers decide is local (a word, a run of merges), so two that agree over many tokens agree beyond. Where
pieces don't agree, the text is encoded as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Encoded = tuple[Sequence[int], Sequence[tuple[int, int]]]
"""Token ids, and from where to where each stands in the text, in characters."""

PIECE = 200_000
"""Characters of a piece, its overlap with the next one included."""
OVERLAP = 4_000
AGREE = 64
"""Tokens on which two pieces must agree around the place where they are joined."""


def encode_in_pieces(encode: Callable[[str], Encoded], text: str) -> list[int] | None:
    """The token ids of `text`; None where two pieces don't agree on their overlap."""
    found: list[int] = []
    held: Encoded | None = None  # of the last piece what follows the last join, places as in the text
    for start, piece in _pieces(text):
        ids, places = encode(piece)
        here: Encoded = ids, [(a + start, b + start) for a, b in places]
        if held is None:
            held = here
            continue
        joined = _joint(held, here)
        if joined is None:
            return None
        ours, theirs = joined
        found.extend(held[0][:ours])
        held = here[0][theirs:], here[1][theirs:]
    return [*found, *(held[0] if held is not None else ())]


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    step = PIECE - OVERLAP
    for start in range(0, max(len(text) - OVERLAP, 1), step):
        yield start, text[start : start + PIECE]


def _joint(before: Encoded, after: Encoded) -> tuple[int, int] | None:
    """Where two overlapping pieces are joined: the first token of each that belongs to `after`; None if nowhere."""
    ids, places = before
    later_ids, later_places = after
    if not later_places:
        return None
    by_place = {place: number for number, place in enumerate(later_places[: 2 * OVERLAP])}
    first = max(len(places) - 2 * OVERLAP, 0)
    middle = later_places[0][0] + OVERLAP // 2
    near = sorted(range(first, len(places)), key=lambda number: abs(places[number][0] - middle))
    for number in near[: 2 * AGREE]:
        other = by_place.get(places[number], -1)
        ours, theirs = number - AGREE // 2, other - AGREE // 2
        if other < 0 or ours < 0 or theirs < 0:
            continue
        mine, its = slice(ours, ours + AGREE), slice(theirs, theirs + AGREE)
        if len(ids[mine]) == AGREE and ids[mine] == later_ids[its] and places[mine] == later_places[its]:
            return number, other
    return None
