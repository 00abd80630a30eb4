"""What an adapter makes of another tool's files, before it is a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.interchange.foreign_file import ForeignFile
from harness.results.record import Measurement, Metric, Missing, Read, Scalar, Status

Row = Mapping[str, Any]
"""A sample: numbers, texts or lists of them."""


@dataclass(frozen=True)
class Launch:
    """What one process measured of one benchmark."""

    values: Mapping[str, float]
    """By metric the statistic of this launch."""
    rows: Sequence[Row] | Mapping[str, Sequence[Any]] = ()
    """Its rounds, in their order: a row each, or by column where there may be millions."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as one file tells of it: what it is, and what its launches measured."""

    measure: str
    model: str
    """What was measured: a model, or the benchmark's own name."""
    place: str
    """Where in the file it stands, for sentences."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Sequence[Metric] = ()
    """Those that launches have values of."""
    launches: Sequence[Launch] = ()
    measurements: Sequence[Measurement | Missing] = ()
    """Numbers that are summed up already, with their intervals: of tasks."""
    samples: Sequence[Row] = ()
    """The evidence of those."""
    status: Status = Status.OK
    reason: str | None = None
    notes: Sequence[str] = ()
    read: Sequence[Read] = ()
    """Its definition where the file tells of it: another digest is another benchmark."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    parameters: int | None = None
    measured: str | None = None
    """When (UTC, ISO); None: as the file."""


@dataclass(frozen=True)
class Content:
    """What one file holds, or several that belong together."""

    tool: str
    """What wrote it, with its version where the file tells it: `pyperf 2.11.0`."""
    files: tuple[ForeignFile, ...]
    """Those that hold its numbers."""
    benchmarks: Sequence[Benchmark]
    measured: str | None = None
    """When (UTC, ISO)."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a fingerprint; what is missing is not told."""
    git: Mapping[str, Any] = field(default_factory=dict)
    """`commit`, `dirty`, `branch`, `commit_time`."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float | None = None
    beside: tuple[ForeignFile, ...] = ()
    """Files that say what was measured."""


@dataclass(frozen=True)
class Format:
    """One tool whose files are read."""

    name: str
    """What `--as` calls it; also the measure of its numbers, unless it evaluates tasks."""
    about: str
    """What of it is read: `results_*.json with samples_*.jsonl`."""
    is_mine: Callable[[ForeignFile], bool]
    """Whether a file is of this tool, by its content."""
    read: Callable[[Sequence[ForeignFile]], Sequence[Content]]
    """All files of this tool that were given together. Raises UserError."""
