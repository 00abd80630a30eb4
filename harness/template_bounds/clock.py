"""How long a template may take, looked at as it is rendered."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

_TRIES = 2
SECONDS = 5.0
"""What one template may take for one document."""


class TooMuch(Exception):
    """A template takes more time or text than it may."""


class _Clock:
    """Of the template that began last: one that runs in another thread meanwhile may take as much longer."""

    __slots__ = ("deadline", "of")

    def __init__(self) -> None:
        self.deadline = float("inf")
        self.of: object = None


_clock = _Clock()
_late: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""How often each template took too long."""


def start(template: object = None) -> None:
    """A template begins: its time runs from now. Raises TooMuch at once for one that took too long twice: it would
    for each of thousands of documents."""
    if template is not None and _late and _late.get(template, 0) >= _TRIES:
        raise _too_late()
    _clock.of = template
    _clock.deadline = time.monotonic() + SECONDS


def stop() -> None:
    """No template runs: whatever is rendered without `start` (by who uses the same environment) may take its time."""
    _clock.deadline = float("inf")


def look() -> None:
    """Raise TooMuch if its time is up."""
    if time.monotonic() > _clock.deadline:
        _clock.deadline = float("inf")
        if _clock.of is not None:
            _late[_clock.of] = _late.get(_clock.of, 0) + 1
        raise _too_late()


def _too_late() -> TooMuch:
    return TooMuch(f"it takes longer than {SECONDS:g} s")
