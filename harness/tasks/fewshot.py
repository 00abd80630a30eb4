"""Which worked examples stand before a document.

In mode right the draw depends on (seed, task, document) alone: not on the order of documents, on a limit or on how many
processes share the work. A document is never its own example, whatever the splits are called. In mode lm-eval one
stream of random numbers runs through the documents in their order, and a document may be its own example where the
task's file names its splits so (lm-evaluation-harness 0.4.13).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import UserError
from harness.tasks.ask import Row

Sampler = Literal["random", "first_n", "balanced", "fixed"]


@dataclass(frozen=True)
class Pool:
    """The documents that worked examples are drawn from."""

    rows: Sequence[Row]
    split: str | None
    """Its name; None where the task's file gives the examples itself."""
    place: str
    """The task's file, for errors."""
    keeps_places: bool = False
    """Whether its document i is document i of those that are asked."""
    excludes: bool = False
    """lm-eval's rule: whether it keeps a document out of its own examples."""

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


def draw(pool: Pool, how: Draw, documents: Sequence[tuple[int, Row]]) -> list[tuple[int, ...]]:
    """Of each document (its place among those that are asked, its row) the places of its examples in the pool.

    Raises UserError where the pool has too few.
    """
    if how.shots == 0:
        return [()] * len(documents)
    groups = _by(how.same, pool.rows)
    classes = [how.label(row) for row in pool.rows] if how.sampler == "balanced" and how.label else []
    return [_of_document(pool, how, groups, classes, document, row) for document, row in documents]


def draw_as_lm_eval(pool: Pool, how: Draw, documents: Sequence[tuple[int, Row]]) -> list[tuple[int, ...]]:
    """The same as lm-eval draws it in one process: `how.sampler` is random or first_n. Raises UserError."""
    stream = random.Random(how.seed)
    places = range(len(pool.rows))
    found: list[tuple[int, ...]] = []
    for _, row in documents:
        if how.shots == 0:
            found.append(())
            continue
        if how.sampler != "random":
            kept = [place for place in places if not pool.excludes or pool.rows[place] != row]
            found.append(tuple(_enough(kept[: how.shots], how.shots, pool)))
            continue
        drawn = stream.sample(places, _enough_of(how.shots + pool.excludes, pool))
        if pool.excludes:
            drawn = [place for place in drawn if pool.rows[place] != row][: how.shots]
        if len(drawn) < how.shots:
            others = [place for place in places if pool.rows[place] != row]
            drawn = stream.sample(others, len(_enough(others[: how.shots], how.shots, pool)))
        found.append(tuple(drawn))
    return found


def generator(seed: int, task: str, document: int) -> random.Random:
    """Random numbers that belong to one document of one task under one seed."""
    key = hashlib.sha256(f"{seed}/{task}/{document}".encode()).digest()
    return random.Random(int.from_bytes(key[:16], "big"))


def _of_document(
    pool: Pool,
    how: Draw,
    groups: dict[Hashable, list[int]],
    classes: Sequence[Hashable],
    document: int,
    row: Row,
) -> tuple[int, ...]:
    candidates = groups.get(how.same(row) if how.same else None, [])

    def usable(place: int) -> bool:
        return not (pool.keeps_places and place == document) and pool.rows[place] != row

    if how.sampler in ("first_n", "fixed"):
        chosen: list[int] = []
        for place in candidates:
            if usable(place):
                chosen.append(place)
            if len(chosen) == how.shots:
                break
        return tuple(_enough(chosen, how.shots, pool))
    stream = generator(how.seed, how.task, document)
    if how.sampler == "balanced":
        return tuple(_enough(_balanced(candidates, classes, how.shots, stream, usable), how.shots, pool))
    few = min(len(candidates), 2 * how.shots + 8)
    chosen = [place for place in stream.sample(candidates, few) if usable(place)][: how.shots]
    if len(chosen) < how.shots:  # many equal rows: look at all of them
        chosen = [place for place in stream.sample(candidates, len(candidates)) if usable(place)][: how.shots]
    return tuple(_enough(chosen, how.shots, pool))


def _balanced(
    candidates: Sequence[int],
    classes: Sequence[Hashable],
    shots: int,
    stream: random.Random,
    usable: Callable[[int], bool],
) -> list[int]:
    """In turn from every class, the classes in random order, the examples then in random order: no class is always
    the last before the question."""
    by_class: dict[Hashable, list[int]] = {}
    for place in stream.sample(candidates, len(candidates)):
        if usable(place):
            by_class.setdefault(classes[place], []).append(place)
    names = sorted(by_class, key=repr)
    stream.shuffle(names)
    chosen: list[int] = []
    while len(chosen) < shots and any(by_class.values()):
        for name in names:
            if by_class[name] and len(chosen) < shots:
                chosen.append(by_class[name].pop(0))
    stream.shuffle(chosen)
    return chosen


def _by(same: Callable[[Row], Hashable] | None, rows: Sequence[Row]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(same(row) if same else None, []).append(place)
    return groups


def _enough(chosen: list[int], shots: int, pool: Pool) -> list[int]:
    if len(chosen) < shots:
        raise UserError(
            f"{shots} worked examples are wanted and {pool.name} has only {len(chosen)} that may be used; "
            "lower `shots`, or name a larger `fewshot_split`",
            place=pool.place,
        )
    return chosen


def _enough_of(count: int, pool: Pool) -> int:
    _enough(list(range(len(pool.rows))), count, pool)
    return count
