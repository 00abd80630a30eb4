"""Gate results made by hand: one row of each verdict, with names that are hostile to XML, Markdown and JSON."""

from __future__ import annotations

from typing import Any

from harness.comparison.metric_kind import Kind
from harness.gate.judgment import GateResult, Judged
from harness.gate.verdict import Verdict, first_of
from harness.statistics.intervals import Interval

HOSTILE = "a|b`<script>alert(1)</script>@team & <!channel> ]]> \x00\x1b[31m\u202e\ufffe\ud800 ünï # [x](http://evil)"
AT = {"model": "nano", "precision": "int8", "measure": "perplexity", "text": "microworld/test"}


def row(verdict: Verdict, metric: str | None = "bits_per_byte", **more: Any) -> Judged:
    """A row of a verdict."""
    asked = {"at": dict(AT), "kind": Kind.LOSS, "base": 1.0, "head": 1.03, "margin": 0.01, "unit": "bits/byte"}
    asked |= {"change": Interval(0.03, 0.02, 0.04, 60), "reason": f"{metric}: +3 %"}
    return Judged(verdict=verdict, metric=metric, **(asked | more))


def result(*rows: Judged, **more: Any) -> GateResult:
    """The result of these rows."""
    verdict = first_of(one.verdict for one in rows)
    asked: dict[str, Any] = {"base": "main-run", "head": "head-run", "suite": "suite.yaml"}
    asked |= {"verdict": verdict, "reason": "1 of 2: worse"} | more
    return GateResult(rows=rows, watched=(), changes=("commit: a and b",), notes=(), **asked)


def every() -> GateResult:
    """One row of each verdict, one of them hostile, and a cell that broke."""
    rows = [row(verdict, f"m_{verdict.name.lower()}") for verdict in Verdict]
    rows.append(row(Verdict.FAIL, None, role="cell", change=None, base=None, head=None))
    rows.append(row(Verdict.FAIL, HOSTILE, reason=HOSTILE, at={"model": HOSTILE, "measure": "perplexity"}))
    return result(*rows, base=HOSTILE, head="head-run")
