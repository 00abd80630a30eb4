"""What measures say that their cells would take."""

from __future__ import annotations

from typing import Any

import pytest

from harness.measures.cost import Pace, Passes
from harness.measures.registry import MEASURES
from harness.models.shape import ModelShape

PACE = Pace(start=3.0, flops_per_token=100.0, rate=1000.0, read=0.25)
"""A tenth of a second per token; a quarter to read the weights once."""

SHAPE = ModelShape(
    vocabulary=100, context=300, layers=1, width=8, ffn_width=32, heads=1, kv_heads=1, head_width=8,
    attention="fused", plain_head=True,
)  # fmt: skip

TEXT = {"text": "t", "documents": 3, "document_bytes": 40}
"""60 tokens, as windows overlap by half."""


def settings(measure: str, given: dict[str, Any]) -> Any:
    return MEASURES[measure].settings.model_validate(given)


@pytest.mark.parametrize(
    ("measure", "given", "seconds"),
    [
        ("perplexity", TEXT, 3 + 6),
        ("fidelity", TEXT, 3 + 12),
        ("memory", {"context": 20, "batch": 2}, 3 + 4),
        ("inference", {"prompt": 10, "generate": 4, "iterations": 2, "warmup": 1}, 3 + 3 * (1 + 4 * 0.25)),
        ("inference", {"prompt": 10, "generate": 4, "iterations": 1, "warmup": 0, "batch": 5}, 3 + 5 + 4 * 0.5),
        ("inference", {"prompt": 10, "generate": 4, "iterations": 1, "warmup": 0, "launches": 3}, 3 * (3 + 2)),
        ("kv_cache", {}, None),
        ("training", {}, None),
    ],
)
def test_seconds(measure: str, given: dict[str, Any], seconds: float | None) -> None:
    assert MEASURES[measure].seconds(settings(measure, given), PACE) == (
        None if seconds is None else pytest.approx(seconds)
    )


@pytest.mark.parametrize(
    ("measure", "given", "passes"),
    [
        ("perplexity", {"text": "t"}, Passes(1800, 300)),
        ("perplexity", {"text": "t", "window": 3000, "stride": 1}, Passes(3000, 3000)),
        ("fidelity", {"text": "t", "window": 100}, Passes(2000, 100, 0, "fp32")),
        ("in_context", {"text": "t", "tokens": 64}, Passes(2048, 64)),
        ("inference", {"prompt": 10, "generate": 4, "batch": 2}, Passes(20, 10, 28)),
        ("memory", {"context": 20, "batch": 2}, Passes(40, 20, 40)),
        ("kv_cache", {"generate": 50}, Passes(50, 50, 50)),
        ("diversity", {"text": "t", "prompt": 16, "generate": 4}, Passes(256, 16, 320)),
        ("diversity", {"text": "t", "prompt": 3000, "generate": 4}, Passes(3000, 3000, 16 * 3004)),
        ("task", {"task": "t"}, Passes(300, 300, 600)),
        ("activations", {"text": "t"}, Passes(300, 300)),
        ("training", {}, Passes(300, 300)),
    ],
)
def test_passes(measure: str, given: dict[str, Any], passes: Passes) -> None:
    assert MEASURES[measure].passes(settings(measure, given), SHAPE) == passes
