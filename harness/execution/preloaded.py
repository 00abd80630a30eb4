"""What the fork server imports once, so that no worker has to: the modules that `HARNESS_PRELOADED` names.

The fork server itself takes names too, and ends where memory is too short to import one of them. Here the rest is
left out, and the worker that needs it says why it can't be had.

The fingerprint of the machine is taken here too: workers inherit it, each of which is pinned to some of the cores. And
so is what was imported, as it is on the disk now: a file that is edited later is not what workers run.

Ctrl-C reaches the whole group: the server ignores it once it serves, and from here on, as importing takes seconds.
"""

import contextlib
import importlib
import os
import signal

from harness.address_limit import load_within_limit
from harness.execution.imported import imported_packages
from harness.results.fingerprint import fingerprint

signal.signal(signal.SIGINT, signal.SIG_IGN)
with contextlib.suppress(Exception):
    load_within_limit()
    for _name in os.environ.get("HARNESS_PRELOADED", "").split():
        importlib.import_module(_name)
    fingerprint()
    imported_packages()
