"""What commands found as CSV, JSON, Markdown and HTML: types hold, texts do nothing, numbers come back."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.report.output.choice import choice, metric_names
from harness.report.output.json_schema import output_schema
from harness.report.output.of_run import run_answer, run_rows, runs_answer
from harness.report.output.rows import Field, Rows, Shape, kind_of, rows_of
from harness.report.output.shapes import RECORDS
from harness.report.output.written import FORMULAS, Answer, Format, as_csv, as_json, format_of, written
from harness.report.table import Column, Row, Table
from harness.results.record import Record
from harness.results.records_frame import PROVENANCE
from harness.results.run import Run

SHAPE = Shape("row", "A row.", (Field("name", "text"), Field("count", "integer"), Field("value", "number")), "others")
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'quoted",
    "a,b",
    'say "x"',
    "two\nlines",
    "ünïcödé 東京 🙂",
    "NA",
    "null",
    "1e5",
    "a|b",
]


def read_back(text: str) -> pd.DataFrame:
    """As docs/output.md says, texts as texts."""
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""], dtype={"name": str})


def plain(text: str) -> str:
    return text.removeprefix("'")


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(NASTY), st.text(min_size=1, alphabet=st.characters(categories=("L", "N", "P", "S")))
            ),
            st.one_of(st.none(), st.integers(-(2**53), 2**53)),
            st.one_of(st.none(), st.floats(allow_nan=False)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_csv_comes_back(drawn: list[tuple[str, int | None, float | None]]) -> None:
    rows = [dict(zip(("name", "count", "value"), one, strict=True)) for one in drawn]
    frame = read_back(as_csv(rows_of(SHAPE, ["name", "count", "value"], rows)))
    assert [plain(name) for name in frame["name"]] == [row["name"] for row in rows]
    for name in ("count", "value"):
        there = [None if math.isnan(value) else value for value in frame[name].astype(float)]
        assert there == [row[name] for row in rows]


@pytest.mark.parametrize("start", FORMULAS)
def test_no_text_is_a_formula(start: str) -> None:
    text = as_csv(rows_of(SHAPE, ["name"], [{"name": f"{start}cmd|' /C calc'!A0"}]))
    assert not any(cell.lstrip('"').startswith(FORMULAS) for cell in text.splitlines())
    assert as_csv(rows_of(SHAPE, ["value"], [{"value": -1.5}])) == "value\n-1.5\n"  # a number stays one


def test_a_number_that_is_none_is_null_with_its_reason() -> None:
    rows = [{"value": math.inf, "reason": "not reached"}, {"value": math.nan, "reason": None}, {"value": 1.0}]
    found = rows_of(RECORDS, ["value", "reason"], rows)
    assert json.loads(as_json(found)) == [
        {"value": None, "reason": "not reached; value is infinite"},
        {"value": None, "reason": "value is not a number"},
        {"value": 1.0, "reason": None},
    ]
    frame = pd.read_csv(io.StringIO(as_csv(found)))
    assert frame["value"][0] == math.inf and frame["reason"][1] == "value is not a number"
    (row,) = json.loads(as_json(rows_of(SHAPE, ["value"], [{"value": -math.inf}])))
    assert row == {"value": None, "reason": "value is minus infinity"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], "integer"),
        ([1, 0.5], "number"),
        ([256, 256.0], "integer"),
        ([256.0, 512.0], "number"),
        ([True, None], "boolean"),
        ([True, 1], "text"),
        (["all", 60], "text"),
        ([None], "text"),
        ([[1], None], "json"),
    ],
)
def test_one_type_for_a_column(values: list[Any], kind: str) -> None:
    assert kind_of(values) == kind
    rows = rows_of(SHAPE, ["x"], [{"x": value} for value in values], wide=True)
    written_types = {type(row["x"]) for row in json.loads(as_json(rows)) if row["x"] is not None}
    assert len(written_types) <= 1


def test_a_column_keeps_its_type_where_only_some_rows_are_chosen() -> None:
    among = [{"x": "all"}, {"x": 60}]
    assert json.loads(as_json(rows_of(SHAPE, ["x"], among[1:], among=among))) == [{"x": "60"}]
    assert json.loads(as_json(rows_of(SHAPE, ["x"], among[1:]))) == [{"x": 60}]  # what this is against


def test_json_has_no_character_that_acts() -> None:
    text = as_json(rows_of(SHAPE, ["name"], [{"name": "\x1b[2J\u202e\x9b ünï \ud800"}]))
    assert text.isascii() and "\x1b" not in text
    assert json.loads(text)[0]["name"] == "\x1b[2J\u202e\x9b ünï \\ud800"


@pytest.fixture
def hostile(builders: ModuleType, tmp_path: Path) -> Run:
    """A run whose names are of somebody else."""
    from harness.results.record import Direction, Measurement, Metric

    metric = Metric(name="loss", unit="nats", direction=Direction.LOWER, definition="x")
    cells = []
    for name, value in (("=cmd()|x", 1.0), ("<script>alert(1)</script>", math.inf), ("@everyone **b**", 2.0)):
        measured = [Measurement(metric=metric, value=value)]
        cell = builders.cell_result(tmp_path, "nano", "perplexity", {"precision": "fp32"}, {"text": name}, measured)
        records = [record.model_copy(update={"model": name}) for record in cell.records]
        cells.append(cell.model_copy(update={"model": name, "records": records}))
    run: Run = builders.write_run(tmp_path, cells=cells)
    return run


def test_names_of_others_are_text_in_every_format(hostile: Run) -> None:
    answer = run_answer(hostile)
    table = written(answer, Format.MD)
    line = next(line for line in table.splitlines() if "cmd" in line)
    assert r"=cmd()\|x" in line and line.replace(r"\|", "").count("|") == 4
    assert "&lt;script" in table and "@everyone" not in table
    page = written(answer, Format.HTML)
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page and page.startswith("<!doctype html>")
    assert "\n'=cmd()|x," in written(answer, Format.CSV)
    rows = json.loads(written(answer, Format.JSON))
    assert rows[1]["value"] is None and rows[1]["reason"] == "value is infinite"


def test_rows_of_a_run_keep_their_schema(full_run: Run, hostile: Run) -> None:
    schema = output_schema("show")
    for run in (full_run, hostile):
        for wide in (False, True):
            rows = json.loads(as_json(run_rows(run, choice(wide=wide))))
            jsonschema.validate(rows, schema)
            assert len({tuple(row) for row in rows}) == 1
    jsonschema.validate(json.loads(written(runs_answer([full_run]), Format.JSON)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([{**rows[0], "value": "12"}], schema)


def test_every_field_of_a_record_is_a_column() -> None:
    inside = {"axes", "settings", "resolved"}  # these are columns of their own names
    assert {field.name for field in RECORDS.fields} == {*Record.model_fields, *PROVENANCE} - inside
    kinds = {"str": "text", "int": "integer", "float": "number", "Status": "text", "Direction": "text"}
    for field in RECORDS.fields:
        if (declared := Record.model_fields.get(field.name)) is not None:
            (name,) = {part.strip() for part in _name(declared.annotation).split("|")} - {"None"}
            assert kinds[name] == field.kind, field.name


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) if isinstance(annotation, type) else str(annotation)  # type: ignore[return-value]


def test_the_rows_are_the_records(full_run: Run) -> None:
    ours, theirs = run_rows(full_run, choice(wide=True)).frame, full_run.records
    assert len(ours) == len(theirs)
    assert sorted(ours["value"].dropna()) == sorted(theirs["value"].dropna())
    assert set(theirs.columns) <= set(ours.columns)
    assert str(ours["batch"].dtype) == "Int64"


def test_chosen_metrics_and_cells(full_run: Run) -> None:
    rows = run_rows(full_run, choice(["ttft,tp*"], ["precision=int8", "batch=8"]))
    assert {row["metric"] for row in rows.rows} == {"ttft", "tpot"}
    assert {(row["precision"], row["batch"]) for row in rows.rows} == {("int8", 8)}
    failed = [row for row in run_rows(full_run, choice(["ttft"])).rows if row["status"] != "ok"]
    assert {row["status"] for row in failed} == {"failed", "oom"} and all(row["metric"] is None for row in failed)
    assert all(row["measure"] == "perplexity" for row in run_rows(full_run, choice(["ppl"])).rows)


def test_tables_show_what_is_chosen(full_run: Run) -> None:
    (table,) = run_answer(full_run, choice(["tokens_scored"])).tables
    assert [column.name for column in table.columns if column.numeric] == ["tokens scored"]
    wide = run_answer(full_run, choice(["ttft"], wide=True)).tables[0]
    assert {"precision", "device", "threads", "batch"} <= {column.name for column in wide.columns} and not wide.caption
    assert len(run_answer(full_run).tables) > 3  # with findings and expectations


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("perplexty", "did you mean 'perplexity'"),
        ("tft", "did you mean 'ttft'"),
        ("tokens", "did you mean"),
        ("zzz*", "there are: "),
        ("bpbyte", "did you mean 'bits_per_byte'"),
    ],
)
def test_an_unknown_metric_names_the_nearest(full_run: Run, pattern: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        run_rows(full_run, choice([pattern]))


@pytest.mark.parametrize("typed", ["", "acc,", ",", "a,,b"])
def test_a_missing_name_is_told(typed: str) -> None:
    with pytest.raises(UserError, match="a name is missing"):
        choice([typed])


def test_metrics_by_version_and_by_abbreviation() -> None:
    ids = {"perplexity": "perplexity@2", "ppl_of_mine": "ppl_of_mine@1", "acc": "acc@2"}
    assert metric_names(["*@2"], ids) == {"perplexity", "acc"}
    assert metric_names(["ppl", "accuracy"], ids) == {"perplexity", "acc"}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("precision=int9", "did you mean 'int8'"),
        ("presicion=int8", "did you mean 'precision'"),
        ("int8", "no name=value"),
    ],
)
def test_a_wrong_selection_names_the_nearest(full_run: Run, typed: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        run_rows(full_run, choice(where=[typed]))


def test_formats_by_name() -> None:
    assert format_of("markdown") is Format.MD and format_of("CSV") is Format.CSV
    with pytest.raises(UserError, match="is one of table, csv, json, md, html, not 'jsn'; did you mean 'json'"):
        format_of("jsn")


def test_nothing_is_a_valid_answer() -> None:
    empty = Rows(SHAPE, SHAPE.fields, ())
    answer = Answer("Nothing", [Table("t", (Column("a"),), ())], empty)
    assert [written(answer, each) for each in (Format.CSV, Format.JSON)] == ["name,count,value\n", "[]\n"]
    assert "| a |" in written(answer, Format.MD) and "</html>" in written(answer, Format.HTML)
    assert Table("", (Column("a"),), (Row(("x",)),)).rows and empty.frame.empty
