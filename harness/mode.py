"""In which of two ways tasks are asked, answered and judged."""

from __future__ import annotations

from typing import Literal

Mode = Literal["right", "lm-eval"]
"""right: what is sound. lm-eval: what lm-evaluation-harness 0.4.13 does, also where that differs."""
