"""Data files of anyone's, for tasks and as texts: read, or refused in one sentence, soon and with little memory."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from harness import corpora
from harness.errors import UserError
from harness.tasks.data import files as data_files
from reference_impl.files import bounds

ROWS: list[dict[str, Any]] = [
    {
        "question": f'What is {n} + {n}? é "q", x',
        "choices": [str(n), str(2 * n)],
        "answer": n % 2,
        "text": f"line {n}\nmore",
    }
    | {"share": n / 3, "inner": {"a": n}}
    for n in range(40)
]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),
    ".zst": lambda content: bytes(pa.compress(content, codec="zstd", asbytes=True)),
}


def arrow(table: pa.Table, *, stream: bool = False, compression: str | None = None) -> bytes:
    """A table as an Arrow file or stream."""
    sink = io.BytesIO()
    open_ = pa.ipc.new_stream if stream else pa.ipc.new_file
    with open_(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    """A table as Parquet."""
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


def one_value(rows: int, value: str) -> pa.Table:
    """Many equal rows, whose value is stored once."""
    return pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [value])})


def of_zeros(packed: str, megabytes: int) -> bytes:
    """So many null characters, packed a megabyte at a time."""
    opened: dict[str, Callable[[io.BytesIO], Any]] = {
        ".gz": lambda sink: gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=1),
        ".bz2": lambda sink: bz2.BZ2File(sink, "wb", compresslevel=1),
        ".xz": lambda sink: lzma.LZMAFile(sink, "wb", preset=0),  # noqa: SIM115
        ".zst": lambda sink: pa.CompressedOutputStream(sink, "zstd"),
    }
    sink, kept = io.BytesIO(), b"\0" * (1 << 20)
    file = opened[packed](sink)
    for _ in range(megabytes):
        file.write(kept)
    if packed == ".zst":
        file.flush()
        return sink.getvalue()  # closing it would close the sink
    file.close()
    return sink.getvalue()


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "deep.json": ("deep.json", lambda: b"[" * 1_000_000, r"deep\.json: lists and objects are nested too deeply"),
    "deep rows": ("deep.jsonl", lambda: b'{"a":' * 100_000, r"deep\.jsonl:1: lists and objects are nested too deeply"),
    **{
        f"rows of {depth} levels": (
            "d.jsonl",
            lambda depth=depth: b'{"text": ' + b'{"a": ' * depth + b"1" + b"}" * (depth + 1),
            r"d\.jsonl:1: lists and objects are nested too deeply",
        )
        for depth in (150, 600, 900)
    },
    "digits": (
        "d.jsonl",
        lambda: b'{"text": ' + b"9" * 10_000 + b"}",
        r"d\.jsonl:1: a whole number here has thousands",
    ),
    "infinite": ("i.jsonl", lambda: b'{"text": 1e999}', r"i\.jsonl:1: the number 1e999 is too large"),
    "keys of their own": (
        "keys.jsonl",
        lambda: "\n".join(json.dumps({f"k{n}": 1, "text": ""}) for n in range(20_000)).encode(),
        r"keys\.jsonl: up to row [\d,]+ it has [\d,]+ columns",
    ),
    "a key twice among many": (
        "twice.json",
        lambda: ("[{" + ",".join(f'"k{n % 100_000}": 1' for n in range(200_000)) + "}]").encode(),
        r"twice\.json:1: the key 'k0' stands twice",
    ),
    "columns": (
        "wide.csv",
        lambda: b",".join([b"c"] * 200_000) + b"\n",
        r"wide\.csv:1: the header names 200,000 columns",
    ),
    "rows of nothing": (
        "rows.parquet",
        lambda: parquet_bytes(one_value(2_000_000, "a"), compression="zstd"),
        r"rows\.parquet: it says that it has 2,000,000 rows in [\d,]+ bytes: that is no data set",
    ),
    "one large value": (
        "value.parquet",
        lambda: parquet_bytes(one_value(2000, "a" * (5 << 20)), compression="zstd", dictionary_pagesize_limit=1 << 30),
        r"value\.parquet: it unpacks to more than 256 MiB and more than 200 times its size",
    ),
    "nothing at all": (
        "nulls.arrow",
        lambda: arrow(pa.table({"text": pa.nulls(2**31 - 2)})),
        r"nulls\.arrow: it says that it has 2,147,483,646 rows in \d+ bytes",
    ),
    "a packed batch": (
        "batch.arrow",
        lambda: arrow(pa.table({"text": ["a" * (20 << 20)]}), compression="zstd"),
        r"batch\.arrow: it unpacks to more than 256 MiB",
    ),
    **{
        f"zeros{packed}": (
            f"zeros.jsonl{packed}",
            lambda packed=packed: of_zeros(packed, 20),
            r"unpacks to more than 256 MiB",
        )
        for packed in (".bz2", ".xz", ".zst")
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused(
    tmp_path: Path, bounded: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file, content, sentence = REFUSED[name]
    monkeypatch.setattr(bounds, "SMALL", 8 << 20)  # quicker than the real bound
    path = tmp_path / file
    path.write_bytes(content())
    end = bounded.end_of(lambda: len(data_files.read_rows(path, "test")))
    assert end.kind == "sentence" and re.search(sentence, end.text) and len(end.text) < 3000, end
    end = bounded.end_of(lambda: len(corpora.documents(str(path))))
    assert end.kind in ("sentence", "result"), end  # columns that it doesn't read may be what they like


@pytest.mark.slow
@pytest.mark.parametrize("packed", [".gz", ".bz2", ".xz", ".zst"])
def test_a_gigabyte_of_nothing(tmp_path: Path, bounded: ModuleType, packed: str) -> None:
    written = tmp_path / "zeros"
    written.write_bytes(of_zeros(packed, 1100))
    for ending in (".jsonl", ".json", ".csv", ".txt", ".parquet"):
        path = written.with_suffix(f"{ending}{packed}")
        path.hardlink_to(written)
        end = bounded.end_of(lambda path=path: len(data_files.read_rows(path, "test")))
        assert end.kind == "sentence" and re.search("unpacks to more than|is longer than 512 MiB", end.text), end


def test_files_that_never_end_are_refused(tmp_path: Path) -> None:
    for ending in (".jsonl", ".json", ".csv", ".txt", ".parquet", ".arrow", ".jsonl.gz"):
        pipe, zeros = tmp_path / f"pipe{ending}", tmp_path / f"zeros{ending}"
        os.mkfifo(pipe)
        zeros.symlink_to("/dev/zero")
        for path, kind in ((pipe, "a pipe"), (zeros, "a device")):
            for act in (
                lambda path=path: data_files.read_rows(path, "test"),
                lambda path=path: corpora.documents(str(path)),
            ):
                with pytest.raises(UserError, match=f"this is {kind}, and data are read from regular files"):
                    act()


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_impl.files import lines

    monkeypatch.setattr(lines, "LONGEST_LINE", 1 << 20)
    for name in ("long.jsonl", "long.csv", "long.txt", "long.json"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(UserError, match=rf"{name}:1: this line is longer than 1 MiB"):
            data_files.read_rows(tmp_path / name, "test")


OPTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("a.csv", {"skiprows": 10**12}, "`skiprows` is a number of lines"),
    ("a.csv", {"skiprows": "ab"}, "`skiprows` is a number of lines"),
    ("a.csv", {"names": 5}, "`names` is a list of names of columns"),
    ("a.csv", {"usecols": 7}, "`usecols` is a list of names of columns"),
    ("a.csv", {"quotechar": "ab"}, "no way to write CSV"),
    ("a.csv", {"sep": 7}, "a separator is one character"),
    ("a.csv", {"encoding": "zlib"}, "zlib is no encoding of text"),
    ("a.csv", {"encoding": 5}, "name an encoding that Python knows"),
    ("a.csv", {"encoding": "a\0b"}, "name an encoding that Python knows"),
    ("a.csv", {"encoding_errors": 5}, "name an encoding that Python knows"),
    ("a.json", {"field": ["x"]}, r"has no field '\['x'\]'"),
    ("a.parquet", {"columns": 5}, "`columns` is a list of names of columns"),
]


@pytest.mark.parametrize(("name", "options", "sentence"), OPTIONS)
def test_settings_that_are_none(tmp_path: Path, name: str, options: dict[str, Any], sentence: str) -> None:
    pd.DataFrame({"a": ["1"]}).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "a.json").write_text('{"x": [{"a": 1}], "y": 2}')
    with pytest.raises(UserError, match=sentence):
        data_files.read_rows(tmp_path / name, "test", options)


@pytest.mark.parametrize(
    "options", [{"skiprows": 10**12}, {"sep": ""}, {"names": 5}, {"encoding": 5}, {"quotechar": "ab"}]
)
def test_pandas_own_errors_are_one_sentence(tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"a\.csv: "):
        data_files.read_rows(tmp_path / "a.csv", "test", options, mode="lm-eval")


def test_what_is_large_but_right_is_read(tmp_path: Path) -> None:
    """The bounds are far from what data sets have."""
    rows = [{"text": f"{n}", **{f"c{column}": column for column in range(50)}} for n in range(3000)]
    (tmp_path / "a.jsonl.xz").write_bytes(lzma.compress("\n".join(map(json.dumps, rows)).encode(), preset=0))
    assert list(data_files.read_rows(tmp_path / "a.jsonl.xz", "test")) == rows
    table = pa.table({"text": [f"{n % 7}" * 2000 for n in range(20_000)]})
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(table, compression="zstd"))
    assert data_files.read_rows(tmp_path / "a.parquet", "test")["text"] == table["text"].to_pylist()


# ---- made wrong by chance


def written(kind: str, rows: list[Any], chance: random.Random) -> bytes:
    """Rows in a format; what it can't hold is left out."""
    flat = [{name: row[name] for name in ("question", "answer", "text", "share")} for row in ROWS]
    match kind:
        case ".jsonl":
            return "\n".join(json.dumps(row, default=str) for row in rows).encode()
        case ".json":
            columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
            shapes = (rows, {"test": rows}, {"data": rows, "version": 1}, columns)
            return json.dumps(chance.choice(shapes), default=str).encode()
        case ".csv" | ".tsv":
            return pd.DataFrame(flat).to_csv(index=False, sep="," if kind == ".csv" else "\t").encode()
        case ".txt":
            return "\n".join(row["text"] for row in ROWS).encode()
        case ".parquet":
            return parquet_bytes(
                pa.Table.from_pylist(ROWS), compression=chance.choice(("snappy", "zstd", "none", "gzip"))
            )
    return arrow(
        pa.Table.from_pylist(ROWS), stream=chance.random() < 0.5, compression=chance.choice((None, "zstd", "lz4"))
    )


def mutants(mutation: ModuleType, folder: Path, seed: int, count: int) -> Iterator[Path]:
    """Files of every format and packing, made wrong."""
    chance = random.Random(seed)
    kinds = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".parquet", ".arrow", ".arrow", ".txt")
    for number in range(count):
        kind, packed = chance.choice(kinds), chance.choice(("", "", "", *PACKED))
        rows = ROWS if chance.random() < 0.6 else mutation.changed_value(ROWS[:6], chance)
        try:
            content = written(kind, rows if isinstance(rows, list) else [rows], chance)
        except (TypeError, ValueError):  # a key that JSON has none of
            content = b"[]"
        if chance.random() < 0.7:
            content = mutation.changed_bytes(content, chance)
        content = PACKED[packed](content)
        if chance.random() < 0.2:
            content = mutation.changed_bytes(content, chance)
        path = folder / f"{number}{kind}{packed}"
        path.write_bytes(content)
        yield path
        path.unlink()


def both(path: Path) -> str:
    """The file as rows, in both modes, and as documents."""
    told = []
    for act in (
        lambda: len(data_files.read_rows(path, "test")),
        lambda: len(data_files.read_rows(path, "test", mode="lm-eval")),
        lambda: len(corpora.documents(str(path))),
        lambda: len(corpora.documents(f"{path}#question")),
    ):
        try:
            told.append(str(act()))
        except UserError as error:
            told.append(str(error))
    if long := [one for one in told if len(one) > 4500]:
        raise AssertionError(f"a sentence of {len(long[0])} characters")
    return "; ".join(told)


def check(bounded: ModuleType, mutation: ModuleType, folder: Path, seed: int, count: int) -> None:
    for path in mutants(mutation, folder, seed, count):
        end = bounded.end_of(lambda path=path: both(path))
        assert end.is_allowed, (seed, path.name, end.kind, end.text[:1000])


def test_data_files_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path) -> None:
    check(bounded, mutation, tmp_path, 0, 90)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_data_files_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path, seed: int) -> None:
    check(bounded, mutation, tmp_path, seed, 500)
