"""What an action on a hostile input ends in, in a process of its own with a limit on time and memory.

Allowed are two ends: it gives a result, or it says what is wrong in a sentence (`UserError`). A child is forked for
each, so that thousands of imports are made once.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import typer

from harness.errors import UserError

SECONDS, MEMORY = 30.0, 4 << 30
"""Wall time, generous since machines are busy; and bytes beyond what the parent has."""
LONGEST_SENTENCE = 20_000
PLAIN = (0, 1, 2, 3, 4, 5)
"""Exit codes that a command may end with."""


@dataclass(frozen=True)
class End:
    """How it ended."""

    kind: Literal["result", "sentence", "raw", "hang", "crash"]
    text: str
    seconds: float

    @property
    def is_allowed(self) -> bool:
        """A result, or a sentence of a length that someone reads."""
        return self.kind == "result" or (
            self.kind == "sentence" and 0 < len(self.text) <= LONGEST_SENTENCE and "Traceback" not in self.text
        )


def end_of(act: Callable[[], Any], seconds: float = SECONDS, memory: int = MEMORY) -> End:
    """Run `act` in a child; its result as text."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _in_child(act, reading, writing, memory)
    os.close(writing)
    said = bytearray()
    while (left := began + seconds - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 1 << 16)
            if not part:
                break
            said += part
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    took = time.monotonic() - began
    if not said:
        kind: Literal["hang", "crash"] = "hang" if took >= seconds else "crash"
        return End(kind, f"status {status} after {took:.1f} s", took)
    told = json.loads(said)
    return End(told["kind"], told["text"], took)


def _in_child(act: Callable[[], Any], reading: int, writing: int, memory: int) -> None:
    """Never returns."""
    os.close(reading)
    memory += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    try:
        kind, text = "result", str(act())
    except UserError as error:
        kind, text = "sentence", str(error)
    except click.exceptions.Exit as ended:
        kind, text = ("result" if ended.exit_code in PLAIN else "raw"), f"exit {ended.exit_code}"
    except (click.ClickException, typer.BadParameter) as error:
        kind, text = "sentence", error.format_message()
    except SystemExit as ended:
        kind, text = ("result" if ended.code in PLAIN else "raw"), f"exit {ended.code}"
    except MemoryError as error:
        kind, text = "raw", f"memory: {error!r} at {_place(error)}"
    except BaseException as error:
        kind, text = "raw", f"{type(error).__name__}: {str(error)[:500]} at {_place(error)}"
    told = json.dumps({"kind": kind, "text": text[: 10 * LONGEST_SENTENCE]})
    data = told.encode()
    while data:
        data = data[os.write(writing, data) :]
    os._exit(0)


def _place(error: BaseException) -> str:
    """The last lines of the traceback that are ours."""
    places = []
    here = error.__traceback__
    while here is not None:
        places.append(f"{os.path.basename(here.tb_frame.f_code.co_filename)}:{here.tb_lineno}")  # noqa: PTH119
        here = here.tb_next
    return " < ".join(reversed(places[-4:]))
