"""A report as it is meant, before it is written: the terminal, `summary.md` and `report.html` show the same one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report.table import Table
from harness.results.record import Metric


@dataclass(frozen=True)
class Figure:
    """A chart with what it is drawn of. It is drawn where a printer wants it, as drawing takes time."""

    name: str
    caption: str
    """What it shows and how to read it."""
    draw: Callable[[], Any]
    """Makes the altair chart; None where there is nothing to draw."""


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a report come from: the run, its suite and its machine."""

    run: str
    folder: Path
    started: str
    suite_source: str
    """The suite's path or name as given."""
    suite_hash: str
    suite_text: str
    commit: str
    """Of the checkout; empty where there was none."""
    uncommitted: bool
    """Whether the checkout had changes that no commit has."""
    models: tuple[tuple[str, str], ...]
    """Name and what is known of each."""
    machine: tuple[tuple[str, str], ...]
    """Every field of the fingerprint with its value."""
    peaks: tuple[str, ...]
    """The machine's measured peaks, a line per device and number of threads."""
    fingerprint_class: str


@dataclass(frozen=True)
class Report:
    """What there is to say, in the words and finished numbers of its tables. Made by `of_run`, or of findings alone by
    `of_findings`; each printer shows of it what its medium has room for."""

    title: str
    about: str
    summary: str
    """One line: on what, with what, how long and how it ended. Empty without a run."""
    warnings: tuple[str, ...]
    """What a reader must know before believing the numbers."""
    results: tuple[Table, ...]
    findings: tuple[Table, ...]
    expectations: Table | None
    figures: tuple[Figure, ...]
    """Every chart that there may be; a table names those that stand below it."""
    leading: tuple[str, ...]
    """Names of the figures that stand before the tables."""
    definitions: tuple[Metric, ...]
    """Of the metrics in it."""
    command: str
    """What makes it again; empty where that is not known."""
    origin: Origin | None
    """None for findings without a run."""
