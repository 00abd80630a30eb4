"""Histories that are generated: commits with planted steps, kept as real ones are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness import kept_file
from harness.history import folder as store
from harness.history.row import Row, table_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = "0123456789ab"


def commit_name(number: int) -> str:
    return f"{number + 1:040x}"


def row(number: int, **facts: Any) -> Row:
    """A row of commit `number` of a straight line of commits on main."""
    known: dict[str, Any] = {
        **{"suite": "ci", "suite_hash": "5" * 64, "machine_class": MACHINE, "run": f"run-{number}"},
        **{"run_id": f"id-{number}", "sequence": number + 1, "time": BEGIN + timedelta(hours=number)},
        **{"commit": commit_name(number), "parents": (commit_name(number - 1),) if number else (), "branch": "main"},
        **{"dirty": False, "commit_time": BEGIN + timedelta(hours=number), "model": "micro", "measure": "inference"},
        **{"where": '{"precision": "int4"}', "cell": "c" * 16, "model_entry": "e" * 16, "metric": "decode_rate"},
        **{"metric_version": 1, "unit": "ratio", "direction": "lower", "definition": "time over time", "kind": "ratio"},
        **{"depends_on": "time", "pinned": "f" * 40, "value": 1.0, "low": 0.99, "high": 1.01, "confidence": 0.95},
        **{"interval": "order statistics over launches", "n": 13, "n_unit": "launches", "launches": 13},
    }
    return Row(**(known | facts))


def write(folder: Path, runs: Sequence[Sequence[Row]]) -> Path:
    """A history with these runs, written as `add_rows` writes them, without its look at what is there."""
    for rows in runs:
        place = folder / store.partition(rows[0].suite, rows[0].machine_class)
        place.mkdir(parents=True, exist_ok=True)
        kept_file.write_named(place, store.parquet(table_of(rows)), store.ROWS)
    return folder


def straight(folder: Path, count: int, value: Callable[[int], float], **facts: Any) -> Path:
    """A history of a straight line of commits with one value each."""
    return write(folder, [[row(number, value=value(number), **facts)] for number in range(count)])


def many(folder: Path, commits: int = 500, cells: int = 40) -> Path:
    """A history of the size that is timed: each commit with a row for each cell."""

    def rows(number: int) -> list[Row]:
        return [
            row(
                number,
                where=f'{{"batch": {cell}, "precision": "int4"}}',
                cell=f"{cell:016x}",
                value=1 + 0.001 * (number % 7),
            )
            for cell in range(cells)
        ]

    return write(folder, [rows(number) for number in range(commits)])


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false")
    settings = ("-c", "init.defaultBranch=main", "-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", *identity, *settings, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
