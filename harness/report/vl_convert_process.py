"""vl-convert, called in a process of its own.

It carries a JavaScript engine, which reserves gigabytes of addresses and ends its process where it can't have them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from harness import strict_json
from harness.errors import UserError, printable, signal_name

SECONDS = 300
"""Of what takes seconds each; a busy machine may need more."""
_CHILD = """
import json, sys
import vl_convert
for name, arguments, named in json.load(sys.stdin):
    made = getattr(vl_convert, name)(*arguments, **named)
    made = made if isinstance(made, bytes) else made.encode()
    sys.stdout.buffer.write(len(made).to_bytes(8, "big") + made)
"""


def vl_convert_version() -> str:
    """The installed version, which says what Vega it carries."""
    return version("vl-convert-python")


class Call(NamedTuple):
    """One of its functions, and what it is given."""

    function: str
    arguments: Sequence[Any]
    named: Mapping[str, Any] = {}


def vl_convert(*calls: Call) -> list[bytes]:
    """What each call makes, a text as UTF-8, all in one process. Raises UserError where one can't be had, memory being
    short maybe."""
    if not calls:
        return []
    asked = strict_json.dumps(calls).encode()
    seconds = SECONDS * len(calls)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD],
            input=asked,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"vl-convert, which draws the charts, did not end in {seconds} s") from None
    except OSError as error:
        raise UserError(f"vl-convert, which draws the charts, can't be started ({error.strerror})") from None
    if done.returncode:
        raise UserError(f"vl-convert, which draws the charts, failed: {_why(done)}; has the machine memory enough?")
    return list(_pieces(done.stdout))


def _pieces(written: bytes) -> Iterator[bytes]:
    while written:
        end = 8 + int.from_bytes(written[:8], "big")
        yield written[8:end]
        written = written[end:]


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"ended by {signal_name(-done.returncode)}"
    lines = printable(done.stderr.decode("utf-8", "replace")).strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
