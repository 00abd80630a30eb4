"""Run the numeric tests with each instruction set that this processor has.

    python tests/isa                          # all configurations, all numeric tests (`make test-isa`)
    python tests/isa --core narrowest         # some configurations, the tests that they move most

Each has processes of its own, as many as there are cores (four at most), which share the files of tests, each with an
empty cache, the compiled kernel's included. One that this processor lacks is skipped with the reason; one in which
another kernel would run fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from configurations import CONFIGURATIONS, CORE, NUMERIC, Configuration

from harness.results.fingerprint import cpu_flags
from reference_impl.native.build import kernel_identity

HERE = Path(__file__).parent
OURS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "GPT_NATIVE")
SHOWN = 60
"""Last lines of a run that failed."""
MOST = 4
"""Processes side by side, as in the Makefile."""


def why_not(configuration: Configuration) -> str:
    """Why it can't be had here; empty where it can."""
    missing = configuration.needs - cpu_flags()
    if missing:
        return f"this processor has no {', '.join(sorted(missing))}"
    if configuration.native and kernel_identity() == "none":
        return "no C++ compiler: install g++"
    return ""


def shares(tests: Sequence[str], count: int) -> list[list[str]]:
    """The files of tests below some folders in so many parts of about the same size in bytes, none of them empty."""
    given = [HERE.parents[1] / name for name in tests]
    files = [file for path in given for file in (path.rglob("test_*.py") if path.is_dir() else [path])]
    parts: list[list[str]] = [[] for _ in range(min(count, len(files)))]
    sizes = [0] * len(parts)
    for file in sorted(files, key=lambda file: (-file.stat().st_size, file)):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(str(file))
        sizes[smallest] += file.stat().st_size
    return parts


def passes(configuration: Configuration, tests: Sequence[str]) -> bool:
    """Run the tests in children; the output of those that fail is shown."""
    began = time.monotonic()
    parts = shares(tests, min(os.cpu_count() or 1, MOST))
    with ThreadPoolExecutor(len(parts)) as pool:
        ended = list(pool.map(lambda part: child(configuration, part), parts))
    failed = [done for done in ended if done.returncode != 0]
    print(f"{configuration.name}: {'failed' if failed else 'passed'} in {time.monotonic() - began:.0f} s", flush=True)
    for done in failed:
        print("\n".join((done.stdout + done.stderr).strip().splitlines()[-SHOWN:]), flush=True)
    return not failed


def child(configuration: Configuration, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Tests in a process that checks first which instructions it has. Its torch has one thread: others run too."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        environment |= {"HARNESS_CACHE": f"{cache}/harness", "XDG_CACHE_HOME": f"{cache}/user", "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, str(HERE / "child.py"), configuration.name, *tests],
            env=environment | configuration.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def main() -> int:
    """Exit code 0 where nothing failed, and something ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [item.name for item in CONFIGURATIONS]
    parser.add_argument("configurations", nargs="*", metavar="CONFIGURATION", help=f"of {', '.join(names)}; all")
    parser.add_argument("--core", action="store_true", help="only the tests that the instructions move most")
    given = parser.parse_args()
    unknown = set(given.configurations) - set(names)
    if unknown:
        parser.error(f"no configuration is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for item in CONFIGURATIONS:
        if given.configurations and item.name not in given.configurations:
            continue
        reason = why_not(item)
        if reason:
            print(f"{item.name}: skipped: {reason}", flush=True)
            counts["skipped"] += 1
        else:
            counts["passed" if passes(item, CORE if given.core else NUMERIC) else "failed"] += 1
    print("isa: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
