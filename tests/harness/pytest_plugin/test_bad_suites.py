"""What can't be collected or run: one sentence, and pytest's exit code."""

from __future__ import annotations

import pytest

from tests.harness.pytest_plugin.conftest import MET, SUITE, Project

GIVEN = ("--harness-suite", "suites/ci.yaml")


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        (
            SUITE.replace("measures", "measurs"),
            "suites/ci.yaml:5: measurs: unknown key 'measurs'; did you mean *",
        ),
        (
            SUITE + "  - {metric: perplexty, at_most: 1}\n",
            "suites/ci.yaml:14: expect.3.metric: no measure emits *",
        ),
        (
            SUITE + "  - {metric: loss, where: {precision: int4}, at_most: 1}\n",
            "suites/ci.yaml:14: expect.3.where: *",
        ),
        ("name: [", "suites/ci.yaml:1: *"),
        ("", "suites/ci.yaml: the file is empty; a suite needs at least `name`, `models` and `measures`"),
        (SUITE.partition("expect:")[0], "suites/ci.yaml: this suite has no `expect:`, so there is nothing to test"),
        (
            SUITE.partition("expect:")[0] + "gate: [{metric: weight_bytes}]\n",
            "suites/ci.yaml: this suite has no `expect:`, so there is nothing to test, and its `gate:` needs a *",
        ),
    ],
)
def test_a_bad_suite_is_an_error_of_collection(project: Project, suite: str, told: str) -> None:
    project.stub()
    project.write("suites/ci.yaml", suite)
    done = project.pytest(*GIVEN)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["* ERROR collecting suites/ci.yaml *", told, "*short test summary*"], consecutive=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--harness-suite", "suites/c.yaml"],
            "--harness-suite: suites/c.yaml: no such suite file; did you mean 'ci.yaml'*",
        ),
        ([GIVEN[0], "suites"], "--harness-suite: */suites: this is a folder; name a suite file in it"),
        (
            ["--harness-suite", "quickstart"],
            "--harness-suite: quickstart: no such file, and a suite that ships has to *",
        ),
        ([GIVEN[0], ""], "--harness-suite: *"),
        (
            [*GIVEN, "--harness-on-inconclusive", "maybe"],
            "--harness-on-inconclusive: is skip, pass or fail, not 'maybe'",
        ),
    ],
)
def test_a_word_that_is_wrong_is_told_before_anything(project: Project, words: list[str], told: str) -> None:
    done = project.pytest(*words)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: {told}"])


def test_a_baseline_that_is_missing(project: Project) -> None:
    project.stub()
    done = project.pytest(*GIVEN, "--harness-baseline", "main")
    assert done.ret == pytest.ExitCode.INTERRUPTED and not project.calls
    done.stdout.fnmatch_lines(
        ["--harness-baseline: there is no baseline 'main' (*`harness run suites/ci.yaml` at the *"]
    )


def test_a_run_that_can_not_be_fails_every_item_with_one_sentence(project: Project) -> None:
    project.stub(refuse="the disk is full; free some space")
    done = project.pytest(*GIVEN)
    done.assert_outcomes(passed=1, failed=3)
    assert len(project.calls) == 1, "it is not tried again"
    assert done.outlines.count("suites/ci.yaml: the disk is full; free some space") == 3
    assert "Traceback" not in str(done.stdout)
    project.stub(**{"break": "by zero"})
    done = project.pytest(*GIVEN, MET)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["suites/ci.yaml: unexpected error while running the suite: by zero (ZeroDivisionError)*"]
    )
    done.stdout.fnmatch_lines(["*Captured stderr*", "Traceback*"])


def test_without_the_plugin_nothing_is_left(project: Project) -> None:
    assert project.pytest("-p", "no:harness").ret == 0
    done = project.pytest("-p", "no:harness", *GIVEN)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*unrecognized arguments: --harness-suite*"])
