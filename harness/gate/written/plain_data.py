"""A gate's result as plain data, which `--json` writes and a webhook sends."""

from __future__ import annotations

from typing import Any

from harness.gate.judgment import GateResult, Judged


def as_json(result: GateResult) -> dict[str, Any]:
    """Everything, as plain data."""
    return {
        "verdict": result.verdict.value,
        "exit_code": int(result.exit_code),
        "reason": result.reason,
        "base": result.base,
        "head": result.head,
        "suite": result.suite,
        "alpha": result.alpha,
        "pass_alpha": result.pass_alpha,
        "tests": result.tests,
        "on_inconclusive": result.on_inconclusive,
        "judged": [_judged_json(row) for row in result.rows],
        "watched": [
            {
                **{"metric": row.metric, "unit": row.unit, "at": row.at, "base": row.base, "head": row.head},
                **{"change": row.change, "p": row.p, "q": row.q, "stands_out": row.is_found, "note": row.note},
            }
            for row in result.watched
        ],
        "changes": list(result.changes),
        "notes": list(result.notes),
    }


def _judged_json(row: Judged) -> dict[str, Any]:
    change = None if row.change is None else row.change._asdict()
    return {
        **{"verdict": row.verdict.value, "reason": row.reason, "role": row.role, "metric": row.metric},
        **{"unit": row.unit, "kind": row.kind.value, "at": row.at, "base": row.base, "head": row.head},
        **{"margin": row.margin, "worse_by": change, "smallest_seen": row.seen, "p": row.p, "details": row.details},
    }
