"""Other ways to end a command that leave what Ctrl-C does: a run that can be resumed, or the verdict so far."""

from __future__ import annotations

import signal


def as_ctrl_c() -> None:
    """From here on `kill`, and a terminal that is closed, end the command as Ctrl-C does. What is ignored stays so:
    `nohup` ignores the second."""
    for name in ("SIGTERM", "SIGHUP"):
        ending = getattr(signal, name, None)
        if ending is not None and signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)
