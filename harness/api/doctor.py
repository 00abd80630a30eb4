"""`harness.doctor`: what this machine is, what it can do, and what is missing."""

from __future__ import annotations

from harness.execution.doctor import Examination as Examination
from harness.execution.doctor import examine
from harness.execution.events import OnEvent, unheard


def doctor(*, measure: bool = True, on_event: OnEvent = unheard) -> Examination:
    """Examine this machine: its fingerprint, its peaks, the cache, the fences, and packages that are missing.

    measure: whether to measure the peaks where they are not known (a few seconds). Nothing is printed.
    """
    return examine(measure=measure, on_event=on_event)
