"""The A/A ledger: what this machine class calls slower although it is the same code.

Every comparison runs its base against itself beside the comparison, and those launches are kept here, one line each
time. Replayed with the rule of a gate they say how often it raises a false alarm on this machine, and not in theory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import kept_file, strict_json
from harness.cache import cache_folder
from harness.gate.lockstep.launch import Clock
from harness.gate.lockstep.lockstep import FEWEST
from harness.notice import notice
from harness.statistics.exact_proportions import at_most
from harness.statistics.speed_decision import Decision, Rule, decide

NAME = "launches of identical code"


@dataclass(frozen=True)
class Entry:
    """The A/A launches of one comparison."""

    time: str
    machine: str
    """The machine class."""
    workload: str
    clock: Clock
    threads: int
    differences: tuple[float, ...]
    """Logarithm of the ratio of times, one per launch, in order."""
    others: float | None
    """Part of the cores' time that others took, the median over launches."""


@dataclass(frozen=True)
class Realized:
    """What a rule made of launches of identical code."""

    decisions: int
    alarms: int
    """FAIL, which each of them would have been wrong."""
    passes: int

    @property
    def at_most(self) -> float | None:
        """The exact one-sided 95 % upper bound of the rate of false alarms; None without a decision."""
        return at_most(self.alarms, self.decisions) if self.decisions else None


def keep(entry: Entry, folder: Path | None = None) -> None:
    """Add an entry. A cache that is full or may only be read keeps nothing."""
    line = kept_file.seal(strict_json.dumps(asdict(entry)), NAME) + "\n"
    try:
        path = _file(entry.machine, folder)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())  # at once: two comparisons may end together
        finally:
            os.close(descriptor)
    except OSError as error:
        notice(f"the launches of identical code could not be kept ({error.strerror})")


def entries(machine: str, folder: Path | None = None) -> list[Entry]:
    """All entries of a machine class, in the order in which they were kept; damaged lines are left out and told of."""
    path = _file(machine, folder)
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            told = strict_json.loads(kept_file.unseal(line, NAME))
            found.append(Entry(**told | {"differences": tuple(told["differences"])}))
        except (kept_file.Damaged, TypeError, KeyError) as error:
            notice(f"{path}:{number}: {error}; this line is left out")
    return found


def realized(kept: Iterable[Entry], rule: Rule, launches: int) -> Realized:
    """Replay a rule on what was kept: of each workload the launches in order, a new comparison wherever one is decided.

    launches: the most that a comparison has. What is left at the end, undecided, is no decision.
    """
    by_workload: dict[tuple[str, Clock, int], list[float]] = {}
    for entry in kept:
        by_workload.setdefault((entry.workload, entry.clock, entry.threads), []).extend(entry.differences)
    decisions = [decision for chain in by_workload.values() for decision in _replayed(chain, rule, launches)]
    return Realized(len(decisions), decisions.count(Decision.FAIL), decisions.count(Decision.PASS))


def _replayed(chain: Sequence[float], rule: Rule, launches: int) -> list[Decision]:
    found, begin = [], 0
    for end in range(1, len(chain) + 1):
        if end - begin < min(FEWEST, launches):
            continue
        decision = decide(chain[begin:end], rule)
        if decision is not Decision.INCONCLUSIVE or end - begin == launches:
            found.append(decision)
            begin = end
    return found


def _file(machine: str, folder: Path | None) -> Path:
    return (folder or cache_folder("identical_code")) / f"{machine}.jsonl"
