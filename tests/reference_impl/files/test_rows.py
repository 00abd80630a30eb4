"""The same rows by every spelling, values as they stand in the file, and the place of what is wrong."""

from __future__ import annotations

import bz2
import csv
import datetime
import decimal
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.files import TextError, arrow_rows, read_rows

ROWS = [{"q": "café?\nor tea", "a": "007"}, {"q": 'a "quoted", cell', "a": "None"}, {"q": " x ", "a": "[2]"}]


def rows(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [row for _, row in read_rows(path, options)]


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}


def as_csv(made: list[dict[str, Any]], dialect: str) -> str:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, made[0], dialect=dialect)
    writer.writeheader()
    writer.writerows(made)
    return sink.getvalue()


def as_parquet(made: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(made), sink)
    return sink.getvalue()


def as_arrow(made: list[dict[str, Any]], new: Any) -> bytes:
    table, sink = pa.Table.from_pylist(made), io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


JSON_LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
SPELLINGS: dict[str, bytes] = {
    "a.jsonl": JSON_LINES.encode(),
    "bom.jsonl": b"\xef\xbb\xbf" + JSON_LINES.encode(),
    "crlf.jsonl": JSON_LINES.replace("\n", "\r\n").encode(),
    "utf16.jsonl": JSON_LINES.encode("utf-16"),
    "utf32.jsonl": JSON_LINES.encode("utf-32"),
    "a.ndjson": JSON_LINES.encode(),
    "lines.json": JSON_LINES.encode(),
    "a.json": json.dumps(ROWS, indent=1).encode(),
    "bom.json": b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
    "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}).encode(),
    "inside.json": json.dumps({"version": "1", "data": ROWS}).encode(),
    "a.csv": as_csv(ROWS, "excel").encode(),
    "unix.csv": as_csv(ROWS, "unix").encode(),
    "bom.csv": as_csv(ROWS, "excel").encode("utf-8-sig"),
    "utf16.csv": as_csv(ROWS, "excel").encode("utf-16"),
    "a.tsv": as_csv(ROWS, "excel-tab").encode(),
    "a.parquet": as_parquet(ROWS),
    "stream.arrow": as_arrow(ROWS, pa.ipc.new_stream),
    "file.arrow": as_arrow(ROWS, pa.ipc.new_file),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("name", SPELLINGS)
def test_the_same_rows_by_every_spelling(tmp_path: Path, name: str, packed: str) -> None:
    (tmp_path / f"{name}{packed}").write_bytes(PACKED[packed](SPELLINGS[name]))
    assert rows(tmp_path / f"{name}{packed}") == ROWS


cell = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=6), st.sampled_from(["excel", "excel-tab", "unix"]))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], dialect: str
) -> None:
    made = [{"q": one, "a": other} for one, other in cells]
    path = tmp_path_factory.mktemp("csv") / ("a.tsv" if dialect == "excel-tab" else "a.csv")
    path.write_bytes(as_csv(made, dialect).encode())
    assert rows(path) == made


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(cell, st.none() | st.booleans() | st.integers() | cell | st.lists(cell)), max_size=5))
def test_what_the_json_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), "utf-8")
    assert rows(path) == made
    path.with_suffix(".json").write_text(json.dumps(made, ensure_ascii=False), "utf-8")
    assert rows(path.with_suffix(".json")) == made


@pytest.mark.parametrize(
    "text", ["None", "NA", "nan", "null", "007", "1.50", "1e5", "True", "-0", "2020-01-01", "inf", "", " 1 ", "1_000"]
)
def test_a_cell_is_the_text_that_stands_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(f"q,a\nx,{text}\n")
    assert rows(tmp_path / "a.csv") == [{"q": "x", "a": text}]


def test_columns_of_parquet_keep_their_types(tmp_path: Path) -> None:
    when = datetime.datetime(2020, 1, 2, 3, 4)
    table = pa.table(
        {
            "whole": pa.array([1, None]),
            "price": pa.array([decimal.Decimal("1.50"), None]),
            "when": pa.array([when, None], pa.timestamp("ns")),
            "raw": pa.array([b"x", None]),
            "kind": pa.array(["a", None]).dictionary_encode(),
            "half": pa.array([0.5, None], pa.float16()),
            "list": pa.array([["a"], None]),
            "inner": pa.array([{"n": 1}, None]),
            "yes": pa.array([True, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = rows(tmp_path / "a.parquet")
    assert first == {
        **{"whole": 1, "price": decimal.Decimal("1.50"), "when": when, "raw": b"x", "kind": "a", "half": 0.5},
        **{"list": ["a"], "inner": {"n": 1}, "yes": True},
    }
    assert {name: type(value) for name, value in first.items()}["when"] is datetime.datetime
    assert type(first["whole"]) is int and type(first["yes"]) is bool and type(first["half"]) is float
    assert set(second.values()) == {None}


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("q;a\nx;1\n", {"sep": ";"}, [{"q": "x", "a": "1"}]),
        ("q|a\nx|1\n", {"delimiter": "|"}, [{"q": "x", "a": "1"}]),
        ("x,1\n", {"column_names": ["q", "a"]}, [{"q": "x", "a": "1"}]),
        ("x,1\n", {"names": ["q", "a"], "header": None}, [{"q": "x", "a": "1"}]),
        ("Q,A\nx,1\n", {"names": ["q", "a"], "header": 0}, [{"q": "x", "a": "1"}]),
        ("x,1\n", {"header": None}, [{"0": "x", "1": "1"}]),
        ("about\nq,a\nx,1\n", {"header": 1}, [{"q": "x", "a": "1"}]),
        ("# made by hand\nq,a\nx,1\n", {"skiprows": 1}, [{"q": "x", "a": "1"}]),
        ("q,a\nunits,m\nx,1\n", {"skiprows": [1]}, [{"q": "x", "a": "1"}]),
        ("q,a\nx,1\ny,2\n", {"nrows": 1}, [{"q": "x", "a": "1"}]),
        ("q,a\nx,1\n", {"usecols": ["a"]}, [{"a": "1"}]),
        ("q,a\n'x,y',1\n", {"quotechar": "'"}, [{"q": "x,y", "a": "1"}]),
        ('q,a\n"x,1\n', {"quoting": 3}, [{"q": '"x', "a": "1"}]),
        ('q,a\n"x\\"y",1\n', {"escapechar": "\\", "doublequote": False}, [{"q": 'x"y', "a": "1"}]),
        ("q, a\nx, 1\n", {"skipinitialspace": True}, [{"q": "x", "a": "1"}]),
        ("q,a\nx,1\n", {"keep_default_na": False, "chunksize": 10}, [{"q": "x", "a": "1"}]),
        (",q\n0,x\n", {}, [{"Unnamed: 0": "0", "q": "x"}]),
        ("q,a\rx,1\ry,2\r", {}, [{"q": "x", "a": "1"}, {"q": "y", "a": "2"}]),
        ('q,a\n\n"x\n\ny",1\n\n', {}, [{"q": "x\n\ny", "a": "1"}]),
        ('q,a\n5" disk,1\n', {}, [{"q": '5" disk', "a": "1"}]),
    ],
)
def test_csv_is_read_as_it_is_told(tmp_path: Path, content: str, options: Any, expected: Any) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode())
    assert rows(tmp_path / "a.csv", **options) == expected


def test_an_encoding_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("q,a\ncafé,1\n".encode("latin-1"))
    assert rows(tmp_path / "a.csv", encoding="latin-1") == [{"q": "café", "a": "1"}]
    (tmp_path / "a.jsonl").write_bytes('{"q": "café"}\n'.encode("utf-16-le"))
    assert rows(tmp_path / "a.jsonl", encoding="utf-16-le") == [{"q": "café"}]
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    assert rows(tmp_path / "a.txt", encoding_errors="replace") == [{"text": "caf\ufffd"}]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a\n\nb", {}, ["a", "", "b"]),
        ("a\r\nb\rc\n", {}, ["a", "b", "c"]),
        ("a\nb\n", {"keep_linebreaks": True}, ["a\n", "b\n"]),
        ("a\u2028b\x0bc\n", {}, ["a\u2028b\x0bc"]),
        ("a\nb\n\nc\n", {"sample_by": "paragraph"}, ["a\nb", "c\n"]),
        ("a\n\n\n\nb\n\n\nc", {"sample_by": "paragraph"}, ["a", "b", "\nc"]),
        ("a\n\nb\n", {"sample_by": "document"}, ["a\n\nb\n"]),
    ],
)
def test_text_is_divided_as_its_builder_has_it(tmp_path: Path, content: str, options: Any, expected: Any) -> None:
    (tmp_path / "a.txt").write_bytes(content.encode())
    assert [row["text"] for row in rows(tmp_path / "a.txt", **options)] == expected


def test_a_row_has_the_line_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('skipped\nq,a\n\n"x\ny",1\nz,2\n')
    assert [line for line, _ in read_rows(tmp_path / "a.csv", {"skiprows": 1})] == [5, 6]
    (tmp_path / "a.jsonl").write_text('{"q": 1}\n\n{"q": 2}\n')
    assert [line for line, _ in read_rows(tmp_path / "a.jsonl")] == [1, 3]


BROKEN: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "long.csv": (b"q,a\nx,1\ny,2,3\n", {}, r"long\.csv:3: this row has 3 cells and there are 2 columns \(q, a\)"),
    "short.csv": (b"q,a\nx\n", {}, r"short\.csv:2: this row has 1 cell and"),
    "twice.csv": (b"q,a,q\nx,1,y\n", {}, r"twice\.csv:1: the header names the column 'q' twice"),
    "empty.csv": (b"", {}, r"empty\.csv: the file is empty"),
    "open.csv": (b'q,a\n"x,1\n', {}, r"open\.csv:2: not CSV .*`quoting: 3`"),
    "after.csv": (b'q,a\n"x" y,1\n', {}, r"after\.csv:2: not CSV"),
    "latin.csv": (b"q,a\nx,1\nab\xe9,1\n", {}, r"latin\.csv:3: byte 3 of the line \(0xe9\) is not UTF-8"),
    "utf16.csv": ("q,a\nx,1\n".encode("utf-16-le"), {}, r"utf16\.csv:1: this is UTF-16 without a byte-order mark"),
    "code.csv": (b"q\n", {"encoding": "nonsense"}, r"code\.csv: unknown encoding: nonsense"),
    "option.csv": (b"q\n", {"na_values": ["x"]}, r"option\.csv: `na_values` is not understood"),
    "guess.csv": (b"q\n", {"keep_default_na": True}, r"guess\.csv: `keep_default_na` is not understood"),
    "sep.csv": (b"q\n", {"sep": "::"}, r"sep\.csv: a separator is one character, not '::'"),
    "nan.jsonl": (b'{"q": 1}\n{"q": NaN}\n', {}, r"nan\.jsonl:2: NaN is not JSON"),
    "inf.jsonl": (b'{"q": -Infinity}\n', {}, r"inf\.jsonl:1: -Infinity is not JSON"),
    "huge.jsonl": (b'{"q": 1e999}\n', {}, r"huge\.jsonl:1: the number 1e999 is too large"),
    "digits.jsonl": (b'{"q": ' + b"1" * 5000 + b"}\n", {}, r"digits\.jsonl:1: a whole number here has thousands of"),
    "twice.jsonl": (b'{"q": {"x": 1, "x": 2}}\n', {}, r"twice\.jsonl:1: the key 'x' stands twice in one object"),
    "deep.jsonl": (b"[" * 100_000, {}, r"deep\.jsonl:1: lists and objects are nested too deeply"),
    "list.jsonl": (b"[1]\n", {}, r"list\.jsonl:1: a JSON list; each line must be an object"),
    "nan.json": (b'[{"q": 1},\n {"q": NaN}]', {}, r"nan\.json:2: NaN is not JSON"),
    "twice.json": (b'[{"q": 1},\n\n {"q": 1, "q": 2}]', {}, r"twice\.json:3: the key 'q' stands twice"),
    "cut.json": (b'[{"q": 1},\n {"q": ', {}, r"cut\.json:2: not JSON at column"),
    "item.json": (b'[{"q": 1}, 2]', {}, r"item\.json: row 2 is a JSON int"),
    "field.json": (b'{"data": []}', {"field": "rows"}, r"field\.json: has no field 'rows' \(there are: data\)"),
    "not.parquet": (b"PAR1 no more", {}, r"not\.parquet: not a whole Parquet file"),
    "not.arrow": (b"ARROW1 no more", {}, r"not\.arrow: not a whole Arrow file"),
    "cut.jsonl.gz": (gzip.compress(b'{"q": 1}\n' * 999)[:-9], {}, r"cut\.jsonl\.gz:\d+: the gzip data is cut off"),
    "cut.jsonl.bz2": (bz2.compress(b'{"q": 1}\n' * 999)[:-9], {}, r"cut\.jsonl\.bz2:\d+: the bzip2 data is cut off"),
    "cut.jsonl.xz": (lzma.compress(b'{"q": 1}\n' * 999)[:-9], {}, r"cut\.jsonl\.xz:\d+: the xz data is cut off"),
    "cut.jsonl.zst": (
        pa.compress(b'{"q": 1}\n' * 999, "zstd", asbytes=True)[:-5],
        {},
        r"cut\.jsonl\.zst:\d+: the Zstandard data is cut off",
    ),
    "not.jsonl.zst": (b'{"q": 1}\n', {}, r"not\.jsonl\.zst:1: the Zstandard data is cut off or broken"),
    "not.csv.xz": (b"q\n", {}, r"not\.csv\.xz:1: the xz data is cut off or broken"),
    "cut.parquet.bz2": (bz2.compress(as_parquet(ROWS))[:-9], {}, r"cut\.parquet\.bz2: the bzip2 data is cut off"),
    "unnamed.jsonl": (gzip.compress(b"{}"), {}, r"unnamed\.jsonl: this is packed; .* ends in \.gz"),
    "kind.xlsx": (b"", {}, r"kind\.xlsx: text of an unknown kind; the name must end in one of"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    content, options, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=message) as caught:
        rows(tmp_path / name, **options)
    assert "\n" not in str(caught.value)


def test_a_parquet_column_that_is_there_twice(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["q", "q"]), tmp_path / "a.parquet")
    with pytest.raises(TextError, match=r"a\.parquet: has the column 'q' twice"):
        rows(tmp_path / "a.parquet")


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_names_of_classes_are_told_by_the_schema_alone(
    tmp_path: Path, new: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {"info": {"features": {"n": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    table = pa.table({"n": [0, 1]}).replace_schema_metadata({"huggingface": json.dumps(described)})
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    path = tmp_path / "x.arrow"
    path.write_bytes(sink.getvalue())

    def fails(*given: object) -> None:
        raise AssertionError("rows are read")

    monkeypatch.setattr(arrow_rows, "_arrow_table", fails)
    monkeypatch.setattr(arrow_rows, "_together", fails)
    assert arrow_rows.class_names(path, ".arrow") == {"n": ["no", "yes"]}
    path.write_bytes(sink.getvalue()[:40])
    with pytest.raises(TextError, match=r"x\.arrow: not a whole Arrow file"):
        arrow_rows.class_names(path, ".arrow")
