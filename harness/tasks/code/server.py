"""A small process that forks the processes in which task code runs: they start in milliseconds, with trusted modules
loaded.

It reads orders from a socket, one JSON object each with the two descriptors of a new host's pipes. It runs no code of
task files itself: of what it is told it imports modules, of those that need no permission (`fence.MODULES`) or, if it
serves code that was allowed, whatever that code imports. A host that ended keeps its number until the parent, who may
still kill it, says so. When its parent ends it ends, and its hosts with it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from harness.fences import capabilities, enclosure
from harness.fences.limits import Limits
from harness.tasks.code import fence
from harness.tasks.code.frames import Channel
from harness.tasks.code.host import serve

_MESSAGE = 1 << 16


def main(descriptor: int, allowed: bool) -> None:
    """Serve until the other side of the socket ends. allowed: whether the code that hosts run is."""
    control = socket.socket(fileno=descriptor)
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 2)
        if not text:
            os._exit(0)
        order = json.loads(text)
        for pid in order["ended"]:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        for name in order["modules"]:
            if allowed or name.partition(".")[0] in fence.MODULES - {"datasets"}:
                with contextlib.suppress(BaseException):  # told where the code imports it
                    importlib.import_module(name)
        pid = os.fork()
        if pid == 0:
            _become_host(control, descriptors, order, allowed)
        for one in descriptors:
            os.close(one)
        control.sendall(json.dumps({"pid": pid}, allow_nan=False).encode() + b"\n")


def _become_host(control: socket.socket, descriptors: list[int], order: dict[str, Any], allowed: bool) -> None:
    """Never returns."""
    code = 1
    try:
        capabilities.die_with_parent(signal.SIGKILL)
        control.close()
        channel = Channel(*descriptors)
        channel.wait_for_ever()
        if not allowed:
            readable = [folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")]
            limits = Limits(
                cpu_seconds=order["cpu_seconds"], memory_bytes=order["memory_bytes"], file_bytes=0, open_files=64
            )
            enclosure.shut_in(None, limits, readable=readable, threads=False)
        serve(channel)
        code = 0
    except BaseException:
        if allowed:
            import traceback

            traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "allowed")
