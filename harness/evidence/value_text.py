"""Values of axes and settings, as a person reads them."""

from __future__ import annotations

from harness.number import NOTHING
from harness.results.record import Scalar


def label(name: str, value: Scalar) -> str:
    """A setting as words: `batch 8`, `bos yes`."""
    return f"{name.replace('_', ' ')} {text(value)}"


def text(value: Scalar) -> str:
    """A value of an axis or a setting."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and abs(value) >= 1e6:  # FLOPs: nobody counts zeros
        return f"{value:.4g}"
    return NOTHING if value is None else f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)
