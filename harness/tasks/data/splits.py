"""What a task file may write for a split: its name, a slice of it, or a sum of these, as `datasets` reads them.

`test`, `test[:100]`, `train[10%:20%]`, `validation[-50:]`, `train+validation`. Percents are rounded to the closest row.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.errors import UserError

_PART = re.compile(
    r"(?P<split>\w[^\[\]()+:]*)(\[((?P<start>-?\d+)(?P<start_percent>%)?)?:((?P<stop>-?\d+)(?P<stop_percent>%)?)?\]"
    r"(\((?P<rounding>closest|pct1_dropremainder)\))?)?"
)


class Slice(NamedTuple):
    """A range of rows; a bound that isn't given is the split's own."""

    start: int | None
    stop: int | None
    percent: bool
    whole_percents: bool
    """Whether a percent is the same number of rows everywhere, and the rest is dropped (`pct1_dropremainder`)."""


class Part(NamedTuple):
    """A split, or a slice of it."""

    split: str
    slice: Slice | None = None

    def places(self, size: int) -> range:
        """Of `size` rows the places of those that are meant."""
        if self.slice is None:
            return range(size)
        start, stop = (self._place(bound, size, end) for bound, end in ((self.slice.start, 0), (self.slice.stop, size)))
        return range(start, max(start, stop))

    def _place(self, bound: int | None, size: int, end: int) -> int:
        if bound is None:
            return end
        assert self.slice is not None
        if self.slice.percent:
            bound = bound * (size // 100) if self.slice.whole_percents else round(bound * size / 100)
        return min(max(size + bound, 0) if bound < 0 else bound, size)


def parts(written: str) -> tuple[Part, ...]:
    """The parts of which a split consists. Raises UserError for what is neither a name nor a slice."""
    if not set(written) & set("[]()+"):
        return (Part(written),)
    return tuple(_part(part.strip(), written) for part in written.split("+"))


def unsliced(written: str) -> str:
    """The same without its slices: all rows of the splits that it is taken from. Raises UserError as `parts`."""
    return "+".join(dict.fromkeys(part.split for part in parts(written)))


def _part(part: str, written: str) -> Part:
    match = _PART.fullmatch(part)
    if match is None:
        raise UserError(
            f"'{written}' is not a split: write its name, a slice such as test[:100], test[10%:20%] or test[-50:], or "
            "a sum such as train+validation"
        )
    if part == match["split"]:
        return Part(part)
    percent = bool(match["start_percent"] or match["stop_percent"])
    start, stop = (None if match[name] is None else int(match[name]) for name in ("start", "stop"))
    if percent and any(bound is not None and abs(bound) > 100 for bound in (start, stop)):
        raise UserError(f"'{written}': percents are -100 to 100")
    if match["rounding"] and not percent:
        raise UserError(f"'{written}': only percents are rounded; leave out ({match['rounding']})")
    return Part(match["split"], Slice(start, stop, percent, match["rounding"] == "pct1_dropremainder"))
