import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.text.files import TextError, read_documents

DOCUMENTS = ["first document\nof two lines", 'second, with "quotes" and ümläuts', "third"]


def write_txt(path: Path) -> None:
    path.write_text("\n<|endoftext|>\n".join(DOCUMENTS), encoding="utf-8")


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps({"text": text, "other": 1}) + "\n" for text in DOCUMENTS))


def write_csv(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(DOCUMENTS)])


def write_parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"id": [1, 2, 3], "text": DOCUMENTS}), path)


WRITERS = {".txt": write_txt, ".jsonl": write_jsonl, ".csv": write_csv, ".parquet": write_parquet}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_kind_of_file_gives_the_same_documents(tmp_path, suffix: str) -> None:
    path = tmp_path / f"corpus{suffix}"
    WRITERS[suffix](path)
    assert list(read_documents(path)) == DOCUMENTS


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_gzip_gives_what_is_in_it(tmp_path, suffix: str) -> None:
    plain = tmp_path / f"corpus{suffix}"
    WRITERS[suffix](plain)
    packed = tmp_path / f"corpus{suffix}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_documents(packed)) == DOCUMENTS


def test_a_folder_gives_its_files_in_order_and_passes_over_others(tmp_path) -> None:
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "z.jsonl").write_text('{"text": "a/z"}\n')
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"c"))
    (tmp_path / "LICENSE").write_text("not text to learn")
    (tmp_path / ".hidden.txt").write_text("hidden")
    assert list(read_documents(tmp_path)) == ["a/z", "b", "c"]


def test_a_txt_file_without_separators_is_one_document_byte_for_byte(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufefffirst\r\nsecond\n".encode())
    assert list(read_documents(tmp_path / "a.txt")) == ["first\r\nsecond\n"]


def is_a_document(text: str) -> bool:
    return "<|endoftext|>" not in text and text[0] != "\ufeff" and not text.endswith(("\n", "\r"))


@given(st.lists(st.text(min_size=1).filter(is_a_document), min_size=1).filter(lambda all: not "".join(all).isspace()))
def test_separated_txt_documents_come_back_as_they_were(tmp_path_factory, documents: list[str]) -> None:
    path = tmp_path_factory.mktemp("txt") / "a.txt"
    path.write_bytes("\n<|endoftext|>\n".join(documents).encode())
    assert list(read_documents(path)) == documents


def test_another_field_can_be_named(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"story": "once", "text": "no"}\n\n')
    assert list(read_documents(tmp_path / "a.jsonl", field="story")) == ["once"]


def test_empty_documents_are_left_out(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": ""}\n{"text": "kept"}\n')
    assert list(read_documents(tmp_path / "a.jsonl")) == ["kept"]


def test_reading_is_lazy(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\nbroken\n')
    documents = read_documents(tmp_path / "a.jsonl")
    assert next(documents) == "good"
    with pytest.raises(TextError):
        next(documents)


def test_a_whole_surrogate_pair_is_a_character(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d\\ude00"}\n')
    assert list(read_documents(tmp_path / "a.jsonl")) == ["😀"]


BROKEN = {
    "utf8.txt": (b"good\nbad \xe9 line\n", r"utf8\.txt:2: byte 5 of the line \(0xe9\) is not UTF-8.*iconv"),
    "utf8.jsonl": (b'{"text": "a"}\n{"text": "\xff"}\n', r"utf8\.jsonl:2: .*not UTF-8"),
    "json.jsonl": (b'{"text": "a"}\n\n{"text": \n', r"json\.jsonl:3: not JSON at column"),
    "list.jsonl": (b'["a"]\n', r"list\.jsonl:1: a JSON list; each line must be an object"),
    "field.jsonl": (b'{"body": "a", "id": 1}\n', r"field\.jsonl:1: there is no field 'text', only body, id"),
    "null.jsonl": (b'{"text": null}\n', r"null\.jsonl:1: the field 'text' holds nothing"),
    "number.jsonl": (b'{"text": 3}\n', r"number\.jsonl:1: the field 'text' holds int"),
    "half.jsonl": (b'{"text": "a"}\n{"text": "b\\ud800"}\n', r"half\.jsonl:2: .*half of a surrogate pair \(\\ud800\)"),
    "field.csv": (b"id,body\n1,a\n", r"field\.csv:2: there is no field 'text', only id, body"),
    "row.csv": (b"id,text\n1,a\n2,b,c\n", r"row\.csv:3: this row has 3 cells and there are 2 columns"),
    "quote.csv": (b'id,text\n1,"a\n', r"quote\.csv:2: not CSV"),
    "cut.txt.gz": (gzip.compress(b"text\n" * 1000)[:-12], r"cut\.txt\.gz:\d+: the gzip data is cut off or broken"),
    "not.jsonl.gz": (b'{"text": "a"}\n', r"not\.jsonl\.gz:1: the gzip data is cut off or broken"),
    "bad.parquet": (b"PAR1 nothing", r"bad\.parquet: not a whole Parquet file"),
    "empty.txt": (b"", r"empty\.txt: there is no text in it"),
    "empty": (b"", r"empty: there is no text in it"),
    "kind.docx": (b"PK\x03\x04\x14\0", r"kind\.docx: this is a ZIP archive, as \.docx.*and no text"),
    "page.PDF": (b"%PDF-1.7\n%", r"page\.PDF: this is a PDF, and no text"),
    "weights.bin": (b"\x01\x02\0\x03", r"weights\.bin: this is binary data \(it has NUL bytes\), and no text"),
    "table.raw": (b"PAR1\x15\x04", r"table\.raw: this is Parquet; give the file a name that ends in \.parquet"),
    "packed": (gzip.compress(b"text"), r"packed: this is packed; give the file a name that ends in \.gz"),
    "cut.md.gz": (gzip.compress(b"text\n" * 9000)[:-12], r"cut\.md\.gz(:\d+)?: the gzip data is cut off or broken"),
    "wide.md": ("wide as UTF-16".encode("utf-16-le"), r"wide\.md:1: this is UTF-16 without a byte-order mark"),
    "latin.md": (b"caf\xe9\n", r"latin\.md:1: byte 4 of the line \(0xe9\) is not UTF-8"),
    "ROWS.JSONL": (b'{"body": "a"}\n', r"ROWS\.JSONL:1: there is no field 'text', only body"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_said_with_its_place(tmp_path, name: str) -> None:
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TextError, match=message):
        list(read_documents(tmp_path / name))


@pytest.mark.parametrize(
    "name", ["notes.md", "wiki.test.raw", "a.text", "Makefile", "page.html", "notes.TXT", "a.md.gz"]
)
def test_any_text_is_read_whatever_its_ending(tmp_path, name: str) -> None:
    content = "# Übung\nfirst\n<|endoftext|>\nsecond\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(read_documents(tmp_path / name)) == ["# Übung\nfirst", "second\n"]


def test_any_text_with_a_byte_order_mark_is_read(tmp_path) -> None:
    (tmp_path / "notes.md").write_bytes("a wide text".encode("utf-16"))
    assert list(read_documents(tmp_path / "notes.md")) == ["a wide text"]


def test_a_parquet_file_without_the_field_names_its_columns(tmp_path) -> None:
    write_parquet(tmp_path / "a.parquet")
    with pytest.raises(TextError, match=r"there is no column 'body' \(there are: id, text\)"):
        list(read_documents(tmp_path / "a.parquet", field="body"))


def test_a_null_in_parquet_is_said_with_its_row(tmp_path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"text": ["a", None]}), tmp_path / "a.parquet")
    with pytest.raises(TextError, match=r"a\.parquet:2: the field 'text' holds nothing"):
        list(read_documents(tmp_path / "a.parquet"))


def test_a_missing_path_is_said_at_once(tmp_path) -> None:
    with pytest.raises(TextError, match=r"nowhere\.txt: no such file or folder"):
        read_documents(tmp_path / "nowhere.txt")


def test_a_folder_without_text_is_said_at_once(tmp_path) -> None:
    with pytest.raises(TextError, match="no text in this folder"):
        read_documents(tmp_path)
