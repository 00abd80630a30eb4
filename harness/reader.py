"""Who reads what is said: somebody at a shell, who types options, or somebody who calls functions with keywords."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_commands = 0
"""How many commands run in this process, each within another."""


@contextmanager
def at_a_shell() -> Iterator[None]:
    """In the block a command runs: what functions say keeps its options."""
    global _commands
    _commands += 1
    try:
        yield
    finally:
        _commands -= 1


def is_at_a_shell() -> bool:
    """Whether a command runs in this process."""
    return _commands > 0
