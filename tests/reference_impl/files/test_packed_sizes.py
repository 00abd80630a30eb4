"""What batches and pages unpack to is read off their metadata as pyarrow has it, and before it asks for the memory."""

from __future__ import annotations

import io
import itertools
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reference_impl.files import bounds
from reference_impl.files.arrow_rows import arrow_rows, parquet_rows
from reference_impl.files.arrow_sizes import is_file, size_of_batches
from reference_impl.files.error import TextError
from reference_impl.files.parquet_pages import unpacked_size

DRAW = random.Random(8)
WORDS = ["".join(DRAW.choices("abcdefgh", k=DRAW.randrange(0, 60))) for _ in range(300)]
COLUMNS: dict[str, Any] = {
    "words": pa.array(WORDS),
    "numbers": pa.array(range(300)),
    "holes": pa.array([None if n % 3 else n / 7 for n in range(300)]),
    "nothing": pa.nulls(300),
    "flags": pa.array([n % 5 == 0 for n in range(300)]),
    "lists": pa.array([[word] * (n % 4) for n, word in enumerate(WORDS)]),
    "structs": pa.array([{"a": n, "b": {"c": word}} for n, word in enumerate(WORDS)]),
    "classes": pa.array(["yes", "no", "maybe"] * 100).dictionary_encode(),
    "views": pa.array(WORDS, pa.string_view()),
}
TABLES = {name: pa.table({name: column}) for name, column in COLUMNS.items()} | {
    "all": pa.table(COLUMNS),
    "no rows": pa.table(COLUMNS).slice(0, 0),
    "pieces": pa.concat_tables([pa.table(COLUMNS).slice(n, 50) for n in range(0, 300, 50)]),
}


def arrow(table: pa.Table, *, file: bool, packing: str | None) -> bytes:
    made = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=packing)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(made, table.schema, options=options) as writer:
        writer.write_table(table)
    return made.getvalue()


@pytest.mark.parametrize("packing", [None, "lz4", "zstd"])
@pytest.mark.parametrize("file", [False, True], ids=["stream", "file"])
@pytest.mark.parametrize("name", TABLES)
def test_the_size_of_arrow_batches_is_what_is_in_memory(name: str, file: bool, packing: str | None) -> None:
    table = TABLES[name]
    content = pa.py_buffer(arrow(table, file=file, packing=packing))
    assert is_file(content) == file
    opened = (pa.ipc.open_file if file else pa.ipc.open_stream)(content).read_all()
    assert opened.equals(table)
    found = size_of_batches(content, 1 << 40)
    coded = opened["classes"].chunks if "classes" in opened.column_names else []
    shared = sum(chunk.dictionary.nbytes for chunk in coded[1:])  # there is one, and pyarrow counts it in each batch
    buffers = 4 * sum(len(column.chunks) for column in opened.columns) * 4 + 8
    assert opened.nbytes - shared - 8 * buffers <= found <= opened.nbytes + 64 * buffers


def writers() -> Iterator[dict[str, Any]]:
    for version, packing, coded in itertools.product(("1.0", "2.0"), ("none", "snappy", "gzip", "zstd"), (True, False)):
        yield {"data_page_version": version, "compression": packing, "use_dictionary": coded}
    yield {"data_page_size": 64, "write_page_checksum": True, "row_group_size": 70}
    yield {"data_page_size": 64, "write_page_index": True, "write_statistics": True, "dictionary_pagesize_limit": 50}
    yield {"use_dictionary": False, "use_byte_stream_split": ["holes"]}


@pytest.mark.parametrize("options", list(writers()), ids=str)
def test_the_size_of_parquet_pages_is_what_the_footer_says_of_a_file_that_does_not_lie(options: dict[str, Any]) -> None:
    for name in ("all", "no rows", "pieces"):
        table = TABLES[name].drop_columns(["views"])
        made = io.BytesIO()
        pq.write_table(table, made, **options)
        metadata = pq.read_metadata(made)
        for group, column in itertools.product(range(metadata.num_row_groups), range(metadata.num_columns)):
            chunk = metadata.row_group(group).column(column)
            found = unpacked_size(memoryview(made.getvalue()), chunk)
            # the footer counts the headers, too
            assert found <= chunk.total_uncompressed_size
            if options.get("data_page_size") is None:
                assert chunk.total_uncompressed_size <= found + 200


def lying_parquet() -> bytes:
    """Its pages unpack to 96 MB, and its footer says that its columns have 50 bytes each."""
    made = io.BytesIO()
    table = pa.table({f"c{number}": ["a" * (32 << 20)] for number in range(3)})
    pq.write_table(table, made, compression="zstd", use_dictionary=False, write_statistics=False)
    content = made.getvalue()
    metadata = pq.read_metadata(made)
    for column in range(3):
        said = varint(2 * metadata.row_group(0).column(column).total_uncompressed_size)
        place = content.index(said, len(content) - 3000)
        other = bytes([100 | 128, *[128] * (len(said) - 2), 0])
        content = content[:place] + other + content[place + len(said) :]
    told = pq.read_metadata(io.BytesIO(content)).row_group(0)
    assert [told.column(column).total_uncompressed_size for column in range(3)] == [50] * 3
    return content


def varint(number: int) -> bytes:
    found = []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def claiming(size: int) -> bytes:
    """An Arrow stream of a packed buffer that says it unpacks to so many bytes."""
    content = arrow(pa.table({"x": ["a" * 50_000]}), file=False, packing="zstd")
    place = content.index(struct.pack("<q", 50_000) + b"\x28\xb5\x2f\xfd")
    return content[:place] + struct.pack("<q", size) + content[place + 8 :]


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pages": ("a.parquet", lying_parquet),
    "a batch of 100 GB": ("a.arrow", lambda: claiming(100 << 30)),
    "a batch of 2^62 bytes": ("a.arrow", lambda: claiming(1 << 62)),
    "real batches": ("a.arrow", lambda: arrow(pa.table({"x": ["a" * (64 << 20)]}), file=False, packing="zstd")),
    "a file": ("a.arrow", lambda: arrow(pa.table({"x": ["a" * (64 << 20)]}), file=True, packing="zstd")),
    "a dictionary": (
        "a.arrow",
        lambda: arrow(pa.table({"x": pa.array(["a" * (64 << 20)]).dictionary_encode()}), file=True, packing="lz4"),
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_too_much_is_refused_before_memory_is_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "SMALL", 8 << 20)  # quicker than the real bound
    file, content = BOMBS[name]
    (tmp_path / file).write_bytes(content())
    with counted() as pool, pytest.raises(TextError, match="it unpacks to more than"):
        list((parquet_rows if file.endswith("parquet") else arrow_rows)(tmp_path / file, {}))
    assert pool.max_memory() < 1 << 20


def test_known_bad_pyarrow_itself_asks_for_the_memory() -> None:
    with counted() as pool:
        pq.ParquetFile(io.BytesIO(lying_parquet())).read()
    assert pool.max_memory() > 64 << 20


_POOLS: list[Any] = []
"""They outlive what pyarrow's threads hold of theirs."""


@contextmanager
def counted() -> Iterator[Any]:
    """What pyarrow asks for, from now on."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    _POOLS.append(pool)
    pa.set_memory_pool(pool)
    try:
        yield pool
    finally:
        pa.set_memory_pool(before)


@pytest.mark.parametrize("kind", ["a.arrow", "f.arrow", "a.parquet"])
def test_of_a_damaged_file_no_more_is_asked_for_than_it_may_unpack_to(kind: str, tmp_path: Path) -> None:
    table = TABLES["all"].drop_columns(["views"]) if kind == "a.parquet" else TABLES["all"]
    made = io.BytesIO()
    if kind == "a.parquet":
        pq.write_table(table, made, compression="zstd")
    whole = made.getvalue() or arrow(table, file=kind[0] == "f", packing="zstd")
    draw, refused = random.Random(3), 0
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 1, 4))):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (tmp_path / kind).write_bytes(content)
        try:
            rows = list((parquet_rows if kind == "a.parquet" else arrow_rows)(tmp_path / kind, {}))
        except TextError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert len(rows) <= 1_000_000
    assert refused > 20


def test_a_footer_that_names_other_places_is_read_or_refused(tmp_path: Path) -> None:
    """Every byte of an Arrow file's footer as others: the end of the stream may stand where a batch is said to be."""
    path = tmp_path / "a.arrow"
    table = pa.table({"a": list(range(50))})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    whole = path.read_bytes()
    begin = len(whole) - 10 - int.from_bytes(whole[-10:-6], "little")
    ends = set()
    for place in range(begin, len(whole)):
        for value in (0x00, 0x01, 0x08, 0x80, 0xFF, whole[place] ^ 0x08, whole[place] + 0x40 & 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                list(arrow_rows(path, {}))
                ends.add("read")
            except TextError:
                ends.add("refused")
    assert ends == {"read", "refused"}
