"""Descriptors 0, 1 and 2 as something that is open.

Where a process starts with one of them closed (`harness run … >&-`, a service), the next file or pipe that it opens
gets that number, and what a library prints goes into it.
"""

import os
import sys


def open_standard_streams() -> None:
    """Open what is closed of stdin, stdout and stderr on the null device."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(opened, True)
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115
