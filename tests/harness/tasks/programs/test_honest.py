"""Programs that are right pass, in a process apart from their tests, as they pass in one process."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.fences.enclosure import available
from harness.tasks.judging import code_execution
from harness.tasks.judging.code_execution import Limits, Program, run_programs

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("honest.yaml").read_text(encoding="utf-8", errors="surrogatepass")
)
pytestmark = pytest.mark.skipif(not available().enough, reason="programs are run behind seccomp alone")


def test_in_one_process_they_pass() -> None:
    for case in CASES:
        if "files" not in case["name"] and "deep" not in case["name"]:  # here, not as deep
            exec(compile(case["program"] + case["test"].replace("unittest.main()", "pass"), case["name"], "exec"), {})


def failed() -> list[str]:
    programs = [Program(case["program"], case["test"]) for case in CASES]
    outcomes = run_programs(programs, limits=Limits(seconds=10), allow_code_execution=True)
    return [f"{case['name']}: {one}" for case, one in zip(CASES, outcomes, strict=True) if not one.passed]


def test_apart_they_pass() -> None:
    assert failed() == []


def test_where_the_kernel_has_no_landlock_all_pass_that_open_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    start = "from harness.fences import landlock; landlock.version = lambda: 0; server.main("
    monkeypatch.setattr(code_execution, "_START", code_execution._START.replace("server.main(", start))
    monkeypatch.setattr(code_execution, "_idle", [])
    found = failed()
    code_execution._end_servers()
    assert [one for one in found if "files" not in one.partition(":")[0]] == []
    assert ["Permission denied" in one for one in found] == [True]
