"""The boundary of the command line: every exception of a command arrives here, and leaves as one sentence and an exit
code. Nothing else in the house prints errors."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

from harness.address_limit import load_within_limit
from harness.cli.output import Output, wrap
from harness.errors import INTERRUPTED, ExitCode, UserError, memory_ran_out, no_room, printable, told, unexpected
from harness.standard_streams import open_standard_streams


def main() -> None:
    """Entry point of the `harness` command: runs it and exits with its code."""
    open_standard_streams()
    try:
        code = _last_flush(_code())
    except _MemoryRanOut:
        _leave(_last_flush(ExitCode.USAGE))
    except MemoryError:  # not even enough to say so
        os.write(2, b"error: memory ran out: ask for less at once, or free some\n")
        _leave(ExitCode.USAGE)
    except KeyboardInterrupt:
        _end_at_once_from_now_on()
        _say("interrupted")
        code = _last_flush(INTERRUPTED)
    _end_at_once_from_now_on()  # what Python does at its end would be a traceback if it were interrupted
    sys.exit(code)


class _MemoryRanOut(Exception):
    """Memory ran out, and that was said."""


def _leave(code: int) -> NoReturn:
    """End at once: libraries that can't have memory crash in what they do at their end."""
    os._exit(code)


def _code() -> int:
    """Run the command; its exit code, once what it has to say was said."""
    try:
        _run()
    except SystemExit as ended:  # as typer ends
        if ended.code == INTERRUPTED:
            raise KeyboardInterrupt from None
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # those of compiled libraries, too, which are no `Exception`
        _say(f"error: {sentence(error)}")
        if not isinstance(error, UserError) and memory_ran_out(error):
            raise _MemoryRanOut from None
        return error.exit_code if isinstance(error, UserError) else ExitCode.USAGE
    return ExitCode.PASS


def _end_at_once_from_now_on() -> None:
    """A second Ctrl-C or `kill`, while the first one ends the command, ends it without a word."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.default_int_handler:
            signal.signal(number, lambda number, frame: os._exit(INTERRUPTED))


def _run() -> None:
    from harness.cli.console import take_every_character

    take_every_character()
    load_within_limit()
    from harness.cli.app import app

    app()


def sentence(error: BaseException) -> str:
    """What a person reads in place of an exception. The traceback of one that nobody foresaw goes to a file that the
    sentence names."""
    if isinstance(error, UserError):
        return printable(str(error))
    if memory_ran_out(error):
        return f"memory ran out ({told(error)}): ask for less at once, or free some; {_kept(error)}"
    if (why := no_room(error)) is not None:
        return f"{told(error)}: {why}; {_kept(error)}"
    if isinstance(error, PermissionError) and error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
        why = "this user has no permission for it: change its rights, or give another path"
        return f"{printable(name)}: {why}; {_kept(error)}"
    if isinstance(error, OSError) and error.strerror:  # of the disk or the system
        return f"{told(error)}; {_kept(error)}"
    return unexpected("running this command", error, f"this is a fault of the harness; {_kept(error)}")


def _kept(error: BaseException) -> str:
    """Write the traceback to a file; says where it is."""
    text = printable(f"{shlex.join(sys.argv)}\n{''.join(traceback.format_exception(error))}")
    for folder in (_log_folder, _folder_of_its_own):
        try:
            log = folder() / "traceback.txt"
            log.write_text(text, encoding="utf-8")
        except (OSError, UserError):
            continue
        return f"the traceback is in {log}"
    return "its traceback could not be written to a file"


def _log_folder() -> Path:
    from harness.cache import cache_folder

    return cache_folder("log")


def _folder_of_its_own() -> Path:
    return Path(tempfile.mkdtemp(prefix="harness-"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _last_flush(code: int) -> int:
    """Write what is still held; a command that went well and whose output was lost did not go well."""
    output = wrap("stdout")
    output.flush()
    if output.lost is not None and code == ExitCode.PASS:
        _say(f"error: what was printed could not be written ({output.lost.strerror}); everything else was done")
        code = ExitCode.USAGE
    if isinstance(sys.stderr, Output):
        sys.stderr.flush()
    return code
