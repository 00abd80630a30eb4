"""What the values of a data file mean, from the file to the answers that count as right."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import UserError
from harness.measures.measure import NOTES
from harness.measures.task.documents import documents, prepared
from harness.measures.task.settings import TaskSettings
from harness.tasks.ask import Asked, Broken, ChoiceAnswer
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging.choice_scores import chance, score_choices

CHOICES = "output_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_choice: '{{[a, b]}}'\ndoc_to_target: gold\n"
WRITTEN = "output_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: a\nmetric_list: [{metric: exact_match}]\n"


def ask(folder: Path, content: str | list[dict[str, Any]], keys: str, **settings: Any) -> list[Asked | Broken]:
    """The documents of a task on a CSV file, or on rows as JSON lines."""
    name = "rows.csv" if isinstance(content, str) else "rows.jsonl"
    written = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    (folder / name).write_text(written)
    return ask_file(folder, name, keys, **settings)


def ask_file(folder: Path, name: str, keys: str, **settings: Any) -> list[Asked | Broken]:
    split, notes = settings.pop("split", "test"), settings.pop("notes", None)
    (folder / "t.yaml").write_text(f"task: t\ndataset_path: {name}\ntest_split: {split}\n{keys}")
    asked_for = TaskSettings(task=str(folder / "t.yaml"), **settings)
    (task,) = prepared(TaskLibrary((), allow_task_code=True).open(asked_for.task), asked_for)
    model: Any = SimpleNamespace(identity=SimpleNamespace(thinking=(), end_strings=()))  # asked for nothing else
    return documents(task, model, asked_for, notes)


def golds(found: list[Asked | Broken]) -> list[Any]:
    return ["broken" if isinstance(one, Broken) else one.gold for one in found]


def targets(found: list[Asked | Broken]) -> list[Any]:
    return ["broken" if isinstance(one, Broken) else one.target for one in found]


def test_a_text_that_looks_like_something_else_is_asked_and_compared_as_it_is(tmp_path: Path) -> None:
    texts = ["[2]", "['a']", "7", "1.50", "True", "None", "nan", "{'a': 1}", "[x", "007"]
    for target in ("a", "'{{a}}'"):
        keys = WRITTEN.replace("doc_to_target: a", f"doc_to_target: {target}")
        rows = [{"q": text, "a": text} for text in texts]
        for content in ("q,a\n" + "".join(f'"{text}","{text}"\n' for text in texts), rows):
            found = ask(tmp_path, content, keys)
            assert targets(found) == texts
            assert [one.requests[0].context for one in found if isinstance(one, Asked)] == texts  # type: ignore[union-attr]


def test_values_of_json_are_written_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"q": "x", "a": value} for value in (True, False, 7, 1.5, ["a", "b"], [True, 2], None, {"text": "a"}, [None])
    ]
    found = targets(ask(tmp_path, rows, WRITTEN))
    assert found == ["True", "False", "7", "1.5", ("a", "b"), ("True", "2"), "broken", "broken", "broken"]


def test_values_of_parquet_are_written_as_they_are(tmp_path: Path) -> None:
    values = {
        "price": pa.array([decimal.Decimal("1.50")]),
        "when": pa.array([datetime.date(2020, 1, 2)]),
        "whole": pa.array([7, None])[:1],
        "raw": pa.array([b"x"]),
    }
    pq.write_table(pa.table({"q": ["x"], **values}), tmp_path / "rows.parquet")
    told = {}
    for column in values:
        found = ask_file(tmp_path, "rows.parquet", WRITTEN.replace("doc_to_target: a", f"doc_to_target: {column}"))
        (told[column],) = targets(found)
    assert told == {"price": "1.50", "when": "2020-01-02", "whole": "7", "raw": "broken"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1", "0"], [0, 1, 0]),
        (["A", "B", "A"], [0, 1, 0]),  # the choices' texts
        (["1", "", "0"], [1, "broken", 0]),  # a blank one is its own row's fault
        (["1", "7", "0"], [1, "broken", 0]),
        (["1", "2", "2"], [0, 1, 1]),  # they count from 1
    ],
)
def test_labels_of_csv(tmp_path: Path, labels: list[str], expected: list[Any]) -> None:
    rows = "q,a,b,gold\n" + "".join(f"x,A,B,{label}\n" for label in labels)
    assert golds(ask(tmp_path, rows, CHOICES)) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1], [0, 1]),
        ([1, None, 0], [1, "broken", 0]),
        ([False, True], [0, 1]),
        ([1, 2], [0, 1]),
        ([0, 2], [0, "broken"]),
    ],
)
def test_labels_of_json(tmp_path: Path, labels: list[Any], expected: list[Any]) -> None:
    rows = [{"q": "x", "a": "A", "b": "B", "gold": label} for label in labels]
    assert golds(ask(tmp_path, rows, CHOICES)) == expected


def test_labels_that_count_from_1_are_told_and_shown_right_in_examples(tmp_path: Path) -> None:
    rows = "q,a,b,gold\n" + "".join(f"q{n},A{n},B{n},{1 + n % 2}\n" for n in range(6))
    notes: list[str] = []
    found = ask(tmp_path, rows, CHOICES, shots=2, notes=notes)
    assert notes == ["t: labels count from 1 (none is 0, one is the number of choices), so 1 is the first choice"]
    for document, one in enumerate(found):
        assert isinstance(one, Asked) and one.gold == document % 2
        for shot in one.shots:
            assert f"q{shot} {'AB'[shot % 2]}{shot}\n" in one.requests[0].context  # type: ignore[union-attr]
    assert NOTES == "notes"
    assert ask(tmp_path, rows, CHOICES, documents=1, notes=notes)[0].gold == 0  # type: ignore[union-attr]
    assert len(notes) == 2  # the whole split says it, whatever is asked of it
    assert golds(ask(tmp_path, rows, CHOICES, mode="lm-eval", notes=notes)) == [1, 2, 1, 2, 1, 2] and len(notes) == 2


def ask_splits(folder: Path, splits: dict[str, list[dict[str, Any]]], keys: str, **settings: Any) -> list[Any]:
    """The documents of a task whose data are a folder with a file for each split. keys: name the splits."""
    (folder / "data").mkdir(exist_ok=True)
    for name, rows in splits.items():
        (folder / "data" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ask_file(folder, "data", keys, **settings)


def labeled(labels: list[Any], choices: list[str], name: str = "") -> list[dict[str, Any]]:
    return [{"id": f"{name}{n}", "q": f"{name}q{n}", "c": choices, "gold": label} for n, label in enumerate(labels)]


LISTED = CHOICES.replace("'{{[a, b]}}'", "c")
BOTH = "training_split: train\n"


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize("as_text", [False, True])
def test_labels_mean_the_same_at_any_number_of_examples(tmp_path: Path, shots: int, as_text: bool) -> None:
    def told(labels: list[int]) -> list[Any]:
        return [str(label) for label in labels] if as_text else list(labels)

    abc = ["A", "B", "C"]
    splits = {"test": labeled(told([1, 2, 1]), abc), "train": labeled(told([1, 2, 3, 3, 2, 1]), abc, "t")}
    notes: list[str] = []
    assert golds(ask_splits(tmp_path, splits, BOTH + LISTED, shots=shots, notes=notes)) == [0, 1, 0]
    assert len(notes) == 1 and "count from 1" in notes[0]
    splits["train"] = labeled(told([1, 2, 0]), abc, "u")
    assert golds(ask_splits(tmp_path, splits, BOTH + LISTED, shots=shots, notes=notes)) == [1, 2, 1]
    assert golds(ask_splits(tmp_path, splits, BOTH + LISTED, shots=shots, mode="lm-eval")) == (
        [None] * 3 if as_text else [1, 2, 1]
    )


def test_without_the_examples_data_the_split_that_is_asked_says_it(tmp_path: Path) -> None:
    splits = {"test": labeled([1, 2, 1], ["A", "B", "C"])}
    assert golds(ask_splits(tmp_path, splits, BOTH + LISTED)) == [1, 2, 1]
    with pytest.raises(UserError, match="'train'"):
        ask_splits(tmp_path, splits, BOTH + LISTED, shots=1)


@pytest.mark.parametrize("processed", [False, True])
def test_labels_of_a_slice_are_those_of_the_whole_split(tmp_path: Path, processed: bool) -> None:
    keys = LISTED
    rows = labeled([1, 2, 1, 2, 3, 3], ["A", "B", "C"])
    if processed:
        (tmp_path / "own.py").write_text("def named(rows):\n    return rows.rename_column('label', 'gold')\n")
        rows = [{"label" if key == "gold" else key: value for key, value in row.items()} for row in rows]
        keys += "process_docs: !function own.named\n"
    notes: list[str] = []
    assert golds(ask_splits(tmp_path, {"test": rows}, keys, split="test[:3]", notes=notes)) == [0, 1, 0]
    assert len(notes) == 1 and "count from 1" in notes[0]


@pytest.mark.parametrize("shots", [0, 1])
def test_labels_of_sliced_examples_are_those_of_the_whole_split(tmp_path: Path, shots: int) -> None:
    abc = ["A", "B", "C"]
    splits = {"test": labeled([1, 2, 1], abc), "train": labeled([1, 2, 3], abc, "t")}
    keys = "training_split: train[:2]\n" + LISTED
    assert golds(ask_splits(tmp_path, splits, keys, shots=shots)) == [0, 1, 0]
    own = "fewshot_split: test[:2]\n" + LISTED
    splits = {"test": labeled([1, 2, 1, 3], abc)}
    assert golds(ask_splits(tmp_path, splits, own, split="test[:2]", shots=shots)) == [0, 1]


@pytest.mark.parametrize("sampler", ["random", "first_n", "balanced"])
def test_a_question_with_digits_as_choices_is_not_its_own_example(tmp_path: Path, sampler: str) -> None:
    digits = ["1", "2", "3"]
    asked = labeled(["1", "2", "3"], digits)
    splits = {"test": asked, "train": [row | {"id": f"t{n}"} for n, row in enumerate(asked)]}
    found = ask_splits(tmp_path, splits, BOTH + LISTED, shots=2, sampler=sampler)
    assert golds(found) == [0, 1, 2]
    assert [sorted(one.shots) for one in found] == [[1, 2], [0, 2], [0, 1]]
    mixed = [
        *labeled(["A", "B", "C"], ["A", "B", "C"], "w"),
        *labeled(["1", "2", "4"], ["1", "2", "3", "4"], "d"),
    ]
    splits = {"test": mixed, "train": [row | {"id": f"t{n}"} for n, row in enumerate(mixed)]}
    found = ask_splits(tmp_path, splits, BOTH + LISTED, shots=5, sampler=sampler)
    assert golds(found) == [0, 1, 2, 0, 1, 3]
    assert all(sorted(one.shots) == [place for place in range(6) if place != one.document] for one in found)


def test_whole_numbers_that_are_values_refuse_the_task_and_the_fix_works(tmp_path: Path) -> None:
    splits = {"test": labeled([3, 5, 7], ["3", "5", "7", "9"])}
    with pytest.raises(UserError, match=r"document 1: the right answer 5 is ambiguous"):
        ask_splits(tmp_path, splits, LISTED)
    fixed = LISTED.replace("doc_to_target: gold", "doc_to_target: '{{c.index(gold|string)}}'")
    assert golds(ask_splits(tmp_path, splits, fixed)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("label", "choices", "expected"),
    [
        (2, [" Paris", "b", " Paris"], (2, 0)),
        (" Paris", [" Paris", "b", " Paris"], (0, 2)),
        (1, [" Paris", "b", " Paris"], 1),
        ([0, 1], ["a", "b", "a"], (0, 1, 2)),
        ("cafe\u0301", ["th\u00e9", "caf\u00e9"], 1),
        (" yes", ["no", "yes"], 1),
    ],
)
def test_a_choice_with_the_text_of_the_right_one_is_right(
    tmp_path: Path, label: Any, choices: list[str], expected: Any
) -> None:
    (found,) = ask(tmp_path, labeled([label], choices), LISTED)
    assert isinstance(found, Asked) and found.gold == expected
    answers = [ChoiceAnswer(-1.0 - place, False, 1) for place in range(len(choices))]
    right = expected if isinstance(expected, tuple) else (expected,)
    assert score_choices(found, answers, "right", "t.yaml").items["acc"] == float(0 in right)
    assert chance(found) == len(right) / len(choices)


def test_a_number_is_asked_and_shown_as_a_question(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"n": n, "a": "odd"} for n in (5, 7, 9)]
    for found in ask(tmp_path, rows, WRITTEN.replace("'{{q}}'", "n"), shots=2):
        assert isinstance(found, Asked)
        shown = "".join(f"{rows[place]['n']} odd\n\n" for place in found.shots)
        assert found.requests[0].context == f"{shown}{rows[found.document]['n']}"  # type: ignore[union-attr]


def test_an_ambiguous_label_refuses_the_task_and_the_fixes_work(tmp_path: Path) -> None:
    rows = "q,a,b,gold\nx,5,6,0\ny,2,3,1\nz,1,0,1\n"
    with pytest.raises(UserError, match=r"t.yaml:doc_to_target: document 2: the right answer '1' is ambiguous"):
        ask(tmp_path, rows, CHOICES)
    as_index = CHOICES.replace("doc_to_target: gold", "doc_to_target: '{{gold|int}}'")
    assert golds(ask(tmp_path, rows, as_index)) == [0, 1, 1]
    as_text = CHOICES.replace("doc_to_target: gold", "doc_to_target: '{{[a, b].index(gold)}}'")
    assert golds(ask(tmp_path, rows, as_text)) == ["broken", "broken", 0]


def test_choices_that_are_whole_questions_are_labeled_by_the_text(tmp_path: Path) -> None:
    keys = CHOICES.replace("doc_to_text: '{{q}}'", "doc_to_text: gold").replace(
        "doc_to_target: gold", "doc_to_target: ending"
    )
    rows = "a,b,gold,ending\nAnn,Bob,1,was tall.\nEve,Dan,2,was late.\n"
    found = ask(tmp_path, rows, keys)
    assert golds(found) == [0, 1]
    assert [request.context for request in found[1].requests] == ["Eve", "Dan"]  # type: ignore[union-attr]


def test_a_missing_value_breaks_only_what_writes_it(tmp_path: Path) -> None:
    rows = [{"q": "x", "hint": None, "a": "1"}, {"q": "y", "hint": "h", "a": "2"}, {"q": "z", "a": "3"}]
    tested = WRITTEN.replace("'{{q}}'", "'{{q}}{% if hint %} ({{hint}}){% endif %}'")
    assert [one.requests[0].context for one in ask(tmp_path, rows, tested)] == ["x", "y (h)", "z"]  # type: ignore[union-attr]
    written = ask(tmp_path, rows, WRITTEN.replace("'{{q}}'", "'{{q}} {{hint}}'"))
    assert targets(written) == ["broken", "2", "broken"]
    assert "document 0: the template writes `hint`, which is null here" in written[0].reason  # type: ignore[union-attr]
    empty = ask(tmp_path, "q,hint,a\nx,,1\n", WRITTEN.replace("'{{q}}'", "'{{q}} {{hint}}A:'"))
    assert empty[0].requests[0].context == "x A:"  # type: ignore[union-attr]


def test_lm_eval_guesses_as_it_does(tmp_path: Path) -> None:
    found = ask(
        tmp_path,
        [{"q": None, "a": "[2]"}],
        WRITTEN.replace("doc_to_target: a", "doc_to_target: '{{a}}'"),
        mode="lm-eval",
    )
    assert targets(found) == [("2",)] and found[0].requests[0].context == "None"  # type: ignore[union-attr]
    assert targets(ask(tmp_path, "q,a\nx,007\ny,NA\n", WRITTEN, mode="lm-eval")) == ["7.0", "None"]
