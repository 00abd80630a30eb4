"""JUnit's XML as Jenkins' junit-10.xsd and GitLab's reader take it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from harness.gate.judgment import GateResult
from harness.gate.verdict import Verdict
from harness.gate.written.junit import junit_of
from tests.harness.gate.results import every, result, row

NOW = datetime(2026, 11, 30, 14, 52, tzinfo=UTC)
ALLOWED = {  # of junit-10.xsd: attributes, and elements inside
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
        {"properties", "testcase"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "time", "classname"}, {"skipped", "error", "failure", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


def mistakes(root: ET.Element) -> list[str]:
    """What is not as the schema has it, and counts that are none."""
    found = []
    for element in root.iter():
        attributes, inside = ALLOWED.get(element.tag, (set(), set()))
        if element.tag not in ALLOWED or not set(element.attrib) <= attributes:
            found.append(f"{element.tag} {sorted(element.attrib)}")
        found += [f"{child.tag} in {element.tag}" for child in element if child.tag not in inside]
        if "time" in element.attrib and not re.fullmatch(r"[0-9]*(\.[0-9]*)?", element.attrib["time"]):
            found.append(f"time {element.attrib['time']}")
    (suite,) = root
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        if suite.attrib[name] != str(sum(case.find(tag) is not None for case in cases)):
            found.append(name)
    if suite.attrib["tests"] != str(len(cases)):
        found.append("tests")
    if len({case.attrib["name"] for case in cases}) < len(cases):
        found.append("two of one name")
    return found


def parsed(one: GateResult) -> ET.Element:
    return ET.fromstring(junit_of(one, seconds=12.5, now=NOW))


def test_each_row_is_a_test_and_its_verdict_decides() -> None:
    root = parsed(every())
    assert mistakes(root) == []
    states = {
        case.attrib["name"].partition(" ")[0]: [child.tag for child in case if child.tag != "system-out"]
        for case in root.iter("testcase")
    }
    assert states["m_fail"] == ["failure"] and states["m_inconclusive"] == ["skipped"]
    assert states["m_usage"] == states["m_not_comparable"] == states["m_baseline_missing"] == ["error"]
    assert states["m_pass"] == states["m_minor"] == states["m_accepted"] == []
    (suite,) = root
    assert suite.attrib["timestamp"] == "2026-11-30T14:52:00" and suite.attrib["time"] == "12.500"
    (failure,) = [one for one in root.iter("failure") if "m_fail" in str(one.text)]
    assert failure.attrib == {"message": "FAIL: m_fail: +3 %", "type": "FAIL"}


def test_the_check_of_the_schema_finds_what_is_wrong() -> None:
    root = parsed(every())
    next(root.iter("testcase")).set("seconds", "1")
    ET.SubElement(next(root.iter("testcase")), "passed")
    root[0].set("failures", "0")
    assert mistakes(root) == [
        "testcase ['classname', 'name', 'seconds', 'time']",
        "passed in testcase",
        "passed []",
        "failures",
    ]


def test_an_inconclusive_row_is_what_the_exit_code_is() -> None:
    for policy, tag in ((None, "skipped"), ("pass", "skipped"), ("fail", "failure")):
        (case,) = parsed(result(row(Verdict.INCONCLUSIVE), on_inconclusive=policy)).iter("testcase")
        assert case.find(tag) is not None, policy


def test_two_rows_of_one_name_are_two_tests() -> None:
    rows = [row(Verdict.PASS), row(Verdict.PASS), row(Verdict.PASS, at={"model": "nano", "window": 5})]
    root = parsed(result(*rows, row(Verdict.PASS, role="guard")))
    assert mistakes(root) == [] and len(list(root.iter("testcase"))) == 4


@pytest.mark.parametrize("verdict", [Verdict.USAGE, Verdict.BASELINE_MISSING, Verdict.NOT_COMPARABLE])
def test_a_verdict_without_rows_is_an_error_and_no_empty_green_list(verdict: Verdict) -> None:
    root = parsed(result(verdict=verdict, reason="there is no such revision"))
    (case,) = root.iter("testcase")
    assert mistakes(root) == [] and case.attrib["name"] == "verdict"
    assert case.find("error") is not None
