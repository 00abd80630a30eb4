"""A process that forks a candidate and a tester for each program, watches them, and says how they ended.

It has loaded what both need, so that a program costs two forks. It knows no program and no test: these come in
descriptors of their own, which it hands on unread, so that nothing of a test is in a candidate's memory.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from harness.fences import capabilities, landlock, watch
from harness.fences.enclosure import shut_in
from harness.fences.folder import remove
from harness.fences.limits import Limits
from harness.tasks.programs import candidate, tester_process

_LONGEST_ORDER = 1 << 16
_SHORT = 0.005
_PRELOADED = [
    "abc", "array", "bisect", "calendar", "cmath", "collections.abc", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "heapq", "inspect", "itertools", "json", "math", "numbers",
    "operator", "random", "re", "statistics", "string", "textwrap", "threading", "types", "typing",
    "unicodedata", "asyncio", "resource",
]  # fmt: skip
_READ_LATER = [
    "argparse", "ast", "base64", "binascii", "codecs", "colorsys", "concurrent.futures", "concurrent.futures.thread",
    "configparser", "contextlib", "contextvars", "csv", "difflib", "dis", "fnmatch", "gc", "getopt", "glob", "graphlib",
    "hashlib", "hmac", "html", "html.parser", "io", "keyword", "linecache", "locale", "logging", "pathlib", "pickle",
    "platform", "pprint", "queue", "secrets", "shelve", "shlex", "shutil", "signal", "sqlite3", "sched", "socket",
    "struct", "subprocess", "symtable", "tempfile", "time", "timeit", "tokenize", "traceback", "unittest",
    "unittest.mock", "encodings.ascii", "encodings.cp1252", "encodings.cp437", "encodings.hex_codec", "encodings.idna",
    "encodings.latin_1", "encodings.raw_unicode_escape", "encodings.unicode_escape", "encodings.utf_16",
    "encodings.utf_32", "urllib.parse", "uuid", "weakref", "xml.etree.ElementTree", "zlib",
]  # fmt: skip
"""Loaded beforehand where no file can be opened later."""


def main(control: int, folder: str, packages: str) -> None:
    """Serve orders that come over a socket until it is closed, then remove the folder of all programs' folders.

    packages: where numpy is, or empty to have none.
    A server has numpy from its start or never: what a program finds doesn't hang on the programs before it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: who started us decides
    for name in _PRELOADED if landlock.version() else _PRELOADED + _READ_LATER:
        importlib.import_module(name)
    if packages:
        _load_numpy(packages)
    try:
        _serve(socket.socket(fileno=control), folder)
    finally:
        remove(folder)


def _serve(connection: socket.socket, folder: str) -> None:
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_ORDER, 3)
        if not data:
            return
        answer = _judge_one(json.loads(data), descriptors, connection, folder)
        if answer is None:
            return
        connection.send(json.dumps(answer, allow_nan=False).encode())


def _load_numpy(packages: str) -> None:
    """Import numpy if it is there; a program that uses it is told by the import itself where it isn't."""
    sys.path.append(packages)
    with suppress(ImportError):
        for name in ("numpy", "numpy.random", "numpy.fft", "numpy.polynomial", "numpy.testing", "numpy.ma"):
            importlib.import_module(name)
    sys.path.remove(packages)


def _judge_one(
    order: dict[str, Any], descriptors: list[int], connection: socket.socket, base: str
) -> dict[str, Any] | None:
    """Fork both, wait for the tester's end. Returns how both ended; None if whoever asked is gone."""
    program, test, verdict = descriptors
    limits = Limits(**order["limits"])
    folders = [tempfile.mkdtemp(dir=base) for _ in range(2)]
    asked, asking = os.pipe()
    answered, answering = os.pipe()
    try:
        readable = list(order["readable"])
        children = {
            "candidate": _fork(
                lambda: candidate.main(_text(program), asked, answering),
                {program, asked, answering}, folders[0], limits, readable,
            ),
            "tester": _fork(
                lambda: tester_process.main(_text(test), answered, asking, verdict),
                {test, answered, asking, verdict}, folders[1], limits, readable,
            ),
        }  # fmt: skip
    finally:
        for descriptor in (asked, asking, answered, answering, *descriptors):
            os.close(descriptor)
    try:
        return _wait(children, folders, limits, order["wall_seconds"], connection)
    finally:
        for folder in folders:
            remove(folder)


def _text(descriptor: int) -> str:
    with open(descriptor, encoding="utf-8") as file:
        text = json.load(file)
    assert isinstance(text, str)
    return text


def _fork(deed: Callable[[], None], kept: set[int], folder: str, limits: Limits, readable: list[str]) -> int:
    """A fenced child that has some descriptors alone. Returns its process number."""
    server = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        capabilities.die_with_parent(signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        _close_others(kept | {0, 1, 2})
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        shut_in(folder, limits, readable=readable)
        deed()
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _close_others(kept: set[int]) -> None:
    last = -1
    for descriptor in sorted(kept):
        if last + 1 < descriptor:  # an empty range from 0 closes all
            os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))


def _wait(
    children: dict[str, int], folders: list[str], limits: Limits, seconds: float, connection: socket.socket
) -> dict[str, Any] | None:
    deadline = time.monotonic() + seconds
    excess: str | None = None
    ended: dict[str, int] = {}
    opened = _pidfds(children.values())
    watched = set(opened)
    try:
        while "tester" not in ended and not excess:
            looked_at = [*watched, connection.fileno()]
            ready, _, _ = select.select(looked_at, [], [], watch.INTERVAL if watched else _SHORT)
            if connection.fileno() in ready:
                return None
            for name in children.keys() - ended.keys():
                pid, status = os.waitpid(children[name], os.WNOHANG)
                if pid:
                    ended[name] = os.waitstatus_to_exitcode(status)
            watched -= set(ready)
            excess = "wall time is up" if time.monotonic() > deadline else None
            for (name, pid), folder in zip(children.items(), folders, strict=True):
                excess = excess or watch.excess_of(0 if name in ended else pid, folder, limits)
    finally:
        for name in children.keys() - ended.keys():  # one that was ending already keeps its own code
            os.kill(children[name], signal.SIGKILL)
            ended[name] = os.waitstatus_to_exitcode(os.waitpid(children[name], 0)[1])
        for descriptor in opened:
            os.close(descriptor)
    return {"ended": ended, "excess": excess}


def _pidfds(children: Iterable[int]) -> list[int]:
    """Descriptors that are readable when a child has ended; none on kernels before 5.3."""
    try:
        return [os.pidfd_open(pid) for pid in children]
    except (OSError, AttributeError):
        return []
