"""Who moves a baseline: the user's name and address, as git knows them."""

from __future__ import annotations

import subprocess

from harness.errors import shown
from harness.gate.accepted import whoever as name_of_user


def whoever() -> str:
    """`Jane Doe <jane@example.org>`; the name alone where git knows no address."""
    name, address = name_of_user(), ""
    try:
        done = subprocess.run(["git", "config", "user.email"], capture_output=True, text=True, timeout=10)
        address = shown(done.stdout.strip(), 100) if done.returncode == 0 else ""
    except (OSError, subprocess.SubprocessError):
        pass
    return f"{name} <{address}>" if address else name
