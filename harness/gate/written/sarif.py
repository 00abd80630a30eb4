"""A gate's result as SARIF 2.1.0 (OASIS, 2020), which code-scanning views read: a finding for all that did not pass, at
the line of the suite that asks for it.

Rules are the kinds of findings. GitHub shows a finding only if it has a location in the repository, so each has one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import harness
from harness import strict_json
from harness.comparison.metric_kind import Kind
from harness.errors import inert
from harness.gate.judgment import GateResult, Judged
from harness.gate.verdict import Verdict
from harness.gate.written.suite_lines import Line, SuiteLines, suite_lines
from harness.gate.written.tables import name_of

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class _Rule(NamedTuple):
    id: str
    level: str
    """error, warning or note."""
    says: str


_WORSE = {
    Kind.LOSS: _Rule("worse-loss", "error", "A loss grew by its margin or more."),
    Kind.SCORE: _Rule("worse-score", "error", "A score fell by its margin or more."),
    Kind.COUNT: _Rule("more-counted", "error", "Something that is counted grew, such as the bytes of the weights."),
    Kind.MEMORY: _Rule("more-memory", "error", "Peak memory grew by its margin or more."),
    Kind.TIME: _Rule("slower", "error", "Slower by the margin or more, confirmed by fresh launches."),
    Kind.OTHER: _Rule("worse", "error", "Worse by the margin or more."),
}
_BROKEN = _Rule("broken", "error", "A cell that worked in the base failed or is missing.")
_OTHER = {
    Verdict.USAGE: _Rule("usage", "error", "What was given can't be judged."),
    Verdict.BASELINE_MISSING: _Rule("baseline-missing", "error", "There is nothing to compare with."),
    Verdict.NOT_COMPARABLE: _Rule("not-comparable", "error", "Two different things were measured."),
    Verdict.INCONCLUSIVE: _Rule("inconclusive", "warning", "There is not enough evidence to decide."),
    Verdict.ACCEPTED: _Rule("accepted", "note", "A loss that was agreed to."),
    Verdict.MINOR: _Rule("minor", "note", "Worse for certain, by less than the margin."),
}
RULES = (*_WORSE.values(), _BROKEN, *_OTHER.values())


def sarif_of(result: GateResult, root: Path | None = None) -> str:
    """The JSON. root: the repository; None looks for it from the working folder upwards."""
    lines = suite_lines(result.suite)
    root = (root or _repository()).resolve()
    rows = [row for row in result.rows if row.verdict is not Verdict.PASS]
    if not any(row.verdict is result.verdict for row in rows) and result.verdict is not Verdict.PASS:
        rows.append(Judged(verdict=result.verdict, reason=result.reason, at={}, role="cell"))
    driver = {
        "name": "harness",
        "version": harness.__version__,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.says},
                "defaultConfiguration": {"level": rule.level},
            }
            for rule in RULES
        ],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {"executionSuccessful": result.verdict is not Verdict.USAGE, "exitCode": int(result.exit_code)}
        ],
        "results": [_finding(row, lines, root) for row in rows],
        "columnKind": "unicodeCodePoints",
        "properties": {"verdict": result.verdict.value, "base": inert(result.base), "head": inert(result.head)},
    }
    return strict_json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _finding(row: Judged, lines: SuiteLines, root: Path) -> dict[str, Any]:
    rule = _rule(row)
    found: dict[str, Any] = {
        "ruleId": rule.id,
        "ruleIndex": RULES.index(rule),
        "level": rule.level,
        "message": {"text": inert(f"{row.verdict.word} {name_of(row)}: {row.reason}")},
        "locations": [{"physicalLocation": _location(lines.of(row), root)}],
        "partialFingerprints": {"harnessGate/v1": _fingerprint(row)},
    }
    numbers = {"base": row.base, "head": row.head, "margin": row.margin, "unit": row.unit}
    if row.change is not None:
        numbers |= {"worse_by": row.change.value, "low": row.change.low, "high": row.change.high}
    found["properties"] = {name: value for name, value in numbers.items() if value is not None}
    if row.verdict is Verdict.ACCEPTED:
        found["suppressions"] = [{"kind": "external", "justification": inert(row.reason)}]
    return found


def _rule(row: Judged) -> _Rule:
    if row.verdict is not Verdict.FAIL:
        return _OTHER[row.verdict]
    return _BROKEN if row.role == "cell" or row.metric is None else _WORSE[row.kind]


def _location(line: Line, root: Path) -> dict[str, Any]:
    path = Path(line.file)
    if path.resolve().is_relative_to(root):
        path = path.resolve().relative_to(root)
    name = path.as_posix().lstrip("/")  # a file elsewhere has no place in the repository: its name is left
    place = {"uri": quote(name.encode("utf-8", "surrogateescape")), "uriBaseId": "%SRCROOT%"}
    return {"artifactLocation": place, "region": {"startLine": line.number}}


def _fingerprint(row: Judged) -> str:
    """What stays the same of a finding from commit to commit: what is judged, not by how much."""
    determined = strict_json.dumps([row.metric, row.role, dict(sorted(row.at.items()))])
    return hashlib.sha256(determined.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _repository() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
