"""The key of the job's cache: by the weights that the suite names, and by the versions that are installed.

Run by the Python that has the harness. The cache holds models, what was built of the base, and the ledgers of launches
of identical code. Other weights or other versions are another key; the newest cache of the same machine is then taken
to begin with, as whatever is in it has a key of its own.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path


def main() -> int:
    """Write `key`, `restore-keys` and `path` to GITHUB_OUTPUT."""
    from harness.cache import cache_root

    machine = f"harness-{platform.system()}-{platform.machine()}".lower()
    parts = [machine, weights(os.environ.get("INPUT_SUITE", "").strip() or "suites/ci.yaml"), versions()]
    lines = [f"key={'-'.join(parts)}", f"path={cache_root().as_posix()}", "restore-keys<<END"]
    lines += [f"{'-'.join(parts[:length])}-" for length in (2, 1)] + ["END"]
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


def weights(suite: str) -> str:
    """The digest of what the suite's assets are: their addresses and checksums. A suite that can't be read has none;
    the gate says so."""
    from harness.assets.table import ASSETS
    from harness.errors import UserError
    from harness.suite.load import load_suite, suite_text

    try:
        text = suite_text(load_suite(suite).suite)
    except UserError:
        return "none"
    named = sorted(set(re.findall(r"asset:([\w.-]+)", text)) & set(ASSETS))
    return digest([repr(ASSETS[name]) for name in named])


def versions() -> str:
    """The digest of what is installed, and of Python itself."""
    installed = sorted({f"{one.name}=={one.version}" for one in importlib.metadata.distributions()})
    return digest([sys.version, *installed])


def digest(lines: list[str]) -> str:
    """Sixteen digits of their sha256."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
