"""What one side changes in a value that the other side handed over, to be changed there too."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

from harness.tasks.programs import arrays, values


def is_mutable(value: Any) -> bool:
    """Whether a value that is sent can be changed by who gets it."""
    return type(value) in values.CONTAINERS or (type(value).__name__ == "ndarray" and arrays.kind_of(value) == "array")


def snapshot(value: Any) -> Any:
    """What a mutable value holds now, to see later whether it was changed; the things in it by identity."""
    if type(value).__name__ == "ndarray":
        return value.tobytes()
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, dict):
        return [id(one) for pair in value.items() for one in pair]
    return [id(one) for one in value]


def content(value: Any) -> Any:
    """A copy of what a mutable value holds, to be sent as its new content: see `refill`."""
    if type(value).__name__ == "ndarray":
        return value.copy()
    if isinstance(value, defaultdict):
        return [value.default_factory, list(value.items())]
    if isinstance(value, deque):
        return [value.maxlen, list(value)]
    if isinstance(value, dict):
        return list(value.items())
    return bytes(value) if isinstance(value, bytearray) else list(value)


def refill(value: Any, new: Any) -> None:
    """Give a mutable value the `content` that it got on the other side. Raises values.Malformed."""
    try:
        if type(value).__name__ == "ndarray":
            value[...] = new
            return
        if isinstance(value, defaultdict):
            value.default_factory, new = new
        elif isinstance(value, deque):
            new = new[1]
        new = list(new)
        if isinstance(value, dict):
            new = dict(new)
        value.clear()
        if isinstance(value, dict):
            for key, one in new.items():
                value[key] = one
        elif isinstance(value, set):
            value.update(new)
        else:
            value.extend(new)
    except (values.Malformed, MemoryError):
        raise
    except Exception as error:
        raise values.Malformed(f"{type(error).__name__}: {error}"[:200]) from None
