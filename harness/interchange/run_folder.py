"""The run that imported files become, written by the code that writes our own: manifest, cells, samples, records."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import UserError, printable
from harness.interchange.content import Benchmark, Content
from harness.interchange.launches import rounds_of, summed_up
from harness.interchange.machine import class_of, fingerprint_of
from harness.interchange.names import settings_of, storable, text_of, uniform
from harness.models.digest import hash_of
from harness.results.held_folder import no_room_is_told
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.new_folder import new_folder
from harness.results.provenance import Provenance
from harness.results.record import CellResult, Measurement, Missing, Record, Scalar, Status
from harness.results.run import Run
from harness.results.run_folder import EXPECTATIONS, FINDINGS, RECORDS

if TYPE_CHECKING:
    import pandas as pd

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> None:
    """Raise UserError for what can be no suite's name."""
    if not _NAME.fullmatch(name):
        raise UserError(
            "a name has letters, digits, dots, dashes and underscores, begins with a letter or digit and has at most "
            f"100 characters, not {name!r}",
            place="--name",
        )


def write_run(content: Content, name: str, out: Path) -> Run:
    """A new run folder below `out`. Where something fails none is left. Raises UserError."""
    with no_room_is_told(out):
        manifest, cells = _manifest(content, name), _cells(content)
        manifest = manifest.model_copy(update={"cells": [cell.key for cell, _ in cells]})
        journal = new_folder(out, manifest)
        try:
            return _written(journal, cells)
        except BaseException:
            shutil.rmtree(journal.folder, ignore_errors=True)
            raise


def _written(journal: Journal, cells: Sequence[tuple[CellResult, pd.DataFrame | None]]) -> Run:
    manifest = journal.manifest  # with the number that it got
    for cell, samples in cells:
        provenance = cell.provenance and cell.provenance.model_copy(update={"run": manifest.run})
        journal.append(cell.model_copy(update={"provenance": provenance}), samples)
    journal.write_manifest(manifest.model_copy(update={"status": "finished"}))
    run = Run(journal.folder)
    journal.write_records(run)
    journal.write_findings([], [])
    journal.with_reports((RECORDS, FINDINGS, EXPECTATIONS), [])
    return run.with_its_cells()


def _manifest(content: Content, name: str) -> Manifest:
    files = {text_of(file.name): file.sha256 for file in (*content.files, *content.beside)}
    about = f"Imported: {content.tool}, {', '.join(Path(name).name for name in files)}."
    text = yaml.safe_dump({"name": name, "about": f"Imported: {content.tool.split(' ')[0]}."}, sort_keys=False)
    started = _started(content)
    fingerprint = fingerprint_of(content.machine, content.tool)
    return Manifest(
        run=f"{started:%Y%m%d-%H%M%S}-{name}",
        # the same files are the same run, wherever and however often they are imported
        id=_id(content),
        suite=name,
        about=text_of(about),
        suite_hash=hash_of(text),
        suite_text=text,
        suite_source=name,
        started=started.isoformat(timespec="seconds"),
        seconds=content.seconds,
        command=["harness", *map(printable, sys.argv[1:])] if Path(sys.argv[0]).name == "harness" else [],
        git={key: value for key, value in content.git.items() if value is not None},
        fingerprint=fingerprint,
        fingerprint_class=class_of(fingerprint),
        models={text_of(model): storable(facts) for model, facts in content.models.items()},
        imported=files,
    )


def _id(content: Content) -> str:
    return hash_of(sorted(file.sha256 for file in (*content.files, *content.beside)))[:32]


def _started(content: Content) -> datetime:
    return datetime.fromisoformat(content.measured) if content.measured else datetime.now(UTC)


def _cells(content: Content) -> list[tuple[CellResult, pd.DataFrame | None]]:
    """Every benchmark as a cell with its samples."""
    import pandas as pd

    manifest_id = _id(content)
    fingerprint_class = class_of(fingerprint_of(content.machine, content.tool)) or None
    settings = uniform(settings_of(one.settings) for one in content.benchmarks)
    found = []
    for one, mine in zip(content.benchmarks, settings, strict=True):
        identity = {
            "key": hash_of([one.measure, one.model, one.axes, mine, manifest_id])[:32],
            "model": text_of(one.model),
            "measure": one.measure,
            "axes": dict(one.axes),
            "settings": mine,
        }
        cell = CellResult(
            **identity,
            status=one.status,
            reason=one.reason,
            records=_records(one, identity, fingerprint_class),
            conditions={
                **storable(one.conditions),
                "imported": content.tool,
                "files": [file.sha256 for file in content.files],
            },
            measured=one.measured or content.measured,
            provenance=_provenance(content, one, manifest_id),
            read=tuple(one.read) or None,
            notes=[
                *one.notes,
                *([] if one.measured or content.measured else ["the file does not say when it was measured"]),
            ],
        )
        samples = rounds_of(one) if one.launches else pd.DataFrame(list(one.samples)) if one.samples else None
        found.append((cell, samples))
    return found


def _records(one: Benchmark, identity: Mapping[str, Any], fingerprint_class: str | None) -> list[Record]:
    of_all = {**identity, "parameters": one.parameters, "fingerprint_class": fingerprint_class}
    if one.status is not Status.OK:
        return [Record(**of_all, status=one.status, reason=one.reason)]
    numbers: list[Measurement | Missing] = [*summed_up(one), *one.measurements]
    if not numbers:
        raise UserError("it has no number", place=one.place)
    return [Record(**of_all, **number.fields()) for number in numbers]


def _provenance(content: Content, one: Benchmark, manifest_id: str) -> Provenance:
    dirty: Scalar = content.git.get("dirty")
    return Provenance(
        run="",  # known when the folder has its name
        run_id=manifest_id,
        time=one.measured or content.measured or "",
        commit=content.git.get("commit"),
        dirty=dirty if isinstance(dirty, bool) else None,
    )
