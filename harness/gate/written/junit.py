"""A gate's result as JUnit's XML: one test for each row that was judged, for GitLab, Jenkins, Buildkite and others.

A FAIL is a failure with its sentence; what can't be judged (USAGE, NOT COMPARABLE, BASELINE MISSING) is an error; an
INCONCLUSIVE is skipped with its reason, unless `--on-inconclusive fail` makes a failure of it. Elements and attributes
are those that Jenkins' junit-10.xsd and GitLab's reader share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from harness.errors import inert
from harness.evidence.selection import describe
from harness.gate.judgment import GateResult, Judged
from harness.gate.verdict import Verdict
from harness.gate.written.tables import change_text, margin_text, name_of
from harness.number import with_interval

NAME = "harness gate"
_STATES = {
    Verdict.FAIL: "failure",
    Verdict.USAGE: "error",
    Verdict.NOT_COMPARABLE: "error",
    Verdict.BASELINE_MISSING: "error",
    Verdict.INCONCLUSIVE: "skipped",
}


def junit_of(result: GateResult, *, seconds: float = 0.0, now: datetime | None = None) -> str:
    """The XML. seconds: what measuring took in all. now: when it was judged."""
    cases = [_case(result, row, name) for row, name in zip(result.rows, _names(result.rows), strict=True)]
    if not any(row.verdict is result.verdict for row in result.rows) and result.verdict is not Verdict.PASS:
        cases.append(_case(result, _whole(result), "verdict"))
    told = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    counts = {name: sum(case.find(name) is not None for case in cases) for name in ("failure", "error", "skipped")}
    numbers = {
        **{"tests": str(len(cases)), "failures": str(counts["failure"]), "errors": str(counts["error"])},
        "time": f"{seconds:.3f}",
    }
    root = ET.Element("testsuites", {"name": NAME, **numbers})
    suite = ET.SubElement(
        root, "testsuite", {"name": NAME, **numbers, "skipped": str(counts["skipped"]), "timestamp": told}
    )
    facts = {"verdict": result.verdict.word, "base": result.base, "head": result.head, "suite": result.suite}
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    suite.extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(result: GateResult, row: Judged, name: str) -> ET.Element:
    kind = str(row.at.get("measure") or ("calls" if "call" in row.at else "run"))
    case = ET.Element("testcase", {"classname": f"harness.{_text(kind)}", "name": _text(name), "time": "0.000"})
    state = _STATES.get(row.verdict)
    if row.verdict is Verdict.INCONCLUSIVE and result.on_inconclusive == "fail":
        state = "failure"
    if state is not None:
        attributes = {"message": _text(f"{row.verdict.word}: {row.reason}")}
        if state != "skipped":
            attributes["type"] = row.verdict.word
        ET.SubElement(case, state, attributes).text = _text(row.reason)
    ET.SubElement(case, "system-out").text = "\n".join(_text(line) for line in _lines(row))
    return case


def _lines(row: Judged) -> Iterator[str]:
    yield f"{row.verdict.word}: {row.reason}"
    if row.base is not None or row.head is not None:
        yield f"base {with_interval(row.base, None, None, row.unit)}"
        yield f"head {with_interval(row.head, None, None, row.unit)}"
    if row.change is not None:
        yield f"worse by {change_text(row.change, row.kind)} (margin {margin_text(row.margin, row.kind)})"
    yield describe({name: value for name, value in row.at.items() if value is not None})


def _names(rows: Sequence[Judged]) -> list[str]:
    """A name for each row that no other has: what a CI shows two tests of one name as is one of them."""
    short = [f"{name_of(row)}{' as a guard' if row.role == 'guard' else ''}" for row in rows]
    twice = Counter(short)
    whole = [
        f"{name}: {describe({key: value for key, value in row.at.items() if value is not None})}"
        if twice[name] > 1
        else name
        for name, row in zip(short, rows, strict=True)
    ]
    seen: Counter[str] = Counter()
    names = []
    for name in whole:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _whole(result: GateResult) -> Judged:
    return Judged(verdict=result.verdict, reason=result.reason, at={}, role="cell")


def _text(text: str) -> str:
    """Text that XML can hold: of control characters it has but tab and line breaks, and not the last two of 16 bits."""
    return inert(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
