"""How many threads: affinity, the container's quota and OMP_NUM_THREADS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import threads
from harness.errors import UserError
from harness.threads import default_threads


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "cores_allowed", lambda: 8)
    monkeypatch.setattr(threads, "cpu_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1", 1), (" 3 ", 3), ("8", 8), ("64", 8), ("4,2", 4), ("4 , 2", 4), ("", 8), ("  ", 8), ("007", 7)],
)
def test_omp_num_threads_is_honored_up_to_the_cores(
    monkeypatch: pytest.MonkeyPatch, written: str, expected: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", written)
    assert default_threads() == expected


@pytest.mark.parametrize("written", ["0", "-1", "two", "1.5", "2;3", ",2", "1e1", "٣"])
def test_what_is_no_number_of_threads_is_one_sentence(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", written)
    with pytest.raises(UserError) as caught:
        default_threads()
    assert str(caught.value) == (
        f"OMP_NUM_THREADS: '{written}' is not a number of threads; set it to 1 or more, or unset it to use all cores"
    )


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (0.5, 1), (1.0, 1), (2.5, 2), (100.0, 8)])
def test_a_container_s_quota_leaves_whole_cores(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert default_threads() == expected


@pytest.mark.parametrize(
    ("asked", "share", "expected"),
    [(8, None, 8), (8, 0.0, 8), (8, 0.05, 8), (8, 0.25, 6), (8, 0.5, 4), (2, 0.5, 2), (8, 0.99, 1), (1, 1.0, 1)],
)
def test_what_is_not_timed_gives_way_to_others(
    monkeypatch: pytest.MonkeyPatch, asked: int, share: float | None, expected: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads.beside_others(asked, share) == expected


def harness(*arguments: str, threads: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": threads, "HARNESS_CACHE": str(folder / "cache"), "COLUMNS": "200"},
    )  # fmt: skip


@pytest.mark.parametrize("command", [["doctor", "--no-measure"], ["plan", "quickstart"], ["run", "quickstart"]])
def test_every_command_says_so_before_anything_runs(tmp_path: Path, command: list[str]) -> None:
    done = harness(*command, threads="many", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and "OMP_NUM_THREADS: 'many' is not a number of threads" in done.stderr


def test_the_doctor_shows_what_will_be_used(tmp_path: Path) -> None:
    done = harness("doctor", "--no-measure", threads="1", folder=tmp_path)
    assert "1 thread\n" in done.stdout


def test_the_doctor_shows_what_keeps_foreign_code_in(tmp_path: Path) -> None:
    from harness.fences.enclosure import available

    done = harness("doctor", "--no-measure", threads="1", folder=tmp_path)
    assert "fences of foreign code" in done.stdout and str(available()) in " ".join(done.stdout.split())
