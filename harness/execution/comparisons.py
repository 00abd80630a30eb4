"""The comparisons that a suite's `side_by_side:` comes to, before they are made: which, whether known, how long.

They are made by `harness.benchmarking`, which is above; what they take is arithmetic on how it makes them: launches of
two processes, every second one beside a launch of the first model against itself, and turns until a second is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from harness.execution.cell_cache import CellCache
from harness.execution.code_digest import code_digest
from harness.execution.plan import PlannedCell
from harness.measures.cost import Pace
from harness.measures.inference import InferenceSettings
from harness.measures.side_by_side import ROUNDS, TIMES
from harness.models.digest import hash_of
from harness.models.in_memory import KEY as IN_MEMORY
from harness.suite.schema import Suite

CODE = ("harness/benchmarking", "harness/gate/arms", "harness/gate/lockstep")
"""What determines a ratio, given the two cells of speed."""
WARM = 0.2
"""Seconds that each process warms up in a launch."""
LAUNCH, TURN = 1.0, 0.002
"""Seconds that the turns of a launch take together, and that one takes at least."""
FEWEST, MOST = 2, 30
"""Blocks of four turns in a launch."""


@dataclass(frozen=True)
class Comparison:
    """A cell of speed beside that of the first model, by one of its times."""

    base: PlannedCell
    head: PlannedCell
    times: str
    launches: int

    @property
    def key(self) -> str:
        """What determines its result."""
        names = self.base.cell.model, self.head.cell.model
        return comparison_key((self.base.key, self.head.key), names, self.times, self.launches)

    @property
    def title(self) -> str:
        """What it is, for a line of a plan."""
        base, head = (
            f"{one.cell.model} {one.cell.axes.get('precision', '')}".strip() for one in (self.base, self.head)
        )
        return f"{head} against {base}, {self.times}, batch {_settings(self.head).batch}, {self.launches} launches"

    @property
    def can_be(self) -> bool:
        """Whether nothing is known that keeps one of the two from being measured."""
        return all(one.missing is None and one.unsupported is None for one in (self.base, self.head))

    @property
    def cached(self) -> bool:
        """Whether its result is known."""
        return CellCache().has(self.key)

    def seconds(self, base: Pace, head: Pace) -> float:
        """How long it takes where the two compute so quickly."""
        works = [_work(_settings(self.head), self.times, pace) for pace in (base, head)]
        if IN_MEMORY in (self.base.source.kind, self.head.source.kind):
            return (1 + ROUNDS * self.launches) * sum(whole for _, whole in works)
        launches = self.launches + ceil(self.launches / 2)
        timed = [seconds for seconds, _ in works]
        wholes = [whole for _, whole in works]
        turns = 2 * repeats_and_blocks(timed) * sum(wholes)
        return launches * (base.start + head.start + 2 * WARM + sum(wholes) + turns)


def comparisons(suite: Suite, cells: Sequence[PlannedCell]) -> list[Comparison]:
    """Those of a suite: at each batch each cell of speed with the first one, by each of its times."""
    if suite.side_by_side is None:
        return []
    by_batch: dict[int, list[PlannedCell]] = {}
    for item in cells:
        if item.cell.measure == "inference":
            by_batch.setdefault(_settings(item).batch, []).append(item)
    return [
        Comparison(items[0], head, times, suite.side_by_side.launches)
        for items in by_batch.values()
        for head in items[1:]
        for times in TIMES
    ]


def comparison_key(keys: tuple[str, str], names: tuple[str, str], times: str, launches: int) -> str:
    """The key of a comparison. keys, names: of the two cells of speed, the first model's first, and of their models."""
    return hash_of(["side by side", *keys, *names, times, launches, code_digest(CODE)])


def repeats_and_blocks(seconds: Sequence[float]) -> int:
    """How many calls of each arm half of a launch's turns have, where calls take so long: repeats times blocks. See
    `harness.gate.lockstep.launch.pace`."""
    fast, slow = max(min(seconds), 1e-12), max(*seconds, 1e-12)
    repeats = max(1, min(ceil(TURN / fast), int(LAUNCH / (4 * FEWEST * slow))))
    return repeats * int(min(max(LAUNCH / (4 * repeats * slow), FEWEST), MOST))


def _work(settings: InferenceSettings, times: str, pace: Pace) -> tuple[float, float]:
    """Seconds that are timed of one call, and those of all of it."""
    prefill = pace.compute(settings.prompt * settings.batch)
    if times == "ttft":
        return prefill, prefill
    steps = settings.generate * pace.step(settings.batch)
    return steps, prefill + steps


def _settings(item: PlannedCell) -> InferenceSettings:
    assert isinstance(item.cell.typed, InferenceSettings)
    return item.cell.typed
