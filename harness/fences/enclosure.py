"""All fences at once: what a child calls after it has loaded what it trusts, and before it runs what it doesn't.

Linux 5.13 with seccomp and Landlock, x86_64 or aarch64, gives everything. Without Landlock no file can be opened any
more, so what is needed has to be loaded before. Without seccomp nothing foreign may be run: `Unfenced`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.fences import capabilities, landlock, seccomp
from harness.fences.limits import Limits, set_limits


class Unfenced(Exception):
    """This process can't be fenced in; says why. Nothing foreign may be run in it."""


@dataclass(frozen=True)
class Fences:
    """Which fences this machine has."""

    seccomp: bool
    """System calls are filtered: no other process, no network, no signals. Without it nothing foreign is run."""
    landlock: int
    """The kernel's version of Landlock, 0 for none: which files may be read. Without it none may be opened."""

    @property
    def enough(self) -> bool:
        """Whether foreign code may be run without permission."""
        return self.seccomp

    def __str__(self) -> str:
        if not self.seccomp:
            return "none: programs of models are not run, and task functions only with --allow-task-code"
        files = f"Landlock {self.landlock}" if self.landlock else "no Landlock: foreign code can open no file at all"
        return f"seccomp, {files}, capabilities dropped, resource limits"


def available() -> Fences:
    """Which fences this machine has; changes nothing."""
    return Fences(seccomp.available(), landlock.version())


def shut_in(
    folder: str | None, limits: Limits, *, readable: Sequence[str] = (), threads: bool = True
) -> tuple[str, ...]:
    """Put up all fences around this process, for good. Returns the names of those that stand.

    folder: where files may be made, changed and removed; None: nowhere. readable: files and folders that may be read,
    beside those of the interpreter. threads: whether new threads may be started. Descriptors that are open stay so:
    close what foreign code must not have. The parent polls what the kernel doesn't count: see `watch`.
    Raises Unfenced where system calls can't be filtered, or if other threads run already: they would stay outside.
    """
    if (running := _threads()) > 1:
        raise Unfenced(f"{running} threads run already")
    if not seccomp.available():
        raise Unfenced("this machine has no seccomp that we know how to set")
    set_limits(limits)
    dropped = capabilities.drop()
    if not capabilities.no_new_privileges():
        raise Unfenced("the kernel doesn't let this process give up new privileges")
    version = landlock.version()
    files = landlock.restrict(folder, [*landlock.interpreter_paths(), *readable])
    filtered = seccomp.restrict(
        opens=files,
        changes=files and folder is not None,
        truncates=files and version >= landlock.TRUNCATES,
        threads=threads,
    )
    if not filtered:
        raise Unfenced("the kernel refuses our filter of system calls")
    stands = {"seccomp": filtered, "landlock": files, "capabilities": dropped}
    return tuple(name for name, holds in stands.items() if holds)


def _threads() -> int:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()
