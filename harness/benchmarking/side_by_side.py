"""The comparisons of a bench: measured one after the other, and kept among the cells of its run as each ends, so that
every reader of a run finds them, and an interrupted one goes on with those that are left. Results are kept in the cache
of cells, too."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import yaml

from harness.api.given_models import several
from harness.benchmarking.here import compare_here
from harness.benchmarking.in_lockstep import compare_in_lockstep
from harness.benchmarking.pairing import Compared, Pairing, Variant, pairings, variants
from harness.conclusion import report_again
from harness.execution.cell_cache import CellCache, NoCache
from harness.execution.comparisons import comparison_key
from harness.execution.events import OnEvent, Preparing
from harness.execution.resolve import resolve
from harness.execution.worker_log import WORKER_LOG
from harness.measures.inference import InferenceSettings
from harness.measures.side_by_side import NAME, ROUNDS, SAME_CODE_SCATTER, TIME_RATIO, WHAT
from harness.models.contract import LanguageModel
from harness.results.fingerprint import fingerprint
from harness.results.held_folder import alone, no_room_is_told, still_there
from harness.results.journal import Journal
from harness.results.provenance import Provenance
from harness.results.record import CellResult, Measurement, Record, Scalar, Status
from harness.results.run import Run
from harness.results.run_folder import MANIFEST
from harness.suite.load import parse_suite
from harness.suite.schema import ModelEntry
from harness.suite.schema.side_by_side import MEASURE

SIDE_BY_SIDE = "side_by_side:"
"""The key of the suites that ask for comparisons."""


def asked_of(run: Run) -> list[Pairing]:
    """The comparisons that a run's suite asks for: none of most."""
    if SIDE_BY_SIDE not in run.manifest.suite_text:
        return []
    asked = parse_suite(run.manifest.suite_text, str(run.folder / MANIFEST))
    if asked.side_by_side is None:
        return []
    suite = _suite(run)
    [entry] = [one for one in suite["measures"] if MEASURE in one]
    speed = InferenceSettings.model_validate((entry[MEASURE] or {}) | {"batch": 1})
    models = {name: suite["models"][name] for name in entry.get("models", suite["models"])}
    compared = variants(models, several(suite.get("matrix", {}).get("precision", ())))
    return pairings(
        compared,
        batch=several((entry[MEASURE] or {}).get("batch", speed.batch)),
        prompt=speed.prompt,
        new=speed.generate,
        launches=asked.side_by_side.launches,
    )


def compare_side_by_side(run: Run, asked: Sequence[Pairing], *, trust_remote_code: bool, on_event: OnEvent) -> Run:
    """Measure the comparisons that the run does not have yet, and report the run again. Models in memory are lent
    meanwhile. on_event: is told how they go."""
    matrix = _suite(run).get("matrix", {})
    device = several(matrix.get("device", "auto"))[0]
    if device == "auto":
        device = "cuda" if fingerprint().gpus else "cpu"
    threads = several(matrix.get("threads"))[0]
    journal = Journal(run.folder)
    with no_room_is_told(run.folder), alone(run.folder), still_there(run.folder):
        done = {cell.planned_key for cell in run.cells if cell.measure == NAME and cell.whole}
        left = [one for one in asked if _key(run, one) not in done]
        keys = list(dict.fromkeys(_key(run, one) for one in asked))
        journal.write_manifest(run.manifest.model_copy(update={"compared": keys, "status": "running", "files": {}}))
        cache = CellCache() if run.manifest.cached else NoCache()
        pace = _Pace(left, on_event)
        opened = _Opened(_entries(run), device, trust_remote_code)
        began, ended = time.monotonic(), "interrupted"
        try:
            for pairing in left:
                key = _key(run, pairing)
                if not run.manifest.fresh and (known := cache.load(key)) is not None:
                    journal.append(known.model_copy(update={"source": "cache"}), cache.samples(key))
                    pace.passed(pairing)
                    continue
                started, going = time.monotonic(), partial(pace, pairing)
                if pairing.is_here:
                    models = partial(opened, pairing.base), partial(opened, pairing.head)
                    log = run.folder / WORKER_LOG
                    found = compare_here(pairing, *models, threads=threads, log_file=log, going=going)
                else:
                    found = compare_in_lockstep(
                        pairing,
                        run=run.folder,
                        threads=threads,
                        device=device,
                        trust_remote_code=trust_remote_code,
                        going=going,
                    )
                cell = _cell(run, pairing, found, time.monotonic() - started)
                journal.append(cell, found.evidence)
                if cell.whole:
                    with suppress(OSError):  # a full or read-only cache costs a measurement next time
                        cache.store(cell, found.evidence)
            pace.over()
            ended = "finished"
        finally:
            changed = {
                "status": ended,
                "ended": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": (run.manifest.seconds or 0.0) + time.monotonic() - began,
            }
            with suppress(OSError):  # of a full disk, whose sentence is on its way
                journal.write_manifest(journal.manifest.model_copy(update=changed))
        return report_again(Run(run.folder))


def _suite(run: Run) -> dict[str, Any]:
    suite: dict[str, Any] = yaml.safe_load(run.manifest.suite_text)
    return suite


def _entries(run: Run) -> Mapping[str, ModelEntry]:
    return parse_suite(run.manifest.suite_text, str(run.folder / MANIFEST)).models


def _cell(run: Run, pairing: Pairing, found: Compared, seconds: float) -> CellResult:
    """A comparison as a cell of its run."""
    beside = _cell_of(run, pairing)
    skipped = next((one for one in (beside, _cell_of(run, pairing, pairing.base)) if _is_skipped(one)), None)
    status = Status.OK if not found.why_not else Status.FAILED if skipped is None else Status.SKIPPED
    reason = found.why_not and (skipped.reason if skipped is not None else found.why_not)
    axes: dict[str, Scalar] = {"precision": pairing.head.precision} if beside is None else dict(beside.axes)
    settings: dict[str, Scalar] = {
        **{"times": pairing.times, "against": str(pairing.base)},
        **{"batch": pairing.batch, "prompt": pairing.prompt, "generate": pairing.new},
    }
    of_model = {} if beside is None or not beside.records else _of_model(beside.records[0])
    own = {"key": _key(run, pairing), "model": pairing.head.name, "measure": NAME, "axes": axes, "settings": settings}
    fields = [one.fields() for one in _measurements(found)] or [{"status": status, "reason": reason}]
    manifest = run.manifest
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return CellResult(
        **own,
        status=status,
        reason=reason or None,
        records=[Record(**own, **of_model, **one) for one in fields],
        seconds=seconds,
        measured=now,
        provenance=Provenance(
            run=manifest.run,
            run_id=manifest.id,
            time=now,
            commit=manifest.git.get("commit"),
            dirty=manifest.git.get("dirty"),
        ),
    )


def _key(run: Run, pairing: Pairing) -> str:
    """Of the comparison: by the keys of the two cells of speed, which say what was measured and where."""
    cells = [_cell_of(run, pairing, variant) for variant in (pairing.base, pairing.head)]
    keys = [str(variant) if cell is None else cell.planned_key
            for cell, variant in zip(cells, (pairing.base, pairing.head), strict=True)]  # fmt: skip
    names = pairing.base.name, pairing.head.name
    return comparison_key((keys[0], keys[1]), names, pairing.times, pairing.launches)


def _measurements(found: Compared) -> list[Measurement]:
    if found.ratio is None:
        return []
    ratio = Measurement(
        metric=TIME_RATIO,
        **{"value": found.ratio.value, "low": found.ratio.low, "high": found.ratio.high},
        **{"interval": found.interval, "n": found.ratio.n, "n_unit": found.n_unit},
    )
    if found.scatter is None:
        return [ratio]
    why = "none: a standard deviation of few launches"
    return [ratio, Measurement(metric=SAME_CODE_SCATTER, value=found.scatter, interval=why, n_unit="deviations")]


def _cell_of(run: Run, pairing: Pairing, variant: Variant | None = None) -> CellResult | None:
    """The cell of the speed of a variant (of the head): its axes and its model are the comparison's."""
    variant = variant or pairing.head
    named = [
        cell
        for cell in run.cells
        if cell.measure == MEASURE and cell.model == variant.name and cell.settings.get("batch") == pairing.batch
    ]
    exact = [cell for cell in named if cell.axes.get("precision") == variant.precision]
    return next(iter(exact or (named if len(named) == 1 else [])), None)


def _is_skipped(cell: CellResult | None) -> bool:
    return cell is not None and cell.status is Status.SKIPPED


def _of_model(record: Record) -> dict[str, Any]:
    names = ("parameters", "parameters_non_embedding", "model_digest", "fingerprint_class")
    return {name: getattr(record, name) for name in names}


class _Opened:
    """The two models that take turns in this process, open."""

    def __init__(self, entries: Mapping[str, ModelEntry], device: str, trust_remote_code: bool) -> None:
        self._entries, self._device, self._trusted = entries, device, trust_remote_code
        self._open: dict[str, LanguageModel] = {}

    def __call__(self, variant: Variant) -> LanguageModel:
        from harness.models.open import open_model

        if str(variant) not in self._open:
            for name in list(self._open)[1:]:  # the base stays open
                del self._open[name]
            found = resolve(variant.name, self._entries[variant.name], None, self._trusted)
            device = found.source.device if variant.is_here else self._device
            source = replace(found.source, precision=variant.precision, device=device)  # type: ignore[arg-type]
            self._open[str(variant)] = open_model(source)
        return self._open[str(variant)]


class _Pace:
    """Tells what is compared, and how much of all that is."""

    def __init__(self, left: Sequence[Pairing], on_event: OnEvent) -> None:
        self._turns = {str(one): one.launches * (ROUNDS if one.is_here else 1) for one in left}
        self._on_event, self._done = on_event, 0

    def __call__(self, pairing: Pairing, number: int) -> None:
        """Before a launch or a round, counted from 0."""
        unit = "round" if pairing.is_here else "launch"
        far = self._done / sum(self._turns.values())
        self._on_event(Preparing(WHAT, far, f"{pairing}: {unit} {number + 1} of {self._turns[str(pairing)]}"))
        self._done += 1

    def passed(self, pairing: Pairing) -> None:
        """In place of its launches, where the result is known."""
        self._done += self._turns[str(pairing)]
        self._on_event(Preparing(WHAT, min(self._done / sum(self._turns.values()), 0.999), f"{pairing}: known"))

    def over(self) -> None:
        """After all of them."""
        self._on_event(Preparing(WHAT, 1.0))
