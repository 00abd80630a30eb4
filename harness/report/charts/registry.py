"""Every chart by name, with what it shows. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.report.charts import answers, scaling_law, speed, tradeoff
from harness.results.run import Run

CHARTS: dict[str, tuple[Callable[[Run], Any], str]] = {
    "tradeoff": (tradeoff.tradeoff, tradeoff.ABOUT),
    "scaling_law": (scaling_law.scaling_law, scaling_law.ABOUT),
    "speed": (speed.speed, speed.ABOUT),
    "answers": (answers.answers, answers.ABOUT),
}
"""Name -> (run -> altair chart, or None where the run has nothing for it; what it shows)."""
