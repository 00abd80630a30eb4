"""What every kind of text can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

OnProgress = Callable[[int, int], None]
"""Hears (bytes or documents done, in all)."""


class Source(Protocol):
    """A text that a suite named."""

    def documents(self) -> list[str]:
        """Its documents, none of them empty. Fetches or makes what is missing."""

    def digest(self) -> str:
        """Hash of what determines the documents (sha256, hex). Fetches nothing."""

    def ensure(self, on_progress: OnProgress) -> None:
        """Bring it into reach, so that `documents` needs no network."""

    def size(self) -> int | None:
        """About how many bytes of text it has, without fetching it; None where that isn't known."""
