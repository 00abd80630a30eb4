"""A task's documents and the pool of its few-shot examples."""

from __future__ import annotations

import gc
import json
import random
import weakref
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.files.task_file import read_task_file, task_config
from harness.tasks.task import Task


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split in ("train", "validation", "test", "dev"):
        rows = [{"id": f"{split} {number}", "n": number} for number in range(3)]
        (tmp_path / f"d/{split}.jsonl").parent.mkdir(exist_ok=True)
        (tmp_path / f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "u.py").write_text(
        "import random\n"
        "def keep(rows): return rows.filter(lambda row: row['n'] > 0)\n"
        "def other(rows): return rows.map(lambda row: {'id': 'other ' + row['id']})\n"
        "def shuffled(rows):\n"
        "    def f(row):\n"
        "        order = [1, 2, 3, 4, 5, 6, 7, 8]\n"
        "        random.shuffle(order)\n"
        "        return {'order': order}\n"
        "    return rows.map(f)\n"
        "def lists(rows): return [{'id': row['id']} for row in rows]\n"
        "def broken(rows): return rows.map(lambda row: {'x': row['none']})\n"
        "def nothing(rows): pass\n"
        "def samples(): return [{'id': 'sample'}]\n"
        "def made(**options): return {'test': [{'id': options['seed']}]}\n"
    )
    return tmp_path


def task(folder: Path, text: str, **options: Any) -> Task:
    (folder / "t.yaml").write_text(f"task: t\ndataset_path: d\n{text}")
    return Task(task_config(read_task_file(folder / "t.yaml")), **options)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_the_test_split_is_asked_else_the_validation_split(folder: Path) -> None:
    both = task(folder, "validation_split: validation\ntest_split: test\n")
    assert ids(both.evaluation_rows()) == ["test 0", "test 1", "test 2"]
    one = task(folder, "validation_split: validation\nprocess_docs: !function u.keep\n")
    assert ids(one.evaluation_rows()) == ["validation 1", "validation 2"]
    with pytest.raises(UserError, match="neither `test_split` nor `validation_split`"):
        task(folder, "training_split: train\n").evaluation_rows()


ALL = "training_split: train\nvalidation_split: validation\ntest_split: test\nprocess_docs: !function u.keep\n"


@pytest.mark.parametrize(
    ("text", "split", "first", "evaluated", "excludes"),
    [
        (f"{ALL}fewshot_split: dev\n", "dev", "dev 1", False, False),
        (f"{ALL}fewshot_split: test\n", "test", "test 1", True, True),
        (f"{ALL}fewshot_split: train\nfewshot_config: {{split: dev}}\n", "dev", "dev 1", False, False),
        (f"{ALL}fewshot_split: dev\nfewshot_config: {{process_docs: null}}\n", "dev", "dev 0", False, False),
        (f"{ALL}fewshot_split: dev\nfewshot_config: {{samples: [{{id: s}}]}}\n", "dev", "dev 1", False, False),
        (f"{ALL}fewshot_config: {{samples: [{{id: s}}]}}\n", None, "s", False, False),
        (f"{ALL}fewshot_config: {{samples: !function u.samples}}\n", None, "sample", False, False),
        (ALL, "train", "train 1", False, False),
        (f"{ALL}fewshot_config: {{process_docs: !function u.other}}\n", "train", "train 1", False, False),
        (ALL.replace("training_split", "# "), "validation", "validation 1", False, False),
        (ALL.replace("training_split", "# ").replace("test_split", "# "), "validation", "validation 1", True, True),
        ("test_split: test\n", "test", "test 0", True, False),
        ("training_split: train\nvalidation_split: validation\n", "train", "train 0", False, True),
    ],
)
def test_the_pool_of_worked_examples(
    folder: Path, text: str, split: str | None, first: str, evaluated: bool, excludes: bool
) -> None:
    made = task(folder, text)
    shots = made.shot_rows()
    assert (shots.split, shots.rows[0]["id"]) == (split, first)
    assert (made.shots_are_evaluated, made.lm_eval_excludes) == (evaluated, excludes)
    assert made.shots_keep_places == evaluated


def test_two_names_of_the_same_data_are_seen_through(folder: Path) -> None:
    text = "training_split: train\ntest_split: test\n"
    table = {"d": str(folder / "d/dev.jsonl")}
    made = task(folder, text, data=table)
    assert ids(made.shot_rows().rows) == ids(made.evaluation_rows()) == ["dev 0", "dev 1", "dev 2"]
    assert made.shots_are_evaluated and made.shots_keep_places and not made.lm_eval_excludes
    other = "fewshot_split: train\ntest_split: test\nfewshot_config: {process_docs: !function u.keep}\n"
    made = task(folder, other, data=table)
    assert made.shots_are_evaluated and not made.shots_keep_places
    assert not task(folder, text).shots_are_evaluated


def test_process_docs_may_give_a_list_and_draws_the_same_each_time(folder: Path) -> None:
    assert ids(task(folder, "test_split: test\nprocess_docs: !function u.lists\n").evaluation_rows())[0] == "test 0"
    first = task(folder, "test_split: test\nprocess_docs: !function u.shuffled\n").evaluation_rows()
    random.seed(5)
    before = random.getstate()
    again = task(folder, "test_split: test\nprocess_docs: !function u.shuffled\n").evaluation_rows()
    assert first == again and random.getstate() == before
    expected = [1, 2, 3, 4, 5, 6, 7, 8]
    random.Random(0).shuffle(expected)
    assert first[0]["order"] == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("test_split: tset\n", "has no split 'tset'; did you mean 'test'? (there are: dev, test, train, validation)"),
        ("test_split: tset\n", "`test_split: tset`"),
        ("test_split: test\nprocess_docs: !function u.broken\n", "`process_docs` (broken) fails for t: KeyError"),
        ("test_split: test\nprocess_docs: !function u.nothing\n", "`process_docs` (nothing) gives back no rows"),
        ("test_split: test\ncustom_dataset: !function u.made\n", "--allow-task-code"),
    ],
)
def test_what_goes_wrong_is_told(folder: Path, text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        task(folder, text).evaluation_rows()
    assert told in str(caught.value)


def test_a_data_set_made_by_task_code(folder: Path) -> None:
    text = "test_split: test\ncustom_dataset: !function u.made\nmetadata: {seed: '7'}\n"
    assert ids(task(folder, text, allow_task_code=True).evaluation_rows()) == ["7"]
    text = text.replace("test_split: test", "test_split: tests")
    with pytest.raises(UserError, match="did you mean 'test'"):
        task(folder, text, allow_task_code=True).evaluation_rows()


def test_a_missing_pool_matters_only_where_shots_are_drawn(folder: Path) -> None:
    made = task(folder, "training_split: none\ntest_split: test\n")
    assert made.digest() != task(folder, "training_split: train\ntest_split: test\n").digest()
    assert ids(made.evaluation_rows())
    with pytest.raises(UserError, match="has no split 'none'"):
        made.shot_rows()


def test_a_task_that_nobody_holds_goes_at_once_and_with_it_the_process_of_its_code(folder: Path) -> None:
    made = task(folder, "test_split: test\nprocess_docs: !function u.keep\n")
    assert ids(made.evaluation_rows()) == ["test 1", "test 2"]
    process = weakref.ref(made._asking)
    gc.disable()
    try:
        del made
        assert process() is None
    finally:
        gc.enable()
