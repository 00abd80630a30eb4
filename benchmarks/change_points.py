"""False alarms, delays and power of change points, beside other rules, on simulated series.

    python benchmarks/change_points.py simulate [--rules NAME] [--series 1000] [--planted 200]
    python benchmarks/change_points.py table

`simulate` adds one line per rule, kind of noise and task to results/change_points.jsonl and goes on where it was
stopped. Rules are `harness.statistics.change_points` at several penalties; E-divisive with segments of at least five
values (`e_divisive.py`); and, where they are installed (`pip install apache-otava asv`, best into an environment of
their own), otava's and asv's own functions. `table` writes results/change_points.md.

Series are 100 values about 1 with a standard deviation of 5 %: normal, skewed (lognormal, sigma 0.8), of two modes (a
quarter of the values five inner standard deviations above the others) or correlated (each value carries half of the one
before). sd below is that standard deviation. All rules get the same series.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from e_divisive import EDivisive, Floats, Keeping

from harness.statistics.change_points import PENALTY, change_points
from harness.statistics.exact_proportions import at_least, at_most

RESULTS = Path(__file__).resolve().parents[1] / "results"
DATA, TABLE = RESULTS / "change_points.jsonl", RESULTS / "change_points.md"

N = 100
NEAR = 5
"""A step is found where one is called at most so many values from it."""
NOISES = ("normal", "skewed", "two modes", "correlated")
BEHIND = (50, 20, 15, 10, 7, 5)
"""Values behind a planted step."""

FEW = {"nothing", "nothing, 20 values", "two steps of 3 sd, 20 apart", "a spike of 10 sd", "a drift of 3 sd"} | {
    f"step of {size} sd, {behind} behind" for size in (2, 3) for behind in (50, 10, 5)
}
"""What rules get that reorder, which takes twenty times as long."""

Rule = Callable[[Floats], list[int]]
KEEPING: dict[Keeping, str] = {
    "nothing": "values reordered",
    "blocks": "blocks of 5 reordered",
    "correlation": "whitened values reordered",
}


# --- series ----------------------------------------------------------------------------------------------------------


def noise(kind: str, series: int, n: int, seed: int) -> Floats:
    """(series, n) values of mean 0 and standard deviation 1."""
    generator = np.random.default_rng([seed, NOISES.index(kind), n])
    normal = generator.normal(size=(series, n + 50))
    if kind == "skewed":
        return np.asarray((np.exp(0.8 * normal[:, 50:]) - np.exp(0.32)) / np.sqrt((np.exp(0.64) - 1) * np.exp(0.64)))
    if kind == "two modes":
        above = generator.random((series, n)) < 0.25
        return np.asarray((5 * above - 1.25 + normal[:, 50:]) / np.sqrt(1 + 25 * 0.25 * 0.75))
    if kind == "correlated":
        for place in range(1, n + 50):
            normal[:, place] = 0.5 * normal[:, place - 1] + np.sqrt(0.75) * normal[:, place]
    return np.asarray(normal[:, 50:])


Task = tuple[str, int, Callable[[Floats, np.random.Generator], tuple[int, ...]]]
"""What is planted: its name, the length of the series, and a function that plants it and returns the true steps."""


def tasks() -> Iterator[Task]:
    """All of them."""

    def nothing(series: Floats, generator: np.random.Generator) -> tuple[int, ...]:
        return ()

    def step(size: float, behind: int) -> Callable[[Floats, np.random.Generator], tuple[int, ...]]:
        def plant(series: Floats, generator: np.random.Generator) -> tuple[int, ...]:
            series[N - behind :] += size
            return (N - behind,)

        return plant

    def two_steps(series: Floats, generator: np.random.Generator) -> tuple[int, ...]:
        series[40:60] += 3
        return (40, 60)

    def spikes(length: int) -> Callable[[Floats, np.random.Generator], tuple[int, ...]]:
        def plant(series: Floats, generator: np.random.Generator) -> tuple[int, ...]:
            start = int(generator.integers(N - length + 1))
            series[start : start + length] += 10
            return ()

        return plant

    def drift(series: Floats, generator: np.random.Generator) -> tuple[int, ...]:
        series += np.linspace(0, 3, N)
        return ()

    yield "nothing", N, nothing
    yield "nothing, 20 values", 20, nothing
    yield "nothing, 500 values", 500, nothing
    for size in (1, 2, 3):
        for behind in BEHIND:
            yield f"step of {size} sd, {behind} behind", N, step(size, behind)
    yield "two steps of 3 sd, 20 apart", N, two_steps
    yield "a spike of 10 sd", N, spikes(1)
    yield "two spikes of 10 sd side by side", N, spikes(2)
    yield "a drift of 3 sd", N, drift


# --- rules -----------------------------------------------------------------------------------------------------------


def ours(penalty: float) -> Rule:
    """`harness.statistics.change_points`."""
    return lambda values: [point.index for point in change_points(values, penalty=penalty)]


def rules() -> dict[str, Rule]:
    """Those that can be called here."""
    found: dict[str, Rule] = {f"penalized steps, penalty {penalty:g}": ours(penalty) for penalty in (16, 20, 25)}
    for keeping, reordered in KEEPING.items():
        found[f"E-divisive, {reordered}, p ≤ 0.01"] = EDivisive(0.01, keeping, permutations=199)
    found[f"E-divisive, {KEEPING['correlation']}, p ≤ 0.001"] = EDivisive(0.001, "correlation", permutations=999)
    try:
        from asv.step_detect import solve_potts_autogamma
        from otava.analysis import compute_change_points
    except ImportError:
        print("otava and asv are not installed here: their rules are left out")
        return found

    def otava(p: float) -> Rule:
        return lambda values: [int(point.index) for point in compute_change_points(values.tolist(), max_pvalue=p)[0]]

    def asv(beta: float, shortest: int) -> Rule:
        def rule(values: Floats) -> list[int]:
            n = len(values)
            right = solve_potts_autogamma(values.tolist(), [1] * n, beta=beta * np.log(n) / n, min_size=shortest)[0]
            return [int(end) for end in right[:-1]]

        return rule

    for p in (0.01, 0.001, 0.0001):
        found[f"otava, p ≤ {p:g}"] = otava(p)
    found["asv"] = asv(4, 1)
    for beta in (4, 2):
        found[f"asv, segments ≥ 5, beta {beta} ln n / n"] = asv(beta, 5)
    return found


# --- counting --------------------------------------------------------------------------------------------------------


def measured(rule: Rule, task: Task, kind: str, count: int) -> dict[str, Any]:
    """What a rule calls in so many series."""
    _, n, plant = task
    generator = np.random.default_rng(1)
    found = wrong = series_wrong = called = 0
    started = time.process_time()
    for series in noise(kind, count, n, seed=0):
        true = plant(series, generator)
        places = rule(1 + 0.05 * series)
        false = sum(all(abs(place - at) > NEAR for at in true) for place in places)
        found += bool(true) and all(any(abs(place - at) <= NEAR for place in places) for at in true)
        wrong, series_wrong, called = wrong + false, series_wrong + bool(false), called + bool(places)
    spent = (time.process_time() - started) / count * 1000
    return {
        "series": count,
        "found": found,
        "wrong": wrong,
        "series_wrong": series_wrong,
        "called": called,
        "ms": spent,
    }


def watched(rule: Rule, kind: str, count: int) -> dict[str, Any]:
    """Series without a step that are looked at after every commit: those that ever show one, and how many they show.

    Calls within five values of an earlier one are the same alarm.
    """
    alarms = series_wrong = 0
    for series in noise(kind, count, N, seed=0):
        seen: list[int] = []
        for now in range(10, N + 1):
            seen += [place for place in rule(1 + 0.05 * series[:now]) if all(abs(place - at) > NEAR for at in seen)]
        alarms, series_wrong = alarms + len(seen), series_wrong + bool(seen)
    return {"series": count, "wrong": alarms, "series_wrong": series_wrong, "called": series_wrong, "found": 0}


def held(kind: str, count: int) -> dict[str, Any]:
    """How often the places that a step may have hold the true one: steps of 2 sd in the middle."""
    seen = inside = 0
    for series in noise(kind, count, N, seed=0):
        series[50:] += 2
        near = [point for point in change_points(1 + 0.05 * series) if abs(point.index - 50) <= NEAR]
        seen, inside = seen + len(near), inside + sum(point.earliest <= 50 <= point.latest for point in near)
    return {"series": seen, "found": inside, "wrong": 0, "series_wrong": 0, "called": seen}


WATCHED, HELD = "nothing, looked at after every commit", "places of a step of 2 sd hold it"


def simulate(wanted: str, series: int, planted: int) -> None:
    """Add the lines that are not there yet."""
    known = {(row["rule"], row["noise"], row["task"]) for row in read()}

    def add(rule: str, kind: str, task: str, count: Callable[[], dict[str, Any]]) -> None:
        if (rule, kind, task) in known:
            return
        row = {"rule": rule, "noise": kind, "task": task} | count()
        with DATA.open("a") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    for name, rule in rules().items():
        if not name.startswith(wanted):
            continue
        is_slow = isinstance(rule, EDivisive)
        for kind in NOISES:
            for task in tasks():
                many = series if task[0] == "nothing" else planted // 2 if is_slow else planted
                if not is_slow or task[0] in FEW:
                    add(name, kind, task[0], lambda: measured(rule, task, kind, many))  # noqa: B023
            if not is_slow:
                add(name, kind, WATCHED, lambda: watched(rule, kind, planted // 2))  # noqa: B023
        print(name, flush=True)
    if not wanted:
        for kind in NOISES:
            add(f"penalized steps, penalty {PENALTY:g}", kind, HELD, lambda: held(kind, series))  # noqa: B023


def read() -> list[dict[str, Any]]:
    """The lines so far."""
    return [json.loads(line) for line in DATA.read_text().splitlines()] if DATA.exists() else []


# --- the page --------------------------------------------------------------------------------------------------------

SHOWN = [(1, 50), *((size, behind) for size in (2, 3) for behind in (50, 10, 5))]
"""Sizes of steps and values behind them whose power the page shows; the others are in the data."""
OURS = f"penalized steps, penalty {PENALTY:g}"
ABOUT = f"""# Change points: false alarms, delays and power

Made by `benchmarks/change_points.py` (`table`, from `change_points.jsonl`): 100 values about 1 with a standard
deviation (sd) of 5 %, in four kinds of noise: normal; skewed (lognormal, sigma 0.8); two modes (a quarter of the
values five inner standard deviations above the others); correlated (each value carries half of the one before, an
AR(1)). All rules got the same series. otava and asv are the tools' own functions (apache-otava 0.8.0 with its window
of 50, asv 0.6.6); E-divisive has segments of at least five values and searches kappa (`benchmarks/e_divisive.py`);
penalized steps are `harness.statistics.change_points`, which ships with a penalty of {PENALTY:g}. Bounds are exact
one-sided 95 % ones (Clopper & Pearson). An empty cell was not simulated.

**Why penalized steps.** A test that takes values for independent, or reorders them one by one, calls wandering noise
a step: otava's defaults do so in most correlated series, and see steps everywhere in a series that is looked at after
every commit. asv fits the correlation and hardly ever errs, but its penalty of 4 ln n, for the logarithm of absolute
residuals, is about twice as strict as it would be for squared ones: it waits for 50 values at 2 sd, and in correlated
noise sees next to nothing; with half of it and segments of five it sees as much as what ships, and alarms far
oftener. E-divisive on whitened values comes nearest: no more power, ten times the false alarms in correlated noise,
ten times the time. What ships keeps asv's idea, a penalty with the correlation among what is fitted, and takes
squared residuals of values whose spikes were cut, the exact best segments of five or more values in place of windows
of 20, the likelihood of where segments begin, and a penalty chosen by the first two tables.

**What it does not do.** A drift is called too, as a step for every one to three sd that it goes. A step of 1 sd is
seen in a part of the series, and in correlated noise hardly ever; there, one of 2 sd is seen in half of the series
with 50 values behind it. Two modes are the worst noise where a series is looked at after every commit: there may be
five of the rarer values in a row.
"""


def page(rows: list[dict[str, Any]]) -> str:
    """All tables."""
    lines = {(row["rule"], row["noise"], row["task"]): row for row in rows}
    names = list(dict.fromkeys([OURS, *sorted({row["rule"] for row in rows})]))

    def table(title: str, note: str, tasks: list[str], cell: Callable[[dict[str, Any]], str]) -> str:
        parts = [f"## {title}\n\n{note}\n"]
        for task in tasks:
            heading = f"| {task} | " + " | ".join(NOISES) + " |\n|---|" + "---|" * len(NOISES)
            body = []
            for name in names:
                found = [lines.get((name, kind, task)) for kind in NOISES]
                if any(found):
                    shown = f"**{name}**" if name == OURS else name
                    body.append(f"| {shown} | " + " | ".join(cell(row) if row else "" for row in found) + " |")
            if body:
                parts.append(f"{heading}\n" + "\n".join(body) + "\n")
        return "\n".join(parts)

    def alarms(row: dict[str, Any]) -> str:
        n, wrong = row["series"], row["series_wrong"]
        return f"{wrong / n:.1%} (at most {at_most(wrong, n):.1%})"

    def per_series(row: dict[str, Any]) -> str:
        return f"{alarms(row)}; {row['wrong'] / row['series']:.2f}"

    def power(row: dict[str, Any]) -> str:
        return f"{row['found'] / row['series']:.0%}"

    def called(row: dict[str, Any]) -> str:
        return f"{row['called'] / row['series']:.0%}, {row['wrong'] / row['series']:.1f} each"

    delays = "\n".join(
        f"| {name if name != OURS else f'**{name}**'} | "
        + " | ".join(delay(lines, name, kind, size) for kind in NOISES for size in (2, 3))
        + " |"
        for name in names
    )
    columns = " | ".join(f"{kind}, {size} sd" for kind in NOISES for size in (2, 3))
    places = {kind: row for kind in NOISES if (row := lines.get((OURS, kind, HELD)))}
    held_in = ", ".join(
        f"{kind} {row['found'] / row['series']:.1%} (at least {at_least(row['found'], row['series']):.1%})"
        for kind, row in places.items()
    )
    spent = ", ".join(
        f"{values} {row['ms']:.0f} ms"
        for values, task in ((20, "nothing, 20 values"), (100, "nothing"), (500, "nothing, 500 values"))
        if (row := lines.get((OURS, "normal", task)))
    )
    return "\n".join(
        [
            ABOUT,
            table(
                "False alarms per 100 commits: one look",
                "Series of 100 values with no step in which one is called; behind the semicolon calls per series.",
                ["nothing"],
                per_series,
            ),
            table(
                "False alarms per 100 commits: a look after every commit",
                "Series that ever showed a step while they grew from 10 to 100 values; behind the semicolon false "
                "alarms per 100 commits (calls within five values of an earlier one count once).",
                [WATCHED],
                per_series,
            ),
            "## Delay\n\nThe fewest values behind a step from which on four of five series show it, within five values "
            f"of its place (5, 7, 10, 15, 20 and 50 were tried, of E-divisive 5, 10 and 50).\n\n"
            f"| rule | {columns} |\n|---|" + "---|" * (2 * len(NOISES)) + f"\n{delays}\n",
            "## Power\n\nSeries in which the step was found, by its size in sd and the values behind it.\n",
            *(powers(lines, names, kind) for kind in NOISES),
            table("Two steps", "Series in which both were found.", ["two steps of 3 sd, 20 apart"], power),
            table(
                "Spikes are no steps",
                "Series with a spike at a random place in which a step is called.",
                ["a spike of 10 sd", "two spikes of 10 sd side by side"],
                alarms,
            ),
            table("A drift", "Series that show a step, and how many.", ["a drift of 3 sd"], called),
            table(
                "Shorter and longer series",
                "As the first table.",
                ["nothing, 20 values", "nothing, 500 values"],
                per_series,
            ),
            "## Places and time\n\n"
            f"A step of 2 sd in the middle lies between `earliest` and `latest` in: {held_in}.\n\n"
            f"CPU time of a series of normal noise, on a busy machine: {spent}.\n",
        ]
    )


def powers(lines: dict[tuple[str, str, str], dict[str, Any]], names: list[str], kind: str) -> str:
    """The table of one kind of noise."""
    tasks = {f"{size} sd, {behind}": f"step of {size} sd, {behind} behind" for size, behind in SHOWN}
    rows = [f"| {kind} | " + " | ".join(tasks) + " |", "|---|" + "---|" * len(tasks)]
    for name in names:
        found = [lines.get((name, kind, task)) for task in tasks.values()]
        if any(found):
            cells = (f"{row['found'] / row['series']:.0%}" if row else "" for row in found)
            rows.append(f"| {'**' + name + '**' if name == OURS else name} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def delay(lines: dict[tuple[str, str, str], dict[str, Any]], name: str, kind: str, size: int) -> str:
    """The fewest values behind a step from which on four of five series show it."""
    fewest = ""
    for behind in BEHIND:
        row = lines.get((name, kind, f"step of {size} sd, {behind} behind"))
        if row is None:
            continue
        if row["found"] < 0.8 * row["series"]:
            return fewest or "over 50"
        fewest = str(behind)
    return fewest


def main() -> None:
    """Simulate, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    simulating = commands.add_parser("simulate")
    simulating.add_argument("--rules", default="", help="those whose names begin so")
    simulating.add_argument("--series", type=int, default=1000, help="without a step")
    simulating.add_argument("--planted", type=int, default=100, help="of each planted thing")
    commands.add_parser("table")
    chosen = parser.parse_args()
    if chosen.command == "simulate":
        simulate(chosen.rules, chosen.series, chosen.planted)
    else:
        TABLE.write_text(page(read()))


if __name__ == "__main__":
    main()
