"""Which few-shot examples stand before a document.

In mode right the draw depends on (seed, task, document) alone: not on the order of documents, on a limit or on how many
processes share the work. A document is never its own example, whatever the splits are called, and nor is another row
that shows the same question: data sets repeat questions under other ids. In mode lm-eval one
stream of random numbers runs through the documents in their order, and a document may be its own example where the
task's file names its splits so (lm-evaluation-harness 0.4.13).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from harness.errors import UserError
from harness.tasks.ask import Row

Sampler = Literal["random", "first_n", "balanced", "fixed"]


@dataclass(frozen=True)
class Pool:
    """The documents that few-shot examples are drawn from."""

    rows: Sequence[Row]
    split: str | None
    """Its name; None where the task's file gives the examples itself."""
    place: str
    """The task's file, for errors."""
    keeps_places: bool = False
    """Whether its document i is document i of those that are asked."""
    excludes: bool = False
    """lm-eval's rule: whether it keeps a document out of its own examples."""
    only: Sequence[int] | None = None
    """Places of the rows that may be examples, in this order (`fewshot_indices`, which lm-eval reads and ignores)."""

    @property
    def name(self) -> str:
        """For a sentence."""
        return "the task file's examples" if self.split is None else f"split '{self.split}'"


@dataclass(frozen=True)
class Draw:
    """How many examples, and how they are drawn."""

    shots: int
    sampler: Sampler
    seed: int
    task: str
    label: Callable[[Row], Hashable] | None = None
    """Class of an example, for `balanced`."""
    same: Callable[[Row], Hashable] | None = None
    """Only examples whose value is the document's."""
    shown: Callable[[Row], frozenset[Hashable]] = lambda row: frozenset()
    """What a row shows (`shown_keys`): an example shares none of it with the document. Asked of rows that are drawn."""


def draw(pool: Pool, how: Draw, documents: Sequence[tuple[int, Row]]) -> list[tuple[int, ...]]:
    """Of each document (its place among those that are asked, its row) the places of its examples in the pool.

    Under the samplers but `balanced` the examples of more shots begin with those of fewer, so that their number is all
    that differs. Raises UserError where the pool has too few.
    """
    if how.shots == 0:
        return [()] * len(documents)
    groups = _by_value(how.same, _allowed(pool), pool.rows)
    label = how.label if how.sampler == "balanced" else None
    classes = {value: _by_value(label, places, pool.rows) for value, places in groups.items()}
    shows: dict[int, frozenset[Hashable]] = {}
    found = []
    for document, row in documents:
        value = how.same(row) if how.same else None
        usable = _usable(pool, document, row, how, shows)
        if how.sampler == "balanced":
            stream = generator(how.seed, how.task, document)
            chosen = _balanced(classes.get(value, {}), how.shots, stream, usable)
        else:
            candidates: Iterable[int] = groups.get(value, [])
            if how.sampler == "random":
                candidates = _in_random_order(groups.get(value, []), generator(how.seed, how.task, document))
            chosen = list(islice(filter(usable, candidates), how.shots))
        found.append(_enough(chosen, how.shots, pool, document))
    return found


def draw_as_lm_eval(pool: Pool, how: Draw, documents: Sequence[tuple[int, Row]]) -> list[tuple[int, ...]]:
    """The same as lm-eval draws it in one process: `how.sampler` is random or first_n. Raises UserError.

    documents: those that are asked, in their order; each takes its numbers from the one stream.
    """
    if how.shots == 0:
        return [()] * len(documents)
    stream = random.Random(how.seed)
    places = range(len(pool.rows))
    found: list[tuple[int, ...]] = []
    for document, row in documents:
        others = (place for place in places if not pool.excludes or pool.rows[place] != row)
        if how.sampler == "first_n":
            chosen = list(islice(others, how.shots))
        elif len(places) < how.shots + pool.excludes:
            chosen = list(islice(others, how.shots - 1))
        else:
            # one more than is wanted, since the document itself may be drawn
            drawn = stream.sample(places, how.shots + pool.excludes)
            chosen = [place for place in drawn if not pool.excludes or pool.rows[place] != row][: how.shots]
            if len(chosen) < how.shots:  # it was drawn more than once
                rest = list(others)
                chosen = stream.sample(rest, min(how.shots, len(rest)))
        found.append(_enough(chosen, how.shots, pool, document))
    return found


def generator(seed: int, task: str, document: int) -> random.Random:
    """Random numbers that belong to one document of one task under one seed."""
    key = hashlib.sha256(f"{seed}/{task}/{document}".encode()).digest()
    return random.Random(int.from_bytes(key[:16], "big"))


def _allowed(pool: Pool) -> Sequence[int]:
    """Places of the rows that may be examples."""
    if pool.only is None:
        return range(len(pool.rows))
    for place in pool.only:
        if not 0 <= place < len(pool.rows):
            raise UserError(
                f"`fewshot_indices` names row {place}, and {pool.name} has rows 0 to {len(pool.rows) - 1}",
                place=pool.place,
            )
    return pool.only


def _usable(
    pool: Pool, document: int, row: Row, how: Draw, shows: dict[int, frozenset[Hashable]]
) -> Callable[[int], bool]:
    """Whether a row of the pool is another document than this one. shows: what is known already of the pool's rows."""
    own = how.shown(row)

    def usable(place: int) -> bool:
        if (pool.keeps_places and place == document) or pool.rows[place] == row:
            return False
        if place not in shows:
            shows[place] = how.shown(pool.rows[place])
        return own.isdisjoint(shows[place])

    return usable


def _in_random_order(places: Sequence[int], stream: random.Random) -> Iterator[int]:
    """A shuffle that is made as far as it is asked for (Fisher and Yates's, what was swapped kept aside)."""
    swapped: dict[int, int] = {}
    for first in range(len(places)):
        taken = stream.randrange(first, len(places))
        yield places[swapped.get(taken, taken)]
        swapped[taken] = swapped.get(first, first)


def _balanced(
    classes: dict[Hashable, list[int]], shots: int, stream: random.Random, usable: Callable[[int], bool]
) -> list[int]:
    """In turn from every class, the classes in random order, the examples then in random order: no class is always
    the last before the question."""
    names = sorted(classes, key=repr)
    stream.shuffle(names)
    waiting = [filter(usable, _in_random_order(classes[name], stream)) for name in names]
    chosen: list[int] = []
    while waiting and len(chosen) < shots:
        for examples in list(waiting):
            place = next(examples, None)
            if place is None:
                waiting.remove(examples)
            elif len(chosen) < shots:
                chosen.append(place)
    stream.shuffle(chosen)
    return chosen


def _by_value(
    value: Callable[[Row], Hashable] | None, places: Iterable[int], rows: Sequence[Row]
) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        groups.setdefault(value(rows[place]) if value else None, []).append(place)
    return groups


def _enough(chosen: list[int], shots: int, pool: Pool, document: int) -> tuple[int, ...]:
    if len(chosen) < shots:
        few = "none" if not chosen else f"only {len(chosen)}"
        raise UserError(
            f"document {document}: {shots} few-shot examples are wanted, {pool.name} has {few} for it; lower `shots`, "
            "or name a larger `fewshot_split`",
            place=pool.place,
        )
    return tuple(chosen)
