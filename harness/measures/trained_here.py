"""Times of a training that was done before: what they are worth on this machine, now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.errors import Unsupported
from harness.results.conditions import QUIET

if TYPE_CHECKING:
    import pandas as pd

    from harness.models.training_evidence import Evidence


def others_beside(evidence: Evidence, folder: str) -> float | None:
    """The share of the cores that other programs took meanwhile; None where that isn't known.

    Raises Unsupported where it was another class of machine, or had other threads.
    """
    import torch

    from harness.results.conditions import others_share
    from harness.results.fingerprint import fingerprint

    threads = torch.get_num_threads()
    if evidence.threads != threads:
        raise Unsupported(
            f"this model was trained with {evidence.threads} threads, not {threads}: to time it, delete "
            f"{folder} and run again"
        )
    if evidence.worker_class != fingerprint().class_id:
        raise Unsupported(
            "this model was trained on another machine or with other libraries: to time it here, delete "
            f"{folder} and run again"
        )
    return others_share(evidence.before, evidence.after, os.cpu_count() or 1)


def of_reports(samples: pd.DataFrame, reports: int, *, is_interval: bool) -> str:
    """How the interval of a median over reports came about, in words. samples: with `others_share`."""
    how = (
        "order statistics of reports (lacks the variance between trainings)"
        if is_interval
        else f"none: {reports} reports"
    )
    others = float(samples["others_share"].iloc[0] or 0.0) if "others_share" in samples else 0.0
    return how + (f"; trained while others took {others:.0%} of the cores" if others > QUIET else "")
