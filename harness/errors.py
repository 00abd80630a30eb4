"""What the harness says when its input is wrong.

Every mistake that a user can make ends as one `UserError`: one clear sentence with the place and the
fix. The command line prints it and exits with `EXIT_USAGE`; nothing else in the house prints errors.
"""

import errno
import os
import re
import signal
import traceback
from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    PASS = 0
    UNMET = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    BASELINE_MISSING = 5


INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C ended."""


class UserError(Exception):
    """Bad input or a missing piece: says where it is and how to fix it.

    `place` is a file, a `file:line` or an option; it is put before the message.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, place: str | None = None) -> None:
        self.message = message = _short(message)
        self.place = place = None if place is None else shown(place, _LONGEST_PLACE)
        super().__init__(f"{place}: {message}" if place else message)


class WrongArgument(UserError):
    """An argument of a function can't be what it is. The command line says its options where this says arguments.

    `place` is the argument's name, or several with commas; `beside` are others that the message names in backticks.
    """

    def __init__(self, message: str, *, place: str, beside: Sequence[str] = ()) -> None:
        self.beside = tuple(beside)
        super().__init__(message, place=place)


_LONGEST, _LONGEST_PLACE, _MOST_LINES = 2_000, 4_500, 30
"""Characters and lines of a sentence, whatever outside text is quoted in it."""


def _short(message: str) -> str:
    """The same message, what is long in it cut: a name, a list or a value of a user's file may have megabytes."""
    if len(message) <= _LONGEST and message.count("\n") < _MOST_LINES:
        return message
    lines = message.split("\n")
    more = [f"and {len(lines) - _MOST_LINES:,} more"] if len(lines) > _MOST_LINES else []
    return "\n".join([*(shown(line, _LONGEST) for line in lines[:_MOST_LINES]), *more])


def shown(text: object, most: int = 80) -> str:
    """A text of somebody else's as a sentence quotes it: its beginning and its end where it is long."""
    whole = str(text)
    return whole if len(whole) <= most else f"{whole[: most * 2 // 3]}…{whole[len(whole) - most // 4 :]}"


class Unsupported(Exception):
    """A measure can't serve this model at this point of the matrix: becomes a `skipped` record with this reason."""


LOGGED = "the traceback is in worker.log"
"""Where a run keeps the traceback of unexpected errors."""


def unexpected(what: str, error: BaseException, kept: str = LOGGED) -> str:
    """An unexpected error as one sentence: what was being done (`opening the model`), and where the traceback
    is `kept`.

    What a `UserError` or an `Unsupported` says is a sentence already.
    """
    if isinstance(error, UserError | Unsupported):
        return printable(str(error))
    if (why := no_room(error)) is not None:
        return f"{why} and run it again ({told(error)}, while {what}); {kept}"
    return f"unexpected error while {what}: {told(error)}; {kept}"


def logged(what: str, error: BaseException) -> str:
    """`unexpected`, in a worker: the traceback of an unexpected error goes to its log."""
    if not isinstance(error, UserError | Unsupported):
        traceback.print_exception(error)
    return unexpected(what, error)


def told(error: BaseException) -> str:
    """What an error says, in one line, with its type in brackets: `division by zero (ZeroDivisionError)`."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        text = ": ".join([*names[:1], error.strerror])
    elif isinstance(error, KeyError) and error.args:
        text = f"nothing is called {error}"
    else:
        try:
            text = str(error)
        except Exception:  # an exception of others whose own text fails
            text = ""
    lines = printable(text).strip().splitlines()
    first = lines[0].strip().rstrip(".;:") if lines else ""
    return f"{first} ({kind})" if first else f"a {kind} without a message"


def signal_name(number: int) -> str:
    """What a signal is called, such as `SIGKILL`; most of the real-time ones have no name of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def printable(text: str) -> str:
    """The same text, half characters (lone surrogates) written out as `\\udc80`: no file and no terminal takes them."""
    return text.encode("utf-8", "backslashreplace").decode()


_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line break, and those of eight bits
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # directions of writing, that hide what comes before or after
    "\u2028\u2029\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"  # other line breaks, hidden texts, half characters
)


def inert(text: str) -> str:
    """The same text, what acts on a terminal or on the order of letters written out: `\\x1b`, `\\u202e`, `\\r`.

    Every printer writes outside text so: names, reasons, answers and files may be of anybody.
    """
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


_NO_ROOM = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your quota of this disk is used up; free some space",
    errno.EFBIG: "a file would be larger than a process may write here; raise the limit (`ulimit -f`)",
}


def no_room(error: BaseException) -> str | None:
    """Why a file could not be written, and what to do, where an error says that there is no room for it: a full disk, a
    quota, a limit on the size of files. None for other errors.

    What compiled libraries raise is no OSError and has the system's words in it.
    """
    if isinstance(error, OSError):
        return _NO_ROOM.get(error.errno or 0)
    text = told(error)
    return next((why for number, why in _NO_ROOM.items() if f"{os.strerror(number)} (os error {number})" in text), None)


_MEMORY_SIGNS = (
    *("out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory"),
    "failed to map segment",
    "error return without exception set",
)
"""What torch, the system and Python say when memory ends: torch raises plain RuntimeError on the CPU, a library that
can't be loaded an ImportError with much advice, and C code that could not even make an exception a SystemError."""


def memory_ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, the processor's or a device's."""
    if isinstance(error, MemoryError):
        return True
    text = str(error) if isinstance(error, ImportError) else told(error)
    return any(sign in text for sign in _MEMORY_SIGNS)
