"""Every JSON that is written is JSON, and every float that is read back is the one that was written."""

from __future__ import annotations

import ast
import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
import reference_impl
from harness import strict_json
from harness.report.html import _json_in_script
from harness.results.finding import ExpectationOutcome, Finding, Outcome
from harness.results.journal import json_list
from harness.results.record import CellResult, Direction, Measurement, Metric, Record, Status
from harness.results.run import Run

FLOATS = (math.nan, math.inf, -math.inf, 0.1, -0.0, 5e-324, 1.7976931348623157e308)


def refuse(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def read_strictly(text: str) -> Any:
    return json.loads(text, parse_constant=refuse)


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return bits(a) == bits(b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_written_is_json_and_the_same_is_read(value: Any) -> None:
    text = strict_json.dumps(value)
    read_strictly(text)
    assert same(strict_json.loads(text), value)
    assert same(strict_json.loads(text.encode()), value)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "$float", ""])
def test_a_text_that_looks_like_a_number_stays_text(word: str) -> None:
    for value in (word, {"$float": f"{word}?"}, {"$float": word, "more": math.nan}):
        assert same(strict_json.loads(strict_json.dumps(value)), value)


def test_files_of_earlier_versions_are_read() -> None:
    found = strict_json.loads('{"a": [NaN, Infinity, -Infinity]}')["a"]
    assert math.isnan(found[0]) and found[1:] == [math.inf, -math.inf]


def test_a_chart_has_null_where_there_is_no_number() -> None:
    text = _json_in_script({"values": [{"x": math.nan, "y": (1.0, -math.inf)}]})
    assert read_strictly(text) == {"values": [{"x": None, "y": [1.0, None]}]}


METRIC = Metric(name="m", unit="s", direction=Direction.LOWER, definition="d")


@pytest.mark.parametrize("value", FLOATS)
def test_every_model_of_results_is_read_back_bit_for_bit(value: float) -> None:
    record = Record(key="k", model="m", measure="task", value=value, low=value, high=value)
    cell = CellResult(
        key="k",
        model="m",
        measure="task",
        axes={},
        settings={},
        status=Status.OK,
        records=[record],
        conditions={"launches": [{"load": [value, {"x": value}]}]},
        seconds=value,
    )
    finding = Finding(analysis="a", name="n", value=value, low=value, data={"x": [value, "NaN"], "y": {"z": value}})
    outcome = ExpectationOutcome(expectation="e", subject={}, outcome=Outcome.MET, value=value, high=value)
    for item in (record, cell, finding, outcome, Measurement(metric=METRIC, value=value)):
        read_strictly(item.model_dump_json())
        again = type(item).model_validate_json(item.model_dump_json())
        assert same(again.model_dump(), item.model_dump())
        (listed,) = read_strictly(json_list([item]))
        assert same(type(item).model_validate(listed).model_dump(), item.model_dump())
    old = json.dumps(record.model_dump(mode="json"))  # with the bare words
    assert same(Record.model_validate_json(old).model_dump(), record.model_dump())


def test_a_run_with_numbers_that_are_none_is_strict_and_read_as_floats(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))  # others break entries of the one that they share
    path = tmp_path / "never.yaml"
    path.write_text(
        f"name: never\nmodels:\n  n: {{reference: nano, train: {{corpus: {story}, tokens: 2000, vocabulary: 300, "
        "context: 64, batch: 4}}\nmatrix: {threads: 1, device: cpu}\nmeasures:\n  - training: {target_loss: 0.0001}\n"
    )
    first = harness.run(str(path), out=tmp_path / "runs")
    again = harness.run(str(path), out=tmp_path / "runs")
    for run in (first, again, Run(first.folder)):
        reached = run.records.query("metric == 'tokens_to_target'").iloc[0]
        assert reached["value"] == math.inf and reached["high"] == math.inf and math.isfinite(reached["low"])
        assert run.records["value"].dtype == "float64"
    files = [
        file for folder in (tmp_path / "runs", tmp_path / "cache") for file in folder.rglob("*.json*") if file.is_file()
    ]
    assert len(files) > 6
    for file in files:
        text = file.read_text(encoding="utf-8")
        for part in text.splitlines() if file.suffix == ".jsonl" else [text]:
            read_strictly(part)


MESSAGES = "harness/tasks/programs/channel.py"
"""Messages between two processes of ours, which are never kept: a program's floats go as they are."""


def test_nothing_writes_json_by_itself() -> None:
    """Every `json.dumps` of the packages refuses what is no JSON, and no model writes the bare words."""
    for package in (harness, reference_impl):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert 'ser_json_inf_nan="constants"' not in text, path
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if ast.unparse(node.func) in ("json.dumps", "json.dump"):
                    strict = any(key.arg == "allow_nan" and ast.unparse(key.value) == "False" for key in node.keywords)
                    strict = strict or path.as_posix().endswith(MESSAGES)
                    assert strict, f"{path}:{node.lineno}: use harness.strict_json, or allow_nan=False"
