"""What a text loses on its way through a tokenizer: decode(encode(text)) beside the text.

Bits per byte divide by the bytes of the text. Where the tokenizer makes small letters of capitals, one token of all
unknown words, or one space of many, the model never sees those bytes and pays nothing for them: the fewer a tokenizer
keeps, the better its model would look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.models.contract import Tokenizer

NONSENSE_FROM = 0.01
"""From this share of lost bytes on, numbers per byte are not given."""
NEAR = 64
"""So many characters ahead the two are looked through for where they agree again."""
AGREE = 4
"""Characters that must be equal there."""
SHOWN = 24
"""Characters that are shown of the first difference."""


@dataclass(frozen=True)
class RoundTrip:
    """A text beside what comes back of it."""

    bytes: int
    """Of the text, in UTF-8."""
    lost: int = 0
    """Bytes of the text that don't come back."""
    added: int = 0
    """Bytes that come back and weren't there."""
    example: str = ""
    """The first difference: `'THE R' comes back as 'the r'`."""

    @property
    def is_whole(self) -> bool:
        """Whether the text comes back as it was."""
        return not self.lost and not self.added


def round_trip(tokenizer: Tokenizer, text: str, ids: Sequence[int]) -> RoundTrip:
    """What comes back of `text`. ids: its tokens, with nothing put before or after them.

    A single space before the text, which some tokenizers put there and others take away, is not looked at.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    back = tokenizer.decode(list(ids)) if len(ids) else ""
    if back == text:
        return RoundTrip(size)
    text, back = (each.removeprefix(" ") for each in (text, back))
    lost, added, first = _differences(text, back)
    if first is None:
        return RoundTrip(size)
    shown = f"{text[first : first + SHOWN]!r} comes back as {back[first : first + SHOWN]!r}"
    return RoundTrip(size, lost, added, shown)


def lossy_note(trips: Iterable[tuple[object, RoundTrip]], of: str) -> str | None:
    """A sentence about the documents that don't come back whole, by their names; None where all do.

    of: what was read, such as the name of a text.
    """
    told = [(name, trip) for name, trip in trips]
    wrong = [(name, trip) for name, trip in told if not trip.is_whole]
    if not wrong:
        return None
    size, lost, added = (sum(getattr(trip, part) for _, trip in told) for part in ("bytes", "lost", "added"))
    name, first = wrong[0]
    what = f"loses {lost:,} of {size:,} bytes of {of} ({100 * lost / max(size, 1):.2g} %)" if lost else "adds"
    beside = (f" and adds {added:,}" if lost else f" {added:,} bytes to {of}") if added else ""
    return (
        f"the tokenizer {what}{beside}: in {len(wrong)} of {len(told)} documents the text that comes back is another, "
        f"as in document {name}, where {first.example}"
    )


def why_nonsense(lost: float, size: float) -> str | None:
    """Why numbers per byte (or per word) of a text are not given, as a clause; None where they may be."""
    if lost <= NONSENSE_FROM * size:
        return None
    return (
        f"the tokenizer loses {lost:,.0f} of {size:,.0f} bytes of the text "
        f"({100 * lost / size:.2g} %), which the model never sees and is not charged for; its numbers per token stand, "
        "but under another tokenizer they mean something else"
    )


def _differences(a: str, b: str) -> tuple[int, int, int | None]:
    """Bytes of a that b lacks, bytes of b that a lacks, and the place of the first difference (None: equal).

    The two are walked through together. Where they part, the nearest place where they agree again is taken, so that the
    cost grows with the text and not with its square; what lies between is compared character by character.
    """
    lost = added = 0
    first: int | None = None
    i = j = 0
    while i < len(a) or j < len(b):
        n = _common(a, b, i, j)
        i, j = i + n, j + n
        if i == len(a) and j == len(b):
            break
        first = i if first is None else first
        over, under = _apart(a, b, i, j)
        ours, theirs = a[i : i + over], b[j : j + under]
        if over == under:
            pairs = [(x, y) for x, y in zip(ours, theirs, strict=True) if x != y]
            ours, theirs = ("".join(each) for each in zip(*pairs, strict=True)) if pairs else ("", "")
        lost, added = lost + _size(ours), added + (_size(theirs) if over != under else 0)
        i, j = i + over, j + under
    return lost, added, first


def _apart(a: str, b: str, i: int, j: int) -> tuple[int, int]:
    """How many characters of each lie before the next place where both agree; of equal numbers where none is near."""
    for over, under in ((1, 1), (1, 0), (0, 1)):  # one character for another, one gone, one more: the commonest
        ahead = a[i + over : i + over + AGREE]
        if len(ahead) == AGREE and ahead == b[j + under : j + under + AGREE]:
            return over, under
    seen: dict[str, int] = {}
    for under in range(min(NEAR, len(b) - j) + 1):
        seen.setdefault(b[j + under : j + under + AGREE], under)
    best: tuple[int, int] | None = None
    for over in range(min(NEAR, len(a) - i) + 1):
        if best is not None and over >= sum(best):
            break
        at = seen.get(a[i + over : i + over + AGREE])
        if at is not None and (best is None or over + at < sum(best)):
            best = over, at
    if best is not None:
        return best
    step = min(NEAR, len(a) - i, len(b) - j)
    return (step, step) if step else (len(a) - i, len(b) - j)


def _common(a: str, b: str, i: int, j: int) -> int:
    """How many characters from i and from j on are equal."""
    n, size = 0, 16
    most = min(len(a) - i, len(b) - j)
    while size:
        end = min(n + size, most)
        if end > n and a[i + n : i + end] == b[j + n : j + end]:
            n, size = end, min(2 * size, 1 << 16)
        else:
            size //= 2
    return n


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
