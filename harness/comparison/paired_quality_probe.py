"""What a probe's samples tell beside its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from harness.comparison.paired_quality import PairedQuality


def is_probe(base: pd.DataFrame, head: pd.DataFrame) -> bool:
    """Whether both are samples of the measure `probe`."""
    return "top_ids" in base and "top_ids" in head


def probe_verdict(
    base: pd.DataFrame, head: pd.DataFrame, verdict: PairedQuality, kl_margin: float | None
) -> PairedQuality:
    """The verdict with what the distributions and the continuations say."""
    return verdict
