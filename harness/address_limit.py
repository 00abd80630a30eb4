"""Where the system limits how many addresses a process may have (`ulimit -v`).

OpenBLAS, which numpy and scipy bring along, takes its buffers when it is loaded, and where there is no room for them it
ends the process or tries again for ever. So where there is a limit it is loaded first, while there is room, and with
one thread's buffers; and a limit below which nothing can be loaded is an error.
"""

from __future__ import annotations

import os
import resource

from harness.errors import UserError

LEAST = 256 << 20
"""Bytes: numpy and scipy with one thread load in 200 MB."""
MANY = 16 << 30
"""Bytes: beyond this every library has loaded long before addresses run short."""


def load_within_limit() -> None:
    """Load numpy and scipy now, if addresses are limited. Raises UserError where the limit is too low for them."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit > MANY:
        return
    if limit < LEAST:
        raise UserError(
            f"this process may have {limit >> 20} MiB of addresses (ulimit -v), and the libraries take {LEAST >> 20} "
            "MiB: raise the limit"
        )
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy  # noqa: F401
    import scipy.special  # noqa: F401
