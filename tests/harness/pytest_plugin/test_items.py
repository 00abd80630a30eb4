"""Expectations of a suite as items of pytest: names, choosing, outcomes. What a run gives is stubbed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.harness.pytest_plugin.conftest import BYTES, MET, RATIO, STRADDLES, UNMET, WORSE, Project

OWN = "tests/test_own.py::test_own"
SUITE = ("--harness-suite", "suites/ci.yaml")


def collected(project: Project, *words: str) -> list[str]:
    done = project.pytest("--co", "-q", *words)
    return [line for line in done.outlines if "::" in line]


def test_one_item_for_each_expectation_beside_the_projects_own_tests(project: Project) -> None:
    project.stub()
    assert collected(project, *SUITE) == [OWN, MET, UNMET, BYTES]
    assert collected(project, *SUITE, ".") == [OWN, MET, UNMET, BYTES]
    assert collected(project, *SUITE, *SUITE, "suites", "tests").count(MET) == 1
    assert collected(project, *SUITE, "tests") == [OWN, MET, UNMET, BYTES]
    assert not project.calls, "collecting runs nothing"


def test_without_the_option_no_yaml_file_is_touched(project: Project) -> None:
    project.stub()
    assert collected(project) == [OWN]
    assert collected(project, "suites", "tests") == [OWN]


def test_names_choose(project: Project) -> None:
    project.stub()
    assert collected(project, *SUITE, MET) == [MET]
    assert collected(project, *SUITE, UNMET, OWN) == [UNMET, OWN]
    assert collected(project, *SUITE, "suites/ci.yaml::expect") == [MET, UNMET, BYTES]
    assert collected(project, *SUITE, "-k", "weight_bytes") == [BYTES]
    assert collected(project, *SUITE, "-k", "perplexity and not int8") == [MET]
    assert collected(project, *SUITE, "-m", "not harness", "--strict-markers") == [OWN]
    assert collected(project, *SUITE, "-m", "harness") == [MET, UNMET, BYTES]


def test_the_suite_is_run_once_and_only_where_an_item_of_it_runs(project: Project) -> None:
    project.stub()
    project.pytest(*SUITE, "-k", "own").assert_outcomes(passed=1, deselected=3)
    assert not project.calls
    project.pytest(*SUITE, "-k", "weight_bytes").assert_outcomes(passed=1, deselected=3)
    assert project.calls == [{"suite": "suites/ci.yaml", "fresh": False, "task_code": False}]
    done = project.pytest(*SUITE, "--harness-fresh", "--harness-allow-task-code", "--harness-out", "here", "-v")
    done.assert_outcomes(passed=4)
    assert project.calls[1:] == [{"suite": "suites/ci.yaml", "fresh": True, "task_code": True}]
    assert (project.folder / "here/run-2").is_dir()
    assert "harness: 2 cells -> here/run-2" in done.outlines
    assert "harness: here/run-2" in done.outlines, "where it lies is told at the end"


def test_what_is_unmet_fails_with_the_numbers_and_no_traceback(project: Project) -> None:
    project.stub(outcomes={RATIO: WORSE})
    done = project.pytest(*SUITE)
    done.assert_outcomes(passed=3, failed=1)
    assert f"{RATIO}: unmet, 1.053 [1.041, 1.066] (nano)" in done.outlines
    text = str(done.stdout)
    assert not re.search(r"Traceback|\.py:\d+|_{5,} \w+\.py", text.replace("test_own.py", "")), text
    done = project.pytest(*SUITE, "-x")
    assert done.parseoutcomes() == {"failed": 1, "passed": 2}


@pytest.mark.parametrize(("policy", "outcome"), [("skip", "skipped"), ("pass", "passed"), ("fail", "failed")])
def test_what_is_undecided_is_skipped_or_what_was_asked_for(project: Project, policy: str, outcome: str) -> None:
    project.stub(outcomes={RATIO: STRADDLES})
    done = project.pytest(*SUITE, UNMET, "--harness-on-inconclusive", policy, "-rs")
    done.assert_outcomes(**{outcome: 1})
    if policy == "skip":
        told = f"SKIPPED [1] suites/ci.yaml:10: {RATIO}: undecided, 1.010 [1.000, 1.020]: the interval straddles"
        assert told in done.outlines, "at its line of the suite"
        assert project.pytest(*SUITE, UNMET).parseoutcomes() == {"skipped": 1}, "which is what happens by itself"


def test_a_cell_that_failed_fails_what_it_decides_and_is_told_of_to_all(project: Project) -> None:
    lost = {"outcome": "undecided", "reason": "the cell failed: no room"}
    project.stub(outcomes={RATIO: lost}, cells={"perplexity": "failed"})
    done = project.pytest(*SUITE, "-W", "ignore::DeprecationWarning")
    done.assert_outcomes(passed=3, failed=1, warnings=3)
    done.stdout.fnmatch_lines([f"{RATIO}: undecided: the cell failed: no room", "nano int8 cpu perplexity failed: *"])
    done.stdout.fnmatch_lines(["*nano int8 cpu perplexity: failed: no room"])
    project.stub(outcomes={RATIO: lost}, cells={"memory": "oom"})
    project.pytest(*SUITE, UNMET).assert_outcomes(skipped=1)
    project.stub(outcomes={RATIO: lost}, cells={"perplexity": "skipped"})
    project.pytest(*SUITE, UNMET).assert_outcomes(skipped=1)


def test_junit_has_the_numbers(project: Project) -> None:
    project.stub(outcomes={RATIO: WORSE})
    project.pytest(*SUITE, "--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ElementTree.parse(project.folder / "junit.xml").iter("testcase")}
    case = cases[f"expect[{RATIO}]"]
    told = {one.get("name"): one.get("value") for one in case.iter("property")}
    wanted = {"verdict": "unmet", "value": "1.053", "low": "1.041", "high": "1.066", "unit": "ratio"}
    assert told == wanted | {"bound": "at most 1.01", "harness_run": "results/runs/run-1"}
    assert case.get("classname") == "suites.ci.yaml"
    failure = case.find("failure")
    assert failure is not None and f"{RATIO}: unmet" in str(failure.get("message"))


def test_last_failed(project: Project) -> None:
    project.stub(outcomes={RATIO: WORSE})
    project.pytest(*SUITE).assert_outcomes(passed=3, failed=1)
    assert collected(project, *SUITE, "--lf") == [UNMET]
    assert collected(project, *SUITE, "--ff")[0] == UNMET
    project.stub()
    assert project.pytest(*SUITE, "--lf").parseoutcomes()["passed"] == 1
    assert collected(project, *SUITE, "--lf") == [OWN, MET, UNMET, BYTES], "nothing is failing any more"


def test_several_cells_and_several_suites(project: Project) -> None:
    met = {"outcome": "met", "value": 3.0, "low": 2.0, "high": 4.0, "subject": {"model": "nano"}}
    project.write("suites/other.yaml", project.folder.joinpath("suites/ci.yaml").read_text().replace("100}", "99}"))
    project.stub(outcomes={"perplexity (fp32) at most 99": met})
    done = project.pytest(*SUITE, "--harness-suite", "suites/other.yaml", "-k", "fp32 and not int8")
    done.assert_outcomes(passed=2, deselected=5)
    assert {call["suite"] for call in project.calls} == {"suites/ci.yaml", "suites/other.yaml"}


def test_the_ini_file_says_the_same(project: Project) -> None:
    project.stub(outcomes={RATIO: STRADDLES})
    ini = "[pytest]\nharness_suite = suites/ci.yaml\nharness_on_inconclusive = fail\nharness_out = kept\n"
    project.write("pytest.ini", f"{ini}harness_allow_task_code = true\n")
    project.pytest().assert_outcomes(passed=3, failed=1)
    assert project.calls[0]["task_code"] and (project.folder / "kept/run-1").is_dir()
    assert collected(project, "tests") == [OWN], "who names tests gets those"
    assert collected(project, UNMET) == [UNMET]
    assert collected(project, "suites") == [MET, UNMET, BYTES]
    (project.folder / "suites/ci.yaml").unlink()
    assert project.pytest("tests").ret == 0
    assert project.pytest().ret == pytest.ExitCode.USAGE_ERROR


def test_names_that_would_be_one_or_be_taken_apart(project: Project) -> None:
    twice = "  - {metric: weight_bytes, where: {precision: int8}, at_most: 1}\n" * 2
    project.write("suites/ci.yaml", project.folder.joinpath("suites/ci.yaml").read_text() + twice)
    project.stub()
    found = collected(project, *SUITE, "-k", "weight_bytes")
    assert found == [BYTES, "suites/ci.yaml::expect[weight_bytes (int8) at most 1]"]
