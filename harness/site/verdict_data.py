"""Verdicts and what they rest on, as plain data: whatever a file of the history says under a name, of no other kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from harness import strict_json
from harness.history.verdict import KeptVerdict
from harness.site.ab_data import SHOWN, ab_table
from harness.site.plain import listed, mapping, number, text
from harness.site.script_file import ScriptFile, script_file

VERDICTS_OF_A_FILE = 20

_JUDGED = ("verdict", "reason", "role", "metric", "unit", "kind")
_NUMBERS = ("base", "head", "margin", "smallest_seen", "p")
_SHOWN_APART = {"judged", "watched", "changes", "notes", "verdict", "reason", "reasons"}


def verdict_files(verdicts: Sequence[KeptVerdict]) -> list[ScriptFile]:
    """The evidence, some verdicts a file; verdict number n is in file n // `VERDICTS_OF_A_FILE`."""
    return [
        script_file(
            f"verdicts-{start // VERDICTS_OF_A_FILE}",
            [
                [start + place, _evidence(one.kind, one.said)]
                for place, one in enumerate(verdicts[start:][:VERDICTS_OF_A_FILE])
            ],
        )
        for start in range(0, len(verdicts), VERDICTS_OF_A_FILE)
    ]


def verdict_columns(verdicts: Sequence[KeptVerdict]) -> dict[str, list[Any]]:
    """What the list of verdicts shows."""
    return {
        "id": [one.digest[:16] for one in verdicts],
        "kind": [one.kind for one in verdicts],
        "suite": [one.suite for one in verdicts],
        "run": [one.run for one in verdicts],
        "run_id": [one.run_id for one in verdicts],
        "time": [int(one.time.timestamp()) for one in verdicts],
        "commit": [one.commit for one in verdicts],
        "base": [one.base for one in verdicts],
        "base_run": [text(mapping(one.said).get("base")) for one in verdicts],
        "branch": [one.branch for one in verdicts],
        "verdict": [one.verdict for one in verdicts],
        "exit_code": [one.exit_code for one in verdicts],
        "reason": [one.reason for one in verdicts],
    }


def _evidence(kind: str, said: Any) -> dict[str, Any]:
    said = mapping(said)
    table = ab_table(said) if kind == "ab" else []
    shown = _SHOWN_APART | (SHOWN if table else set())
    reasons = [one for one in listed(said.get("reasons")) if isinstance(one, str)]
    return {
        "reasons": reasons,
        "judged": [_judged(one) for one in map(mapping, listed(said.get("judged")))],
        "watched": [_watched(one) for one in map(mapping, listed(said.get("watched")))],
        "changes": [str(one) for one in listed(said.get("changes"))],
        "notes": [str(one) for one in listed(said.get("notes"))],
        "table": table,
        "facts": _pairs({name: value for name, value in said.items() if name not in shown}),
    }


def _judged(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: text(row.get(name)) for name in _JUDGED},
        **{name: number(row.get(name)) for name in _NUMBERS},
        "worse_by": _interval(row.get("worse_by")),
        "at": _pairs(mapping(row.get("at"))),
        "details": _pairs(mapping(row.get("details"))),
    }


def _watched(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: text(row.get(name)) for name in ("metric", "unit", "note")},
        **{name: number(row.get(name)) for name in ("base", "head", "change", "p", "q")},
        "stands_out": int(row.get("stands_out") is True),
        "at": _pairs(mapping(row.get("at"))),
    }


def _interval(value: Any) -> list[float | None]:
    """`value, low, high`."""
    of = mapping(value)
    return [number(of.get(name)) for name in ("value", "low", "high")]


def _pairs(of: Mapping[str, Any], within: str = "") -> list[list[str]]:
    """Name and value as texts, what is within another under both names: `outputs.tolerance`."""
    found: list[list[str]] = []
    for name, value in of.items():
        if isinstance(value, Mapping):
            found += _pairs(value, f"{within}{name}.")
        elif value not in (None, "", []) and not _is_place(value):
            found.append([f"{within}{name}", value if isinstance(value, str) else _written(value)])
    return found


def _is_place(value: Any) -> bool:
    """Whether it says where something lay on the machine, which is nobody's business who reads a site."""
    return isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute())


def _written(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        value = float(f"{value:.6g}")
    if isinstance(value, list):
        return ", ".join(one if isinstance(one, str) else _written(one) for one in value)
    return strict_json.dumps(value, ensure_ascii=False)
