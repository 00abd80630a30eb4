"""The parent's handle on a worker process.

Workers are forked from a server that has imported torch and nothing more (Python's `forkserver` start method), so
that every cell gets a process that has run no operation yet, without paying for the imports each time. Where there is
no forkserver, each is spawned.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.errors import UserError, signal_name, told
from harness.execution.requests import Answer, Request, Said, Step
from harness.execution.serve import serve
from harness.notice import notice
from harness.standard_streams import open_standard_streams

PRELOADED = "HARNESS_PRELOADED"
"""The variable that names what the fork server imports: see `harness.execution.preloaded`."""
GRACE = 2.0
"""Seconds that a worker gets to end by itself, so that it can clean up what its libraries opened."""


class WorkerDied(Exception):
    """The worker process ended in the middle of a request."""

    def __init__(self, exit_code: int | None, how: str = "") -> None:
        self.exit_code = exit_code
        self.out_of_memory = False
        """Whether the kernel's out-of-memory killer ended it."""
        super().__init__(how or _how_it_died(exit_code))


class Worker:
    """A worker process with pinned threads, as a context manager."""

    def __init__(self, threads: int, log: Path, lane: int | None = None) -> None:
        """lane: which `threads` of the cores are its own: what is timed has the first, trainings side by side have one
        each. Without a lane the system decides, so that two runs at once don't share the first cores."""
        open_standard_streams()
        context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
        self._connection: Connection[Any, Any]
        self._connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=serve, args=(theirs, threads, str(log), lane), daemon=True)
        self._start()
        theirs.close()

    def _start(self) -> None:
        """Raises UserError where the system gives no process. What ended the fork server once, such as a kill, need not
        end the next one, which starts when the system has buried it."""
        for wait in (0.1, 0.5, 2.0, None):
            try:
                with _no_main_module():
                    self._process.start()
                return
            except (EOFError, OSError) as error:
                if wait is None:
                    why = "has the machine memory and processes left?"
                    raise UserError(f"no worker process can be started ({told(error)}); {why}") from None
                time.sleep(wait)

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self._process.pid

    @property
    def connection(self) -> Connection[Any, Any]:
        """Where its messages come from, for `multiprocessing.connection.wait` on several workers."""
        return self._connection

    def ask(self, request: Request, on_step: Callable[[Step], None] | None = None) -> Answer:
        """Send a request and wait for its answer. Raises WorkerDied."""
        self.begin(request)
        while isinstance(message := self.next_message(), Step):
            if on_step is not None:
                on_step(message)
        return message

    def begin(self, request: Request) -> None:
        """Send a request; its messages are for `next_message`, the answer last. Raises WorkerDied."""
        with self._alive():
            self._connection.send(request)

    def next_message(self) -> Step | Answer:
        """Wait for the next message of the request that is under way. Raises WorkerDied."""
        with self._alive():
            while isinstance(message := self._connection.recv(), Said):
                notice(message.sentence)
        answer: Step | Answer = message
        return answer

    @contextlib.contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):  # an OSError says that it ended in the middle of a message, too
            self._process.join(timeout=10)
            raise WorkerDied(self._process.exitcode) from None

    def __enter__(self) -> Worker:
        return self

    def end_now(self) -> None:
        """End it in the middle of its request."""
        self._process.kill()

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it: one that waits for a request ends by itself, another is killed after `GRACE` seconds."""
        self._connection.close()
        self._process.join(timeout=GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def preload(modules: list[str]) -> None:
    """Name the modules that the fork server imports, before the first worker starts."""
    if sys.platform == "linux":
        os.environ[PRELOADED] = " ".join(modules)
        multiprocessing.get_context("forkserver").set_forkserver_preload(["harness.execution.preloaded"])


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep multiprocessing from importing the caller's script again in the worker.

    A worker needs nothing of it, and a script or notebook that calls `harness.run` without an
    `if __name__ == "__main__"` would run itself a second time.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _how_it_died(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal_name(-exit_code)
        hint = " (killed by hand, or by the system because memory ran out)" if exit_code == -signal.SIGKILL else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended by itself with exit code {exit_code}; worker.log in the run folder has the rest"
