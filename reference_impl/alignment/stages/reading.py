"""What a stage learns from, read: rows in token ids, those of some prompts held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from reference_impl.alignment.data import assistant, microworld
from reference_impl.alignment.data.encoding import Encoded, Limits
from reference_impl.alignment.data.excluded import Excluded
from reference_impl.alignment.data.reading import read
from reference_impl.alignment.data.rows import Demonstration, Preference, Prompt, PromptText
from reference_impl.alignment.data.text_ids import TextIds
from reference_impl.alignment.stages.data_settings import ASSISTANT, MADE, MICROWORLD, SUMS, DataSettings

R = TypeVar("R", Demonstration, Preference, Prompt)
T = TypeVar("T")
ROWS = 2000
"""Of data that need no file, where nothing else is said."""


@dataclass(frozen=True)
class Learned(Generic[T]):
    """Items in token ids."""

    train: tuple[T, ...]
    held_out: tuple[T, ...]
    """Of prompts of which nothing is in `train`."""
    excluded: tuple[Excluded, ...]
    """Rows that are not used, and rows that were cut, counted by reason."""


def rows_of(kind: type[R], settings: DataSettings) -> tuple[tuple[R, ...], tuple[Excluded, ...]]:
    """The rows of this kind that the settings name, and what was left out.

    Raises TextError for a file that can't be read, and ValueError for data that has no such rows.
    """
    if settings.data in MADE:
        return tuple(_made(kind, settings.data, settings.most)), ()
    data = read(settings.data, kind, format=settings.format, split=settings.split, turns=settings.turns)
    return data.rows[: settings.most], data.excluded


def learned(
    kind: type[R],
    settings: DataSettings,
    encode: Callable[[Iterable[R], TextIds, Limits], Encoded[T]],
    text: TextIds,
    context: int,
) -> Learned[T]:
    """The rows of the settings in token ids, parted by their prompts: a prompt is on one side with all its rows.

    Which side is a hash of the prompt, so that other data change nothing about it. Raises ValueError where nothing is
    left to learn from.
    """
    rows, excluded = rows_of(kind, settings)
    aside = [_is_held_out(row.prompt, settings.held_out) for row in rows]
    limits = Limits(
        context,
        prompt=settings.prompt,
        response=settings.response,
        long_prompts=settings.long_prompts,
        long_responses=settings.long_responses,
    )
    kept = [row for row, out in zip(rows, aside, strict=True) if not out]
    held = [row for row, out in zip(rows, aside, strict=True) if out]
    if not kept:
        raise ValueError(f"all {len(rows)} rows are held out: lower held_out ({settings.held_out}), or give more rows.")
    train: Encoded[T] = encode(kept, text, limits)
    items: tuple[T, ...] = encode(held, text, limits).items if held else ()
    return Learned(train.items, items, excluded + train.excluded + train.cut)


def _made(kind: type[R], data: str, most: int | None) -> Sequence[R]:
    count = most or ROWS
    if data == SUMS:
        made: dict[type, Callable[[], Sequence[Any]]] = {
            Prompt: lambda: microworld.sums(count=count),
            Demonstration: lambda: microworld.shown_sums(count=count),
        }
    elif data == ASSISTANT:
        made = {
            Demonstration: lambda: assistant.demonstrations(count=count),
            Preference: lambda: assistant.preferences(count=count),
            Prompt: lambda: assistant.prompts(count=count),
        }
    else:
        made = {
            Demonstration: lambda: microworld.demonstrations(count=count),
            Preference: lambda: microworld.preferences(count=count),
            Prompt: lambda: [Prompt(row.prompt, place=row.place) for row in microworld.demonstrations(count=count)],
        }
    if kind not in made:
        raise ValueError(f"{data} has no preferences: give `{MICROWORLD}` or `{ASSISTANT}`, or a file.")
    found: Sequence[R] = made[kind]()
    return found


def _is_held_out(prompt: PromptText, part: float) -> bool:
    drawn = int.from_bytes(hashlib.blake2b(repr(prompt).encode(), digest_size=8).digest()) / 2**64
    return drawn < part
