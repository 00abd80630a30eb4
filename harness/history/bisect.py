"""The commits between two points of a series, and how `git bisect` finds the one that made the step.

The history has measured some commits; git knows those between. Which of them did it is decided by `harness ab`, which
times each against the good one: one commit measured in lockstep says more than a history of days.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError, WrongArgument, shown
from harness.evidence.selection import Where
from harness.history.commits import Repository
from harness.history.folder import History
from harness.history.point import Point
from harness.history.series import Found, Series, series
from harness.history.steps import Step
from harness.measures.registry import MEASURES
from harness.suite.shipped import shipped_suites

MARGIN, LEAST_MARGIN = 0.05, 0.01
SKIP = 125
"""What tells `git bisect run` that a commit can't be judged."""
MODEL_WORK = ("prompt", "generate", "batch")
"""Settings of a cell that `harness ab` knows by the same names."""


@dataclass(frozen=True)
class Between:
    """A commit that may have made the step."""

    commit: str
    subject: str
    point: Point | None
    """What the history has measured of it."""


@dataclass(frozen=True)
class Bisection:
    """Two points, what lies between, and what to type."""

    series: Series
    good: str
    bad: str
    commits: tuple[Between, ...]
    """After the good one, up to the bad one, oldest first."""
    decides: str
    """The command that tells a good commit from a bad one, in the bad one's working folder."""
    commands: tuple[str, ...]
    notes: tuple[str, ...]


def bisect(
    history: History,
    metric: str,
    where: Where | Sequence[str] = (),
    *,
    good: str | None = None,
    bad: str | None = None,
    suite: str | None = None,
    machine: str | None = None,
    branch: str | None = None,
    folder: str | Path | None = None,
) -> Bisection:
    """What lies between two commits of a series, and how to find which one made the step.

    good, bad: revisions; left out, the two sides of the last step for the worse. The rest as for `series`. Raises
    UserError where there is no git, no such commit, no step, or more than one series.
    """
    found = series(history, metric, where, suite=suite, machine=machine, branch=branch, folder=folder)
    repo = found.repository
    if repo is None:
        raise UserError("the commits between two points are git's to name: run it in the project's repository")
    one = _the_series(found, metric)
    if good is None or bad is None:
        step = _last_step_for_the_worse(one)
        before, after = _sides(one, step)
        good, bad = good or before, bad or after
    ends = repo.commit(good, "good"), repo.commit(bad, "bad")
    between = repo.between(*ends)
    if not between:
        raise WrongArgument(
            f"{shown(good)} is no ancestor of {shown(bad)}, so no commit lies between them", place="good, bad"
        )
    points = {point.commit: point for point in (*one.apart, *one.points) if not point.dirty}
    subjects = repo.subjects(between)
    commits = tuple(Between(commit, subjects.get(commit, ""), points.get(commit)) for commit in between)
    level = 1.0 if one.pinned == ends[0] else _value(points.get(ends[0]))
    margin = _margin(one, level, _value(points.get(ends[1])))
    decides, notes = _deciding(one, ends[0], margin, repo)
    run = f"{decides}; code=$?; case $code in 0|4) exit 0;; 1|130) exit $code;; *) exit {SKIP};; esac"
    commands = (
        f"git bisect start {ends[1][:12]} {ends[0][:12]}",
        f"git bisect run sh -c {shlex.quote(run)}",
        "git bisect reset",
    )
    return Bisection(one, *ends, commits, decides, commands, tuple(notes))


def _the_series(found: Found, metric: str) -> Series:
    """The one that is meant: ratios before values before absolute times. Raises UserError where several are."""
    first = found.series[0]
    alike = [one for one in found.series if (one.kind, one.is_absolute_time) == (first.kind, first.is_absolute_time)]
    if len(alike) == 1:
        return first
    titles = "".join(f"\n  {one.title}" for one in alike[:8])
    more = f"\n  and {len(alike) - 8} more" if len(alike) > 8 else ""
    raise WrongArgument(
        f"{metric} has {len(alike)} series; choose one with `where`, `suite` or `machine`:{titles}{more}",
        place="where",
        beside=("where", "suite", "machine"),
    )


def _last_step_for_the_worse(one: Series) -> Step:
    worse = [step for step in one.steps if one.direction != "higher" or step.after < step.before]
    worse = [step for step in worse if one.direction != "lower" or step.after > step.before]
    if not worse:
        why = "absolute times have none" if one.is_absolute_time else "it has no step for the worse"
        raise WrongArgument(f"name the two commits: {why} ({one.title})", place="good, bad")
    return worse[-1]


def _sides(one: Series, step: Step) -> tuple[str, str]:
    """The last commit that is certainly before a step, and the first one certainly behind it."""
    counted = [point for point in one.points if point.counts]
    keys = [point.key for point in counted]
    before, after = counted[max(keys.index(step.earliest) - 1, 0)], counted[keys.index(step.latest)]
    if before.commit is None or after.commit is None:
        raise WrongArgument("the runs at the step know no commits; name two", place="good, bad")
    return before.commit, after.commit


def _value(point: Point | None) -> float | None:
    return None if point is None else point.value


def _margin(one: Series, good: float | None, bad: float | None) -> float:
    """Half of the change between the two where the history knows it, of ratios: a commit has all of a step or none."""
    if one.kind != "ratio" or good is None or bad is None or not good > 0:
        return MARGIN
    half = (bad / good - 1) / 2
    if not math.isfinite(half) or half <= 0:
        return MARGIN
    return max(round(half, 2 if half >= 0.02 else 3), LEAST_MARGIN)


def _deciding(one: Series, good: str, margin: float, repo: Repository) -> tuple[str, list[str]]:
    """The command that compares a working folder with the good commit, and what is to be said of it."""
    at = one.at
    measure = MEASURES.get(str(at.get("measure")))
    metric = None if measure is None else measure.metric(one.metric)
    timed = metric.times if metric is not None else None
    if one.depends_on != "time" or (metric is not None and timed is None):
        name, notes = _suite_file(one.suite, repo)
        told = f"`harness ci` judges all that {name} gates, not {one.metric} alone"
        return shlex.join(["harness", "ci", name, "--base", good[:12]]), [told, *notes]
    words, notes = ["harness", "ab"], []
    call = at.get("function") or at.get("call")
    if call:
        words += ["--a", f"call={call},revision={good[:12]}", "--b", f"call={call}"]
        words += _options(at, "setup", "arguments")
    elif at.get("command"):
        words += ["--a", f"command={at['command']},revision={good[:12]}", "--b", f"command={at['command']}"]
    else:
        opened = "".join(
            f",{name}={at[name]}" for name in ("precision", "device") if at.get(name) not in (None, "auto")
        )
        words += ["--a", f"revision={good[:12]}{opened}", "--b", f"here{opened}", "--model", str(at.get("model"))]
        if "measure" in at:
            name, notes = _suite_file(one.suite, repo)
            words += ["--suite", name]
        words += ["--time", str(timed or at.get("time") or "decode"), *_options(at, *MODEL_WORK)]
    words += [*_options(at, "threads"), "--margin", f"{margin:g}"]
    return shlex.join(words), notes


def _options(at: Mapping[str, Any], *names: str) -> list[str]:
    return [word for name in names if at.get(name) is not None for word in (f"--{name}", str(at[name]))]


def _suite_file(suite: str, repo: Repository) -> tuple[str, list[str]]:
    """What names a suite on the command line, and what is said where nothing does for certain."""
    for name in (f"suites/{suite}.yaml", f"{suite}.yaml", "suites/ci.yaml"):
        if (repo.root / name).is_file():
            return name, [f"{name} has to ask the same at every commit"]
    if suite in shipped_suites():
        return suite, []
    return suite, [f"there is no suites/{suite}.yaml here: put the suite's file in its place in the commands"]
