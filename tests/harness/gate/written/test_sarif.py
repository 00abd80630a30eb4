"""SARIF 2.1.0: valid by the schema of OASIS where it is there, and found at the line of the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.gate.judgment import GateResult
from harness.gate.verdict import Verdict
from harness.gate.written.sarif import RULES, sarif_of
from harness.gate.written.suite_lines import suite_lines
from tests.harness.gate.results import AT, HOSTILE, every, result, row

SCHEMAS = Path(__file__).parents[3] / "recipes/node_modules/@microsoft/jest-sarif/lib/schemas"
SUITE = """name: mine
models: {nano: {reference: nano}}
measures: [perplexity]
gate:
  - {metric: bits_per_byte, where: {precision: fp32}}
  - metric: bits_per_byte
    where: {precision: int8}
  - {metric: decode_rate, guarded_by: [accuracy]}
calls:
  softmax: {call: "kernels:softmax"}
"""


def made(one: GateResult, root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sarif_of(one, root))
    return found


def where(one: dict[str, Any]) -> tuple[str, int]:
    place = one["locations"][0]["physicalLocation"]
    return place["artifactLocation"]["uri"], place["region"]["startLine"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner folder").mkdir()
    (tmp_path / "inner folder/suite.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path / "inner folder")
    return tmp_path


def test_what_passed_is_no_finding_and_all_else_is_one(project: Path) -> None:
    run = made(every(), project)["runs"][0]
    found = {one["message"]["text"].split(" (")[0]: one for one in run["results"]}
    assert found["FAIL m_fail"]["ruleId"] == "worse-loss" and found["FAIL m_fail"]["level"] == "error"
    assert found["INCONCLUSIVE m_inconclusive"]["level"] == "warning" and found["MINOR m_minor"]["level"] == "note"
    assert found["ACCEPTED m_accepted"]["suppressions"][0]["kind"] == "external"
    assert "broken" in {one["ruleId"] for one in run["results"]}
    assert not any("m_pass" in text for text in found)
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    assert run["invocations"][0]["exitCode"] == 1
    prints = [one["partialFingerprints"]["harnessGate/v1"] for one in run["results"]]
    assert len(set(prints)) == len(prints), "else a view takes two for one"


def test_a_finding_lies_at_the_line_that_asks_for_it(project: Path) -> None:
    rows = [
        row(Verdict.FAIL),
        row(Verdict.FAIL, at=AT | {"precision": "fp32"}),
        row(Verdict.FAIL, "accuracy", role="guard"),
        row(Verdict.FAIL, "time", at={"call": "softmax"}),
        row(Verdict.FAIL, "of nobody"),
        row(Verdict.FAIL, None, role="cell", at={}),
    ]
    found = [where(one) for one in made(result(*rows), project)["runs"][0]["results"]]
    assert found == [("inner%20folder/suite.yaml", line) for line in (6, 5, 8, 10, 4, 1)]


def test_a_suite_that_ships_or_is_gone_still_has_a_place(project: Path) -> None:
    at = {"model": "micro", "precision": "int4", "measure": "memory"}
    text = (Path(__file__).parents[4] / "suites/ci.yaml").read_text()
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "metric: weight_bytes" in one)
    assert suite_lines("suites/ci.yaml").of(row(Verdict.FAIL, "weight_bytes", at=at)) == ("suites/ci.yaml", line)
    for name, uri in (("gone.yaml", "inner%20folder/gone.yaml"), ("", "inner%20folder/suite"), ("/etc/x", "etc/x")):
        (found,) = made(result(row(Verdict.FAIL), suite=name), project)["runs"][0]["results"]
        assert where(found) == (uri, 1)


def test_a_verdict_without_rows_is_a_finding(project: Path) -> None:
    (found,) = made(result(verdict=Verdict.BASELINE_MISSING, reason="no such revision"), project)["runs"][0]["results"]
    assert found["ruleId"] == "baseline-missing" and "no such revision" in found["message"]["text"]


def check(sarif: dict[str, Any]) -> list[str]:
    """What the schema of OASIS says is wrong."""
    jsonschema = pytest.importorskip("jsonschema")
    files = sorted(SCHEMAS.glob("sarif-2.1.0*.json"))
    if not files:
        pytest.skip("the schema is not there: `npm ci` in tests/recipes brings it")
    schema = json.loads(files[-1].read_text(encoding="utf-8"))
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(sarif)]


def test_it_is_valid_by_the_schema_which_finds_what_is_wrong(project: Path) -> None:
    sarif = made(every(), project)
    assert check(sarif) == []
    for spoil in (
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0].pop("message"),
        lambda run: run["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
        lambda run: run["tool"].pop("driver"),
    ):
        wrong = made(every(), project)
        spoil(wrong["runs"][0])
        assert check(wrong) != []


def test_hostile_names_are_shown_and_act_on_nothing(project: Path) -> None:
    text = sarif_of(every(), project)
    assert "\x1b" not in text and "\u202e" not in json.loads(text)["runs"][0]["properties"]["base"]
    assert HOSTILE[:6] in text and len({rule.id for rule in RULES}) == len(RULES)
