"""What the harness says when its input is wrong.

Every mistake that a user can make ends as one `UserError`: one clear sentence with the place and the
mend. The command line prints it and exits with `EXIT_USAGE`; nothing else in the house prints errors.
"""

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command."""

    PASS = 0
    UNMET = 1
    USAGE = 2
    INCONCLUSIVE = 3
    NOT_COMPARABLE = 4
    BASELINE_MISSING = 5


class UserError(Exception):
    """Bad input or a missing piece: says where it is and how to mend it.

    `place` is a file, a `file:line` or an option; it is put before the message.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, place: str | None = None) -> None:
        self.message = message
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class Unsupported(Exception):
    """A measure can't serve this model at this point of the matrix: becomes a `skipped` record with this reason."""


def disk_is_full(error: BaseException) -> bool:
    """Whether an error says that the disk is full, or a quota used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
