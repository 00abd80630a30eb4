"""Workers of xdist: one runs the suite, the others wait for it; one that dies leaves nobody waiting."""

from __future__ import annotations

import pytest

from tests.harness.pytest_plugin.conftest import RATIO, WORSE, Project

pytest.importorskip("xdist")
TWO = ("-n", "2", "--harness-suite", "suites/ci.yaml")


def test_one_of_two_workers_runs_the_suite(project: Project) -> None:
    project.stub(outcomes={RATIO: WORSE}, seconds=0.3)
    done = project.process(*TWO, "--dist", "each")
    done.assert_outcomes(passed=6, failed=2)
    assert len(project.calls) == 1
    done.stdout.fnmatch_lines([f"{RATIO}: unmet, 1.053 ?1.041, 1.066? (nano)", "harness: results/runs/run-1"])


def test_a_worker_that_is_killed_leaves_nobody_waiting(project: Project) -> None:
    project.stub(die=True, seconds=0.3)
    done = project.process(*TWO, "--max-worker-restart", "0")
    assert len(project.calls) == 1, "what killed it would kill the next one"
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    told = (
        "suites/ci.yaml: the process that ran it was ended before it was done; go on with: harness run --resume *run-1"
    )
    done.stdout.fnmatch_lines(["*worker 'gw?' crashed while running *"])
    done.stdout.fnmatch_lines([told])
