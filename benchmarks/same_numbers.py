"""Whether this checkout and another one measure the same numbers, bit for bit.

python benchmarks/same_numbers.py SUITE [SUITE ...] --before TREE [--assets FOLDER] [--keep FOLDER]

SUITE: a file, or the name of a suite that ships. Each checkout runs it with its own command line in processes of its
own, on this machine and with this Python's libraries, one after the other, with a cache that is empty: nothing that
one of them made is seen by the other. Both compute with one thread, or as many as OMP_NUM_THREADS says.

--assets: a folder of assets that were fetched before (such as ~/.cache/harness/assets), which both then share; left
out, each fetches and converts its own. --keep: where the two run folders stay; left out, nowhere.

Compared are all rows of records.parquet, then findings and outcomes of expectations: which rows there are, and every
column of them by its bits. Left out, and counted, are values that were timed or measured as memory (their metrics
declare it), what is drawn from them, and columns that name code or machine (`NAMES`). A row or a column that only one
of them has is a difference, except columns that are new here: those are only listed.

The last line is one JSON object. Exit code 0: all the same; 1: something differs, and is named; 2: a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = Path(__file__).resolve().parent.parent
NAMES = ("key", "model_digest", "fingerprint_class", "schema_version")
"""Columns that are not compared: they name the code, the machine and the format."""
RESULTS = (
    *("metric_id", "value", "low", "high", "confidence", "interval", "n", "n_unit", "unit", "direction"),
    *("status", "reason", "parameters", "parameters_non_embedding"),
)
"""Columns that say what came out. All others say of what."""
MEASURED = ("value", "low", "high", "interval", "n")
"""Of those, what time and memory decide."""
SHOWN = 20
"""Differences that are printed."""

Row = Mapping[str, Any]


@dataclass
class Comparison:
    """What was compared, and what differs."""

    rows: int = 0
    """Rows that were compared in all columns."""
    timed: int = 0
    """Rows whose values were left out, as time or memory decides them."""
    others: int = 0
    """Findings and outcomes that were compared."""
    others_timed: int = 0
    """Findings and outcomes that were left out."""
    added: list[str] = field(default_factory=list)
    """Columns that are new."""
    differences: list[str] = field(default_factory=list)


def compare_rows(before: list[Row], after: list[Row], found: Comparison) -> set[str]:
    """Compare two tables of records. Gives the metrics whose values were left out."""
    columns = _columns(before), _columns(after)
    found.added += [name for name in columns[1] if name not in columns[0]]
    found.differences += [f"the column {name} is gone" for name in columns[0] if name not in columns[1]]
    what = [name for name in columns[0] if name in columns[1] and name not in (*NAMES, *RESULTS)]
    results = [name for name in RESULTS if name in columns[0] and name in columns[1]]
    timed = set()
    for title, pairs in _paired(before, after, what):
        for a, b in pairs:
            if a is None or b is None:
                found.differences.append(f"{title}: only {'here' if a is None else 'before'}")
                continue
            left_out = is_timed(a) and is_timed(b)
            if left_out:
                timed.add(str(a["metric"]))
            found.timed += left_out
            found.rows += not left_out
            found.differences += [
                f"{title}: {name} was {_shown(a[name])} and is {_shown(b[name])}"
                for name in results
                if not (left_out and name in MEASURED) and _bits(a[name]) != _bits(b[name])
            ]
    return timed


def is_timed(row: Row) -> bool:
    """Whether time or memory of the machine decides the value, as its metric declares; of a measure that is unknown
    here, where the value isn't exact."""
    from harness.measures.registry import MEASURES

    if row["metric"] is None:
        return False
    if row["measure"] not in MEASURES:
        return bool(row["interval"] != "exact")
    metric = MEASURES[row["measure"]].metric(row["metric"])
    return metric is not None and metric.depends_on is not None


def compare_others(before: list[Row], after: list[Row], timed: set[str], what: tuple[str, ...], to: Comparison) -> None:
    """Compare findings or outcomes of expectations. what: the keys that say which one it is."""
    for title, pairs in _paired(before, after, what):
        for a, b in pairs:
            if a is None or b is None:
                to.differences.append(f"{title}: only {'here' if a is None else 'before'}")
            elif _about(a) in timed and _about(b) in timed:
                to.others_timed += 1
            else:
                to.others += 1
                to.differences += [
                    f"{title}: {name} was {_shown(a[name])} and is {_shown(b.get(name))}"
                    for name in a
                    if _bits(a[name]) != _bits(b.get(name))
                ]


def _about(row: Row) -> str | None:
    """The metric that a finding was drawn from, or that an expectation is about."""
    if "expectation" in row:
        return str(row["expectation"]).split(" ", 1)[0]
    data = row.get("data")
    return data.get("metric") if isinstance(data, dict) else None


def _columns(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _paired(
    before: list[Row], after: list[Row], what: Iterable[str]
) -> Iterable[tuple[str, list[tuple[Row | None, Row | None]]]]:
    """Rows about the same, in their order, with a title; None stands for one that is not there."""
    both: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, rows in enumerate((before, after)):
        for row in rows:
            told = {name: row.get(name) for name in what if row.get(name) is not None}
            both[" ".join(f"{name}={told[name]}" for name in sorted(told))][side].append(row)
    for title, (left, right) in both.items():
        longest = max(len(left), len(right))
        yield (
            title,
            [
                (left[place] if place < len(left) else None, right[place] if place < len(right) else None)
                for place in range(longest)
            ],
        )


def _bits(value: Any) -> str:
    """Tells apart what differs in one bit, -0.0 from 0.0 too; NaN is itself. The folders of a path are left out of
    texts: each checkout and each cache lies in its own."""
    if isinstance(value, str):
        value = re.sub(r"(?<!\S)(/[^\s/]+)+/", "", value)
    return json.dumps(value, sort_keys=True, default=str)


def _shown(value: Any) -> str:
    return _bits(value) if len(_bits(value)) < 200 else f"{_bits(value)[:200]}…"


def records_of(run: Path) -> list[Row]:
    """The rows of records.parquet, read by no code of either checkout."""
    import pyarrow.parquet as pq

    rows: list[Row] = pq.ParquetFile(run / "records.parquet").read().to_pylist()
    return rows


def compare_runs(before: Path, after: Path) -> Comparison:
    """Two run folders."""
    found = Comparison()
    timed = compare_rows(records_of(before), records_of(after), found)
    for name, what in (
        ("findings.json", ("analysis", "name", "subject")),
        ("expectations.json", ("expectation", "subject")),
    ):
        both = [json.loads(file.read_text()) if (file := run / name).exists() else [] for run in (before, after)]
        compare_others(both[0], both[1], timed, what, found)
    if not found.rows:
        found.differences.append("there is no row to compare")
    return found


class Failed(Exception):
    """A run that can't be compared, and why."""


def environment(tree: Path, cache: Path) -> dict[str, str]:
    """That of a process which takes the code of `tree`, and nothing from a cache but its own.

    One thread, where OMP_NUM_THREADS says nothing else: how many a cell gets beside others depends on what the machine
    does, and who adds which share of a sum moves its last bits.
    """
    own = {"PYTHONPATH": str(tree), "HARNESS_CACHE": str(cache), "XDG_CACHE_HOME": str(cache / "xdg")}
    return {"OMP_NUM_THREADS": "1"} | dict(os.environ) | own


def code_of(tree: Path, cache: Path) -> None:
    """Raises Failed where a process for `tree` would take the code of another checkout, such as the installed one."""
    told = "import harness, reference_impl; print(harness.__file__); print(reference_impl.__file__)"
    command = [sys.executable, "-c", told]
    asked = subprocess.run(command, cwd=tree, env=environment(tree, cache), capture_output=True, text=True, check=False)
    files = asked.stdout.splitlines()
    for file in files:
        print(f"  {file}")
    if asked.returncode or not all(Path(file).resolve().is_relative_to(tree) for file in files):
        raise Failed(f"{tree}: its code is not what would run: {asked.stdout or asked.stderr}".strip())


def run_of(tree: Path, suite: str, place: Path, assets: Path | None) -> Path:
    """Run a suite with the code of a checkout and an empty cache; gives the run folder. Raises Failed."""
    cache = place / "cache"
    cache.mkdir(parents=True)
    if assets is not None:
        (cache / "assets").symlink_to(assets.resolve(), target_is_directory=True)
    print(f"{suite} with {tree}", flush=True)
    code_of(tree, cache)
    command = [sys.executable, "-m", "harness", "run", suite, "--out", str(place / "runs")]
    with (place / "output").open("w") as output:
        ended = subprocess.run(
            command, cwd=tree, env=environment(tree, cache), stdout=output, stderr=subprocess.STDOUT, check=False
        )
    runs = sorted(path.parent for path in (place / "runs").glob("*/records.parquet"))
    if len(runs) != 1 or ended.returncode not in (0, 1, 3):  # met, unmet, undecided
        tail = "\n".join((place / "output").read_text().splitlines()[-15:])
        raise Failed(f"{tree}: the run ended with exit code {ended.returncode}:\n{tail}")
    cells = Counter(json.loads(line)["source"] for line in (runs[0] / "cells.jsonl").read_text().splitlines())
    print(f"  exit code {ended.returncode}, cells {dict(cells)}", flush=True)
    if set(cells) != {"measured"}:
        raise Failed(f"{tree}: cells came from a cache, though it was empty: {dict(cells)}")
    return runs[0]


def main() -> int:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", metavar="SUITE")
    parser.add_argument("--before", type=Path, required=True, metavar="TREE")
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    trees = {"before": given.before.resolve(), "here": OURS}
    sums: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        top = given.keep or Path(scratch)
        for number, named in enumerate(given.suites):
            suite = str(Path(named).resolve()) if Path(named).is_file() else named
            try:
                runs = [
                    run_of(tree, suite, (top / f"{number}-{side}").resolve(), given.assets)
                    for side, tree in trees.items()
                ]
            except Failed as why:
                print(f"error: {why}", file=sys.stderr)
                return 2
            found = compare_runs(*runs)
            sums += Counter(rows=found.rows, timed=found.timed, others=found.others, others_timed=found.others_timed)
            sums["differences"] += len(found.differences)
            print(
                f"{named}: {found.rows} rows compared, {found.timed} timed rows left out; {found.others} findings and "
                f"outcomes compared, {found.others_timed} left out; {len(found.differences)} differences"
            )
            if found.added:
                print(f"  new columns: {', '.join(found.added)}")
            for difference in found.differences[:SHOWN]:
                print(f"  {difference}")
            if len(found.differences) > SHOWN:
                print(f"  and {len(found.differences) - SHOWN} more")
    print(json.dumps({name: sums[name] for name in ("rows", "timed", "others", "others_timed", "differences")}))
    return 1 if sums["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
