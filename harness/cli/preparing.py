"""How far a download or a training is, in the same words wherever one is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Event, Preparing


def going(event: Preparing) -> str:
    """`fetch smollm2  40%  39 of 98 MB`."""
    return f"{event.what}  {far(event)}"


def far(event: Preparing) -> str:
    """The same without what it is."""
    return f"{event.done:.0%}  {event.text}".rstrip()


def ready(event: Preparing) -> str:
    """That it is there, and what came of it."""
    return f"ready: {event.what}  {event.text}"


class NowAndThen:
    """Says how far each thing is, once for each part of it."""

    def __init__(self, say: Callable[[str], None], parts: int) -> None:
        """parts: into how many each is divided."""
        self._say, self._parts = say, parts
        self._said: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        from harness import Preparing

        if isinstance(event, Preparing):
            part = int(event.done * self._parts)
            if part > self._said.get(event.what, -1):
                self._said[event.what] = part
                self._say(going(event))
