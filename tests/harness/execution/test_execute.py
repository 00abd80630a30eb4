"""`execute` with an executor of its own: whatever runs the cells, results, names and reasons come out the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.execution.cell_cache import CellCache, Evidence
from harness.execution.cell_results import CellResults, Done, Origin
from harness.execution.execute import execute
from harness.execution.executor import Answered, Executor
from harness.execution.needs import ModelNeed, PeaksNeed, TextNeed, needs_of
from harness.execution.plan import Plan, PlannedCell, make_plan
from harness.execution.requests import Refused
from harness.execution.worker_log import WorkerLog
from harness.models.contract import ModelIdentity
from harness.results.peaks import Peaks
from harness.results.record import Status
from harness.results.run import Run
from harness.suite.load import load_suite

IDENTITY = ModelIdentity(
    name="tiny", kind="reference", digest="d", tokenizer_digest="t", precision="fp32", device="cpu", parameters=3,
    parameters_non_embedding=2, parameters_matmul=2, parameters_head=1, weight_bytes=12, weight_bytes_read=12,
    vocabulary=300, context=64, layers=1, width=8, kv_bytes_per_token=8,
)  # fmt: skip

ORIGIN = Origin("a-run", "r", {"commit": "c" * 40, "dirty": True})


class Elsewhere:
    """Answers the last cell first, and refuses those that it has no samples of."""

    def __init__(self, samples: Mapping[str, pd.DataFrame] | None = None) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.peaks: dict[PeaksNeed, Peaks] = {}
        self.looked: list[str] = []
        self.ran: list[str] = []
        self._samples = samples or {}

    def look(self, items: Sequence[PlannedCell]) -> None:
        self.looked += [item.key for item in items]

    def run(self, items: Sequence[PlannedCell]) -> Iterator[Answered]:
        for item in reversed(items):
            self.ran.append(item.key)
            answer: Evidence | Refused = Refused(Status.SKIPPED, "not here", "a trace")
            if item.key in self._samples:
                answer = Evidence(self._samples[item.key], IDENTITY, {"launches": []}, 2.0)
            yield Answered(item, answer, 3.0)

    def close(self) -> None:
        pass


@pytest.fixture
def plan(finished_run: Run) -> Plan:
    return make_plan(load_suite(str(finished_run.folder.parents[1] / "tiny.yaml")))


def test_a_refused_cell_is_a_record_and_its_trace_is_logged(finished_run: Run, plan: Plan, tmp_path: Path) -> None:
    executor: Executor = Elsewhere()
    log = WorkerLog(tmp_path / "worker.log")
    results = CellResults(ORIGIN, plan.fingerprint, CellCache(), log)
    done = list(execute(plan.cells, executor, results, fresh=True))
    assert [one.item.key for one in done] == [item.key for item in reversed(plan.cells)]
    assert {one.result.status for one in done} == {Status.SKIPPED}
    assert {record.reason for one in done for record in one.result.records} == {"not here"}
    assert {one.result.seconds for one in done} == {3.0} and all(one.samples is None for one in done)
    assert log.path.read_text().count("a trace") == len(plan.cells)
    assert plan.cells[0].cell.title in log.path.read_text()


@pytest.fixture
def own_store(tmp_path: Path, finished_run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own, for a test that keeps results in it."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_store")
def test_samples_from_elsewhere_give_the_same_numbers(finished_run: Run, plan: Plan, tmp_path: Path) -> None:
    (cell, *_) = (cell for cell in finished_run.cells if cell.measure == "perplexity")
    (item,) = (item for item in plan.cells if item.key == cell.key)
    samples = finished_run.samples_of(cell)
    results = CellResults(ORIGIN, plan.fingerprint, CellCache(), WorkerLog(tmp_path / "worker.log"))
    (done,) = execute([item], Elsewhere({item.key: samples}), results, fresh=True)
    of = ("metric_id", "value", "low", "high", "interval", "n", "resolved")
    assert [[getattr(record, name) for name in of] for record in done.result.records] == [
        [getattr(record, name) for name in of] for record in cell.records
    ]
    assert {record.parameters for record in done.result.records} == {IDENTITY.parameters}
    assert done.result.seconds == 2.0 and done.result.resolved == cell.resolved and done.samples is samples


def test_what_is_known_is_not_run_again(finished_run: Run, plan: Plan, tmp_path: Path) -> None:
    executor = Elsewhere()
    results = CellResults(ORIGIN, plan.fingerprint, CellCache(), WorkerLog(tmp_path / "worker.log"))
    known = [item for item in plan.cells if item.cached]
    assert known
    done = list(execute(known, executor, results, fresh=False))
    assert executor.ran == [] and executor.looked == [item.key for item in known]
    assert {one.result.source for one in done} == {"cache"}


def test_a_cell_under_two_names_is_run_once(finished_run: Run, plan: Plan, tmp_path: Path) -> None:
    one = plan.cells[0]
    other = replace(one, cell=replace(one.cell, model="another name"))
    executor = Elsewhere()
    results = CellResults(ORIGIN, plan.fingerprint, CellCache(), WorkerLog(tmp_path / "worker.log"))
    done: list[Done] = list(execute([one, other], executor, results, fresh=True))
    assert executor.ran == [one.key]
    assert [(each.item.cell.model, each.result.model) for each in done] == [
        (one.cell.model, one.cell.model),
        ("another name", "another name"),
    ]


def test_needs_are_equal_where_the_same_is_needed(plan: Plan) -> None:
    fp32, int8 = (item for item in plan.cells if item.cell.measure == "perplexity")
    assert needs_of(fp32) == needs_of(int8)
    (model, text) = needs_of(fp32)
    assert isinstance(model, ModelNeed) and isinstance(text, TextNeed)
    assert str(model) == f"model {fp32.source.digest}" and str(text).startswith("text ")
    inference = next(item for item in plan.cells if item.cell.measure == "inference")
    assert PeaksNeed("cpu", 1) in needs_of(inference) and PeaksNeed("cpu", 1).where == "cpu 1"
