"""Run the numeric tests with each instruction set that this processor has.

    python tests/isa                          # all configurations, all numeric tests (`make test-isa`)
    python tests/isa --core narrowest         # some configurations, the tests that they move most

Each has a process and an empty cache of its own, the compiled kernel's included. One that this processor lacks is
skipped with the reason; one in which another kernel would run fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from configurations import CONFIGURATIONS, CORE, NUMERIC, Configuration

from harness.results.fingerprint import cpu_flags
from reference_impl.native.build import kernel_identity

HERE = Path(__file__).parent
OURS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "GPT_NATIVE")
SHOWN = 60
"""Last lines of a run that failed."""


def why_not(configuration: Configuration) -> str:
    """Why it can't be had here; empty where it can."""
    missing = configuration.needs - cpu_flags()
    if missing:
        return f"this processor has no {', '.join(sorted(missing))}"
    if configuration.native and kernel_identity() == "none":
        return "no C++ compiler: install g++"
    return ""


def passes(configuration: Configuration, tests: tuple[str, ...]) -> bool:
    """Run the tests in a child; its output is shown where it fails."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        environment |= {"HARNESS_CACHE": f"{cache}/harness", "XDG_CACHE_HOME": f"{cache}/user"}
        done = subprocess.run(
            [sys.executable, str(HERE / "child.py"), configuration.name, *tests],
            env=environment | configuration.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    lines = (done.stdout + done.stderr).strip().splitlines()
    passed = done.returncode == 0
    print(f"{configuration.name}: {'passed' if passed else 'failed'} in {time.monotonic() - began:.0f} s", flush=True)
    if not passed:
        print("\n".join(lines[-SHOWN:]), flush=True)
    return passed


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
