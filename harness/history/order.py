"""In what order the points of a series stand: that of commits, never that of clocks.

1. as git has it, where the repository is here: parents before children;
2. else by the parents that the rows keep;
3. where those leave it open, in the order in which runs were added.

What is not in the history of the branch (pushed away, of another branch, not fetched) stands apart, with the reason.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from harness.history.commits import Repository

MAINS = ("main", "master", "trunk")


@dataclass(frozen=True)
class Measured:
    """A commit of which the history has rows; of runs outside of git each stands for itself."""

    key: str
    """The commit, or what stands for it."""
    is_commit: bool
    parents: tuple[str, ...] = ()
    branches: frozenset[str] = frozenset()
    """Which were checked out when it was measured."""
    sequence: int = 0
    """When it was added first: how many entries the history had then."""
    commit_time: datetime | None = None


@dataclass(frozen=True)
class Order:
    """The order of some commits."""

    branch: str | None
    """Whose history it is; None where nothing says."""
    keys: tuple[str, ...]
    """Those that are in it, oldest first."""
    apart: Mapping[str, str] = field(default_factory=dict)
    """Those that aren't: why, in a few words."""
    beside: frozenset[str] = frozenset()
    """Of `keys` those of a branch that was merged: they lack what was on the other side then, so no step is theirs."""
    notes: tuple[str, ...] = ()
    """What is not known of the order, and what clocks say against it: a sentence each."""


def order_of(measured: Sequence[Measured], repository: Repository | None, branch: str | None = None) -> Order:
    """Put commits in order. branch: the one that is asked for; else the repository's, or the one that most rows are
    of."""
    commits = [one for one in measured if one.is_commit]
    line = {} if repository is None else repository.parents
    known = [one for one in commits if one.key in line]
    if repository is None or not known:
        return _by_rows(measured, repository, branch)
    place = {commit: number for number, commit in enumerate(line)}
    ordered = sorted(known, key=lambda one: place[one.key])
    apart: dict[str, str] = {}
    loose: list[Measured] = []
    here = repository.has(one.key for one in commits if one.key not in line)
    newer = _after(repository.tip, [one for one in commits if one.key not in line and one.key not in here])
    for one in measured:
        if one.key in line:
            continue
        if not one.is_commit:
            apart[one.key] = "outside of git"
        elif one.key in newer or (one.key not in here and repository.is_shallow and _may_be_of(one, repository.branch)):
            loose.append(one)
        else:
            apart[one.key] = _why_apart(one, repository.branch) + ("" if one.key in here else ", and not in this clone")
    before = {later.key: {earlier.key} for earlier, later in pairwise(ordered)}
    before |= {key: {ordered[-1].key} for key in newer}
    keys, _ = _sorted([*ordered, *loose], before)
    merged = {one.key for one in known if one.key not in repository.first_line}
    beside = frozenset(one.key for one in known if one.key in merged and repository.branch not in one.branches)
    in_line = [key for key in keys if key not in merged]
    notes = [*_missing(loose, repository, newer), *_clocks([*ordered, *loose], in_line)]
    return Order(repository.branch, tuple(keys), apart, beside, tuple(notes))


def _after(tip: str, measured: Sequence[Measured]) -> set[str]:
    """Those that come after a branch's last commit, by the parents that the rows keep: the clone is behind."""
    found = {tip}
    while more := {one.key for one in measured if one.key not in found and found & set(one.parents)}:
        found |= more
    return found - {tip}


def _by_rows(measured: Sequence[Measured], repository: Repository | None, branch: str | None) -> Order:
    """The order where git has nothing to say."""
    name = branch or _usual_branch(measured)
    apart = {one.key: _why_apart(one, name) for one in measured if name is not None and not _may_be_of(one, name)}
    inside = [one for one in measured if one.key not in apart]
    keys, is_open = _sorted(inside, {})
    notes = []
    if len(inside) > 1:
        if not any(one.is_commit for one in inside):
            why = "the runs know no commits"
        elif repository is None:
            why = "there is no git repository here"
        else:
            why = f"the repository here has none of these commits in the history of {repository.branch}"
        by = "by the parents that the runs kept" if any(one.parents for one in inside) else ""
        added = "in the order of adding" if is_open else ""
        notes.append(f"{why}, so they stand {' and, where those leave it open, '.join(filter(None, (by, added)))}")
    return Order(name, tuple(keys), apart, notes=(*notes, *_clocks(inside, keys)))


def _sorted(measured: Sequence[Measured], before: Mapping[str, set[str]]) -> tuple[list[str], bool]:
    """Parents first; of those that may be next, the one that was added first. Returns the keys, and whether that had to
    decide. before: by key what has to stand before it, beside its parents."""
    keys = {one.key: one for one in measured}
    waits = {key: {up for up in {*one.parents, *before.get(key, ())} if up in keys} for key, one in keys.items()}
    children: dict[str, list[str]] = {}
    for key, ups in waits.items():
        for up in ups:
            children.setdefault(up, []).append(key)
    ready = [(_added(one), key) for key, one in keys.items() if not waits[key]]
    heapq.heapify(ready)
    found, is_open = [], False
    while ready:
        is_open = is_open or len(ready) > 1
        _, key = heapq.heappop(ready)
        found.append(key)
        for child in children.get(key, ()):
            waits[child].discard(key)
            if not waits[child]:
                heapq.heappush(ready, (_added(keys[child]), child))
    left = sorted((one for one in measured if one.key not in set(found)), key=_added)  # parents in a circle: damaged
    return [*found, *(one.key for one in left)], is_open or bool(left)


def _added(one: Measured) -> tuple[int, float, str]:
    return one.sequence, one.commit_time.timestamp() if one.commit_time is not None else 0.0, one.key


def _usual_branch(measured: Sequence[Measured]) -> str | None:
    """The main branch where there are rows of it, else the one that most are of."""
    counts = Counter(name for one in measured for name in sorted(one.branches))
    return next((name for name in MAINS if name in counts), next((name for name, _ in counts.most_common(1)), None))


def _may_be_of(one: Measured, branch: str) -> bool:
    return not one.branches or branch in one.branches


def _why_apart(one: Measured, branch: str | None) -> str:
    others = sorted(one.branches - {branch})
    if others and branch not in one.branches:
        return f"of the branch {', '.join(others)}"
    return f"not in the history of {branch}"


def _missing(loose: Sequence[Measured], repository: Repository, newer: set[str]) -> list[str]:
    """What is said of commits that are placed though git doesn't know them."""
    notes = []
    if old := [one for one in loose if one.key not in newer]:
        notes.append(
            f"this clone is shallow and lacks {_commits(len(old))}, which stand by the parents that the runs kept and "
            "in the order of adding: `git fetch --unshallow` brings what git knows of them"
        )
    if new := [one for one in loose if one.key in newer]:
        notes.append(f"{_commits(len(new))} after {repository.branch}'s last one here: `git fetch` brings them")
    return notes


def _clocks(measured: Iterable[Measured], keys: Sequence[str]) -> list[str]:
    """That clocks tell another order, where they do."""
    times = {one.key: one.commit_time for one in measured if one.commit_time is not None}
    told = [(key, times[key]) for key in keys if key in times]
    back = [later for (_, before), (later, after) in pairwise(told) if after < before]
    if not back:
        return []
    at = f"{_commits(len(back))} ({back[0][:10]}{', ...' if len(back) > 1 else ''})"
    return [f"clocks jump back at {at}: points stand in the order of commits, not of time"]


def _commits(count: int) -> str:
    return f"{count} commit{'s' if count != 1 else ''}"
