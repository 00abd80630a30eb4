"""The rows of a run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from harness import strict_json
from harness.comparison.definition import definition_hash
from harness.comparison.metric_kind import Kind as MetricKind
from harness.comparison.metric_kind import kind_of
from harness.errors import UserError
from harness.history.row import Row
from harness.measures.registry import declared
from harness.results.fingerprint import Fingerprint
from harness.results.record import CellResult, Record
from harness.results.records_frame import settled
from harness.results.run import Run
from harness.suite.document import parse_suite_text

UNKNOWN = "unknown"
"""Class of a machine that nothing tells of."""
_DEPENDS = {MetricKind.TIME: "time", MetricKind.MEMORY: "memory"}


def rows_of_run(run: Run) -> list[Row]:
    """A row for each record of a run; none of one without cells. Raises UserError where its manifest or cells can't be
    read."""
    of = _Facts(run)
    return [_row(of, cell, record) for cell in run.cells for record in cell.records]


def commit_facts(git: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that say what was measured. git: as `results.checkout.git_state` gives it."""
    parents, commit_time = git.get("parents"), git.get("commit_time")
    return {
        "commit": git.get("commit") or None,
        "parents": tuple(map(str, parents)) if isinstance(parents, list | tuple) else None,
        "branch": git.get("branch") or None,
        "dirty": git.get("dirty") if isinstance(git.get("dirty"), bool) else None,
        "commit_time": time_of(commit_time),
    }


def machine_class_of(fingerprint: Mapping[str, Any]) -> str:
    """Of a manifest's fingerprint; `UNKNOWN` where that is not whole."""
    try:
        return Fingerprint.model_validate(fingerprint).machine_class
    except ValidationError:
        return UNKNOWN


def json_text(value: Any) -> str:
    """Axes and settings as a row has them: JSON, its keys sorted, so that equal ones are equal texts."""
    return strict_json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def time_of(text: Any) -> datetime | None:
    """A time as manifests have it (ISO 8601; without a zone it is UTC)."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def short_hash(value: Any) -> str:
    """16 hex digits of plain data."""
    return hashlib.sha256(strict_json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def model_entries(suite_text: str) -> dict[str, str]:
    """By model the hash of what a suite says of it; none where the text can't be read."""
    try:
        suite = parse_suite_text(suite_text, "suite").data
        return {str(name): short_hash(entry) for name, entry in suite["models"].items()}
    except (UserError, TypeError, KeyError, AttributeError):
        return {}


@dataclass(frozen=True)
class _Facts:
    """What all rows of a run share."""

    run: Run

    @cached_property
    def machine_class(self) -> str:
        return machine_class_of(self.run.manifest.fingerprint)

    @cached_property
    def of_commit(self) -> dict[str, Any]:
        return commit_facts(self.run.manifest.git)

    @cached_property
    def model_entries(self) -> dict[str, str]:
        return model_entries(self.run.manifest.suite_text)

    @cached_property
    def shared(self) -> Row:
        """A row with what is the same in all."""
        manifest = self.run.manifest
        return Row(
            suite=manifest.suite,
            suite_hash=manifest.suite_hash,
            machine_class=self.machine_class,
            run=manifest.run,  # a baseline lies in a folder of its own name, and is no other run
            run_id=manifest.id or short_hash([manifest.run, manifest.started, manifest.suite_hash]),
            cell="",
            **self.of_commit,
        )


def _row(of: _Facts, cell: CellResult, record: Record) -> Row:
    manifest, metric = of.run.manifest, declared(record) if record.metric is not None else None
    kind = kind_of(record) if record.metric is not None else MetricKind.OTHER
    other_machine = record.fingerprint_class not in (None, manifest.fingerprint_class)
    version = record.metric_id.rpartition("@")[2] if record.metric_id else ""
    current = metric is not None and metric.id == record.metric_id
    return replace(
        of.shared,
        machine_class=str(record.fingerprint_class) if other_machine else of.machine_class,
        time=time_of(cell.measured or manifest.started),
        model=cell.model,
        measure=cell.measure,
        where=json_text(cell.axes | settled(cell.settings, record.resolved)),
        part=record.part,
        cell=definition_hash(cell),
        model_entry=of.model_entries.get(cell.model),
        reads=_reads(cell),
        metric=record.metric,
        metric_version=int(version) if version.isdigit() else None,
        unit=record.unit,
        direction=str(record.direction),
        definition=metric.definition if metric is not None and current else None,
        depends_on=_DEPENDS.get(kind),  # type: ignore[arg-type]
        value=record.value,
        low=record.low,
        high=record.high,
        confidence=record.confidence if record.low is not None or record.high is not None else None,
        interval=record.interval,
        n=record.n,
        n_unit=record.n_unit,
        launches=_launches(cell, record),
        status=str(record.status),
        reason=record.reason,
        source=cell.source,
    )


def _reads(cell: CellResult) -> str | None:
    """Of what was read, and of how the model settled what the settings left open: two cells where that differs measured
    two things."""
    if cell.read is None and not cell.resolved:
        return None
    read = sorted((one.kind, one.name, one.digest) for one in cell.read or ())
    return short_hash([read, json.loads(json_text(cell.resolved))])


def _launches(cell: CellResult, record: Record) -> int | None:
    """How many processes a number comes from."""
    if record.n_unit == "launches":
        return record.n
    launches = cell.conditions.get("launches")
    return len(launches) if isinstance(launches, list) and launches else None
