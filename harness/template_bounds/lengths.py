"""How long the texts and lists of a template may be, looked at before they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

from harness.template_bounds.clock import TooMuch, look

TEXT = 16 << 20
"""Characters of a text that a template makes, and members of a list."""
PLAIN = (int, float, bool, type(None))
"""Types whose text is short."""
_SCALARS = frozenset({str, *PLAIN})


def joined(pieces: Iterable[str]) -> str:
    """The text of all pieces. Raises TooMuch."""
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > TEXT:
            raise too_long()
    return "".join(kept)


def concatenated(values: Iterable[Any]) -> str:
    """`a ~ b`. Raises TooMuch."""
    look()
    return joined(str(written(value)) for value in values)


def written(value: Any) -> Any:
    """A value that is about to become text: itself. Raises TooMuch where its text would be too long."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        weigh(value)
    return value


def weigh(value: Any, most: int = TEXT) -> int:
    """How long the text of nested lists and mappings is, about. What stands in several places counts in each.
    TooMuch."""
    waiting, size = [value], 0
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, Mapping):
            members: Iterable[Any] = [*holder.keys(), *holder.values()]
        else:
            members = holder if isinstance(holder, list | tuple | set | frozenset) else (holder,)
        size += 2
        for one in members:
            kind = type(one)
            if kind is str:
                size += len(one) + 4
            elif kind in _SCALARS:
                size += 8
            elif isinstance(one, str | bytes):
                size += len(one) + 4
            elif isinstance(one, Mapping | list | tuple | set | frozenset):
                waiting.append(one)
            else:
                size += 8
        if size + len(waiting) > most:
            raise too_long()
    return size


def too_long() -> TooMuch:
    """What is raised where a template would make too much text."""
    return TooMuch(f"it makes a text of more than {TEXT >> 20} million characters")


def collected(of: Iterable[Any]) -> list[Any]:
    """All members, as a list. Raises TooMuch as soon as they are too long together."""
    kept: list[Any] = []
    size = 0
    for one in Turns(of):
        kept.append(one)
        size += len(one) if isinstance(one, str | bytes) else 8
        if size > TEXT:
            raise too_long()
    return kept


def made(value: Any) -> Any:
    """A list, tuple or mapping that a template makes: itself. Raises TooMuch where what is in it is too much to be
    compared: what holds itself twice, many times over, is small in memory and takes for ever."""
    members = value.values() if isinstance(value, Mapping) else value
    if any(isinstance(one, Mapping | list | tuple | set | frozenset) for one in members):
        look()
        weigh(value)
    return value


class Turns:
    """What a loop goes through, with a look at the clock in each turn."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __iter__(self) -> Iterator[Any]:
        for one in self._of:
            look()
            yield one

    def __len__(self) -> int:
        if not isinstance(self._of, Sized):
            raise TypeError("it has no length")
        return len(self._of)
