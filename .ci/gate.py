"""The project gates itself: `make gate`, which CI runs on a clean clone.

    quality and exact counts   suites/self.yaml is run and judged against the committed baseline `self`
    speed                      benchmarks/self_speed.yaml is timed side by side with the commit that this baseline names

Work goes straight to `main`, so a merge base would be the head itself: the baseline says what to compare with, and it
moves by `harness baseline set` alone. What is undecided passes, as a red build that noise made teaches nobody anything;
a FAIL is one that the gate has confirmed. Where the baseline's commit is not in the clone (a shallow one), that is
said, and speed is not judged. The exit code is that of what is wrong.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UserError
from harness.results.find import find_cells

ROOT = Path(__file__).parents[1]
BASELINE = "baseline:self"
HARNESS = [sys.executable, "-m", "harness"]
INCONCLUSIVE = ["--on-inconclusive", "pass"]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""As on a machine that others use too: threads of so small a model wait for each other."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Both gates; the exit code of the first that is red."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.75, help="for speed")
    parser.add_argument("--out", type=Path, default=ROOT / "results/runs", help="folder for what is measured")
    asked = parser.parse_args(arguments)
    try:
        commit = commit_of_baseline(asked.out)
    except UserError as error:
        print(f"there is no baseline to compare with: {error}", file=sys.stderr)
        return int(error.exit_code)
    return quality(asked.out) or speed(commit, asked.minutes, asked.out)


def commit_of_baseline(out: Path) -> str:
    """The commit that the baseline's run was of; empty where it names none. Raises UserError."""
    return str(find_cells(BASELINE, out).manifest.git.get("commit") or "")


def quality(out: Path) -> int:
    """Measure quality and counts anew, and judge them."""
    measured = run(*HARNESS, "run", "suites/self.yaml", "--fresh", "--out", str(out))
    if measured != 0:
        return measured
    return run(*HARNESS, "gate", "latest", "--baseline", BASELINE, "--out", str(out), *INCONCLUSIVE)


def speed(commit: str, minutes: float, out: Path) -> int:
    """Time the hot path at the baseline's commit and here."""
    there = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    if not commit or subprocess.run(there, cwd=ROOT, capture_output=True).returncode != 0:
        told = f"the baseline's commit {commit[:12] or '(it names none)'} is not in this clone"
        print(f"{told}, so speed is not judged: `git fetch --unshallow` brings it", file=sys.stderr)
        return 0
    asked = ["ci", "benchmarks/self_speed.yaml", "--base", commit, "--minutes", f"{minutes:g}"]
    return run(*HARNESS, *asked, "--out", str(out.parent / "ci"), *INCONCLUSIVE)


def run(*words: str) -> int:
    """Run a command in the project, and show what it is."""
    print(f"$ harness {' '.join(words[len(HARNESS) :])}", flush=True)
    return subprocess.run(words, cwd=ROOT, env=os.environ | ONE_THREAD).returncode


if __name__ == "__main__":
    sys.exit(main())
