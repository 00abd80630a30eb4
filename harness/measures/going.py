"""How far a collection is, as it goes: what is done of how much, and how quickly."""

from __future__ import annotations

import time
from collections.abc import Callable


class Going:
    """Counts what is done and says so, as `4,096 of 20,480 tokens, 1,234 tokens/s`."""

    def __init__(
        self, load: Callable[..., object], total: int, unit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """load: as a measure is given it; one that is a plain function, without a `tell`, hears nothing. total: how
        many of `unit` (a plural) there are."""
        self._tell: Callable[[float, str], None] | None = getattr(load, "tell", None)
        self._total = total
        self._unit = unit
        self._clock = clock
        self._began = clock()
        self._done = 0

    def __call__(self, more: int = 1, said: str = "") -> None:
        """`more` are done. said: what is told in place of the rate."""
        self._done += more
        if self._tell is None or not self._total:
            return
        seconds = self._clock() - self._began
        rate = f"{_readable(self._done / seconds)} {self._unit}/s" if seconds > 0 else ""
        counted = f"{self._done:,} of {self._total:,} {self._unit}"
        self._tell(min(self._done / self._total, 1.0), ", ".join(filter(None, (counted, said or rate))))


def _readable(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
