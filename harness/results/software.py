"""What changed between two runs in the software below what they measured: shown beside a comparison, never a reason
against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PLAIN = {"python": "Python", "python_compiler": "Python's compiler", "libc": "libc", "kernel": "system kernel"}
"""Fields of a fingerprint that are software, and what they are called."""
NAMED = {"packages": "not installed", "environment": "not set"}
"""Those that hold several by name, and what is said of a name that one side lacks."""


def software_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """What software differs between two fingerprints, as manifests keep them: `torch: 2.12.0 and 2.13.0`, base first.

    Every recorded package, Python, libc, the system's kernel and the recorded variables of the environment. A field
    that one of them does not have at all, as it is of an earlier version, is no difference.
    """
    found = []
    for field, name in PLAIN.items():
        ours, theirs = base.get(field), head.get(field)
        if ours and theirs and ours != theirs:
            found.append(f"{name}: {ours} and {theirs}")
    for field, lacking in NAMED.items():
        ours, theirs = base.get(field), head.get(field)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            found += [
                f"{name}: {ours.get(name, lacking)} and {theirs.get(name, lacking)}"
                for name in dict.fromkeys([*ours, *theirs])
                if ours.get(name) != theirs.get(name)
            ]
    return found
