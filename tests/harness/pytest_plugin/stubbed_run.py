"""The conftest of a foreign project in which nothing is measured: what `told.json` says becomes a run folder.

It is copied there as `conftest.py`, so that processes of their own have it too. `calls.txt` gets a line for each run.
"""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from harness import workflow
from harness.errors import UserError
from harness.execution.allowed import NOTHING_MORE, Allowed
from harness.execution.events import OnEvent, Planned, unheard
from harness.kept_file import seal
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.record import CellResult, Status
from harness.results.run import Run
from harness.results.run_folder import CELLS, EXPECTATIONS, FINDINGS
from harness.suite.load import load_suite

PROJECT = Path(__file__).parent


def run(
    suite: str, *, out: Path, fresh: bool = False, allowed: Allowed = NOTHING_MORE, on_event: OnEvent = unheard
) -> Run:
    """In place of `harness.run`."""
    told: dict[str, Any] = json.loads((PROJECT / "told.json").read_text())
    with (PROJECT / "calls.txt").open("a") as calls:
        calls.write(json.dumps({"suite": suite, "fresh": fresh, "task_code": allowed.task_code}) + "\n")
    number = len((PROJECT / "calls.txt").read_text().splitlines())
    folder = Path(out) / f"run-{number}"
    folder.mkdir(parents=True)
    on_event(Planned(str(folder), 2, 0, 0))
    time.sleep(told.get("seconds", 0))
    if told.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if told.get("refuse"):
        raise UserError(told["refuse"], place=suite)
    if told.get("break"):
        raise ZeroDivisionError(told["break"])
    if told.get("is"):
        return Run(shutil.copytree(told["is"], folder, dirs_exist_ok=True))
    return written(folder, suite, told)


def written(folder: Path, suite: str, told: dict[str, Any]) -> Run:
    """The run folder: each expectation comes out as `outcomes` says by its sentence, else met."""
    outcomes = []
    for expectation in load_suite(suite).suite.expect:
        said = told.get("outcomes", {}).get(expectation.sentence, {})
        fields = {"outcome": "met", "subject": {}, "bound": expectation.bound, **said}
        outcomes.append(ExpectationOutcome(expectation=expectation.sentence, **fields))
    cells = [
        CellResult(
            key=f"{place}" * 16,
            model="nano",
            measure=measure,
            axes={"precision": "int8", "device": "cpu"},
            settings={},
            status=Status(status),
            reason="no room" if status != "ok" else None,
            records=[],
        )
        for place, (measure, status) in enumerate(told.get("cells", {}).items())
    ]
    journal = Journal(folder)
    plain = dict.fromkeys(("suite_hash", "suite_text", "suite_source"), "")
    started = "2026-11-24T04:00:00+00:00"
    manifest = Manifest(run=folder.name, suite="foreign", status="finished", started=started, **plain)
    journal.write_manifest(manifest)
    (folder / CELLS).write_text("".join(seal(cell.model_dump_json(), CELLS) + "\n" for cell in cells))
    journal.write_findings([Finding(**one) for one in told.get("findings", [])], outcomes)
    journal.with_reports((FINDINGS, EXPECTATIONS), [])
    return Run(folder)


REAL = workflow.run


def pytest_configure() -> None:
    """Before any item runs."""
    workflow.run = run  # type: ignore[assignment]


def pytest_unconfigure() -> None:
    """As the process goes on with other tests."""
    workflow.run = REAL
