"""What a tracker is told of a run: numbers by name, settings, curves of training, and files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import strict_json
from harness.errors import UserError, inert
from harness.evidence.selection import coordinates, describe, varying
from harness.notice import notice
from harness.report.making import of_run
from harness.report.markdown import markdown
from harness.results.record import CellResult, Status
from harness.results.run import Run
from harness.results.run_folder import EXPECTATIONS, FINDINGS, HTML, MANIFEST, MARKDOWN, RECORDS
from harness.results.samples import reading_samples

FILES = (HTML, MARKDOWN, RECORDS, FINDINGS, EXPECTATIONS, MANIFEST)
"""Of a run folder, those that a tracker keeps."""
_STRANGE = re.compile(r"[^A-Za-z0-9_.\- ]")
"""What no tracker has to take in a name (MLflow takes the least)."""
_LONGEST = 60
"""Characters of one part of a name."""
CURVE = ("train_loss", "reported_validation_loss", "learning_rate")
"""Columns of a training's reports that are drawn over its steps."""


@dataclass(frozen=True)
class Number:
    """A value with its interval."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """A value over the steps of a training."""

    name: str
    points: tuple[tuple[int, float], ...]
    """(step, value), finite values alone."""


@dataclass(frozen=True)
class Told:
    """A run as a tracker is told of it."""

    name: str
    about: str
    numbers: Mapping[str, Number]
    """By `MODEL int8 batch 8/MEASURE/METRIC`."""
    settings: Mapping[str, str]
    """Suite, commit, command and machine."""
    curves: tuple[Curve, ...]
    files: tuple[Path, ...]
    report: str
    """As Markdown."""

    def flat(self, between: str = "/") -> dict[str, float]:
        """Numbers, and the ends of their intervals as `NAME/low` and `NAME/high`, as no tracker has intervals; finite
        ones alone."""
        found: dict[str, float] = {}
        for name, one in self.numbers.items():
            ends = {name: one.value, f"{name}{between}low": one.low, f"{name}{between}high": one.high}
            found |= {key: value for key, value in ends.items() if value is not None and math.isfinite(value)}
        return found


def told(run: Run) -> Told:
    """What a run says. Raises UserError where its manifest can't be read."""
    manifest = run.manifest
    cells = [cell for cell in run.cells if cell.status is Status.OK]
    titles = _titles(cells)
    return Told(
        name=run.name,
        about=inert(manifest.about),
        numbers=dict(_numbers(cells, titles)),
        settings=_settings(run),
        curves=tuple(_curves(run, cells, titles)),
        files=tuple(path for name in FILES if (path := run.folder / name).is_file()),
        report=markdown(of_run(run)),
    )


def _titles(cells: Sequence[CellResult]) -> list[str]:
    """A name for each cell: its model, and what tells it from the others of its measure."""
    found: list[str] = []
    for cell in cells:
        alike = [other for other in cells if other.measure == cell.measure]
        names = ["model", *(name for name in varying(alike) if name not in ("model", "measure"))]
        at = coordinates(cell)
        where = describe({name: at[name] for name in names if at.get(name) is not None}).replace(", ", " ")
        title = f"{_part(where)}/{_part(cell.measure)}"
        same = sum(one == title or one.startswith(f"{title}#") for one in found)
        found.append(f"{title}#{same + 1}" if same else title)
    return [title.replace("#", " ") for title in found]


def _part(text: str) -> str:
    return _STRANGE.sub("_", text)[:_LONGEST].strip() or "_"


def _numbers(cells: Sequence[CellResult], titles: Sequence[str]) -> Iterator[tuple[str, Number]]:
    for cell, title in zip(cells, titles, strict=True):
        for record in cell.records:
            if record.metric is None:
                continue
            part = f"/{_part(record.part)}" if record.part is not None else ""
            yield f"{title}{part}/{_part(record.metric)}", Number(record.value, record.low, record.high)


def _settings(run: Run) -> dict[str, str]:
    manifest = run.manifest
    machine, git = manifest.fingerprint, manifest.git
    packages = machine.get("packages")
    found = {
        "suite": manifest.suite,
        "suite_hash": manifest.suite_hash,
        "suite_source": manifest.suite_source,
        "started": manifest.started,
        "status": manifest.status,
        "seconds": manifest.seconds,
        "command": " ".join(manifest.command),
        "commit": git.get("commit"),
        "branch": git.get("branch"),
        "uncommitted_changes": git.get("dirty"),
        "fingerprint_class": manifest.fingerprint_class,
        **{f"machine/{name}": value for name, value in machine.items() if isinstance(value, str | int | float)},
        **{f"package/{name}": value for name, value in (packages if isinstance(packages, dict) else {}).items()},
    }
    for model, facts in manifest.models.items():
        for name, value in facts.items():
            if isinstance(value, str | int | float):
                found[f"model/{_part(model)}/{_part(str(name))}"] = value
    return {name: _text(value) for name, value in found.items() if value not in (None, "")}


def _text(value: object) -> str:
    return inert(value) if isinstance(value, str) else strict_json.dumps(value)


def _curves(run: Run, cells: Sequence[CellResult], titles: Sequence[str]) -> Iterator[Curve]:
    """Of each cell whose samples hold reports of a training. What can't be read costs its curve alone."""
    for cell, title in zip(cells, titles, strict=True):
        if cell.samples is None or "training" not in cell.measure:
            continue
        try:
            with reading_samples(run.samples_file(cell)):
                yield from _curves_of(run, cell, title)
        except UserError as error:
            notice(f"no curve of {title}: {error}")


def _curves_of(run: Run, cell: CellResult, title: str) -> list[Curve]:
    samples = run.samples_of(cell)
    if not {"kind", "step"} <= set(samples.columns):
        return []
    reports = samples[samples["kind"] == "report"]
    found = []
    for column in CURVE:
        if column not in reports.columns:
            continue
        rows = reports[["step", column]].dropna().drop_duplicates("step", keep="last")
        pairs = [(int(step), float(value)) for step, value in rows.itertuples(index=False)]
        points = tuple(pair for pair in pairs if math.isfinite(pair[1]))
        if points:
            found.append(Curve(f"{title}/{column}", points))
    return found
