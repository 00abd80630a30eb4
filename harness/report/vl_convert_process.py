"""vl-convert, called in a process of its own.

It carries a JavaScript engine, which reserves gigabytes of addresses and ends its process where it can't have them.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import Any

from harness import strict_json
from harness.errors import UserError, printable, signal_name

SECONDS = 300
"""Of what takes seconds; a busy machine may need more."""
_CHILD = """
import json, sys
import vl_convert
name, arguments, named = json.load(sys.stdin)
made = getattr(vl_convert, name)(*arguments, **named)
sys.stdout.buffer.write(made if isinstance(made, bytes) else made.encode())
"""


def vl_convert_version() -> str:
    """The installed version, which says what Vega it carries."""
    return version("vl-convert-python")


def vl_convert(function: str, *arguments: Any, **named: Any) -> bytes:
    """What one of its functions makes, a text as UTF-8. Raises UserError where it can't be had, memory being short
    maybe."""
    asked = strict_json.dumps([function, arguments, named]).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD], input=asked, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"vl-convert, which draws the charts, did not end in {SECONDS} s") from None
    except OSError as error:
        raise UserError(f"vl-convert, which draws the charts, can't be started ({error.strerror})") from None
    if done.returncode:
        raise UserError(f"vl-convert, which draws the charts, failed: {_why(done)}; has the machine memory enough?")
    return done.stdout


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"ended by {signal_name(-done.returncode)}"
    lines = printable(done.stderr.decode("utf-8", "replace")).strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
