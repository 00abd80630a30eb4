"""Slices and sums of splits: the rows that the `datasets` library (5.2) takes for the same words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.config import TaskConfig
from harness.tasks.data import splits
from harness.tasks.task import Task

SIZES = {"test": 103, "train": 250}


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("test", [("test", 0, 103)]),
        ("test[:]", [("test", 0, 103)]),
        ("test[:100]", [("test", 0, 100)]),
        ("test[-50:]", [("test", 53, 103)]),
        ("test[10%:20%]", [("test", 10, 21)]),
        ("test[:33%]", [("test", 0, 34)]),
        ("test[33%:66%]", [("test", 34, 68)]),
        ("test[1%:2%]", [("test", 1, 2)]),
        ("train[-10%:]", [("train", 225, 250)]),
        ("train[99%:]", [("train", 248, 250)]),
        ("train[:20%](pct1_dropremainder)", [("train", 0, 40)]),
        ("test[10:20%]", [("test", 10, 21)]),
        ("test[90:-5]", [("test", 90, 98)]),
        ("test[-300:10]", [("test", 0, 10)]),
        ("test[200:]", [("test", 103, 103)]),
        ("train + test[:3]", [("train", 0, 250), ("test", 0, 3)]),
        ("train-clean.360", [("train-clean.360", 0, 1)]),
    ],
)
def test_slices(written: str, taken: list[tuple[str, int, int]]) -> None:
    parts = splits.parts(written)
    assert [(part.split, part.places(SIZES.get(part.split, 1))) for part in parts] == [
        (split, range(start, stop)) for split, start, stop in taken
    ]


@pytest.mark.parametrize(
    "written", ["test[10]", "test[::2]", "test[1.5%:]", "test[:1", "test]", "+test", "[:5]", "a[:5]b"]
)
def test_what_is_no_split_is_refused(written: str) -> None:
    with pytest.raises(UserError, match=r"is not a split: write its name, a slice such as test\[:100\]"):
        splits.parts(written)


@pytest.mark.parametrize(
    ("written", "words"),
    [("test[:101%]", "percents are -100 to 100"), ("test[:5](closest)", "only percents are rounded")],
)
def test_what_no_slice_can_be(written: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        splits.parts(written)


def task(folder: Path, **keys: str) -> Task:
    for split, size in (("test", 10), ("train", 4)):
        rows = "".join(json.dumps({"n": f"{split} {number}"}) + "\n" for number in range(size))
        (folder / f"{split}.jsonl").write_text(rows)
    return Task(TaskConfig(task="t", file=folder / "t.yaml", dataset_path=".", **keys))


def test_a_task_is_asked_the_rows_of_its_slice(tmp_path: Path) -> None:
    made = task(tmp_path, test_split="test[-2:]+train[:50%]", training_split="train")
    assert [row["n"] for row in made.evaluation_rows()] == ["test 8", "test 9", "train 0", "train 1"]
    assert [row["n"] for row in made.shot_rows().rows] == [f"train {number}" for number in range(4)]
    assert not made.shots_keep_places
    whole = task(tmp_path, test_split="test[-2:]")
    assert made.digest() != whole.digest() != task(tmp_path, test_split="test[-3:]").digest()
    assert task(tmp_path, test_split="test[:5]", fewshot_split="test[:5]").shots_keep_places
    assert not task(tmp_path, test_split="test[5:]", fewshot_split="test[:5]").shots_keep_places


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"test_split": "tset"}, r"has no split 'tset'; did you mean 'test'\? \(there are: test, train\)"),
        ({"test_split": "dev[:5]"}, r"has no split 'dev' \(there are: test, train\)"),
        ({"test_split": "test[5]"}, r"t.yaml: test_split: 'test\[5\]' is not a split"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(tmp_path: Path, keys: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        task(tmp_path, **keys).evaluation_rows()
