"""What is told of a task before anything runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.measures.task.measure import notes
from harness.measures.task.settings import TaskSettings
from harness.tasks.files.library import TaskLibrary

TASK = """task: {name}
dataset_path: rows.jsonl
test_split: test
output_type: generate_until
doc_to_text: q
doc_to_target: a
metric_list: [{{metric: {metric}}}]
filter_list: [{{name: strict, filter: [{{function: take_first}}]}}]
"""
ROWS = '{"q": "x", "a": "y"}\n'


def told(folder: Path, group: str) -> tuple[str, ...]:
    for name, metric in (("one", "exact_match"), ("two", "exact_match"), ("own", "!function own.judge")):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, metric=metric))
    (folder / "g.yaml").write_text(group)
    (folder / "rows.jsonl").write_text(ROWS)
    return notes(TaskLibrary((str(folder),)), TaskSettings(task="g"))


@pytest.mark.parametrize(
    ("aggregate", "named"),
    [
        ("[{metric: acc}]", "`acc`"),
        ("[{metric: exact_match, filter_list: loose}]", "`exact_match` with the filter `loose`"),
        ("[{metric: exact_match}, {metric: f1, filter_list: [strict]}]", "`f1` with the filter `strict`"),
    ],
)
def test_a_group_that_asks_for_what_no_task_gives_is_told(tmp_path: Path, aggregate: str, named: str) -> None:
    [note] = told(tmp_path, f"group: g\ntask: [one, two]\naggregate_metric_list: {aggregate}\n")
    assert note == (
        f"group g: `aggregate_metric_list` names {named}, which no task of the group gives "
        "(they give `exact_match/strict`); their own numbers are kept"
    )


@pytest.mark.parametrize("aggregate", ["[{metric: exact_match}]", "[{metric: exact_match, filter_list: strict}]", "[]"])
def test_a_group_that_asks_for_what_its_tasks_give_is_left_alone(tmp_path: Path, aggregate: str) -> None:
    assert told(tmp_path, f"group: g\ntask: [one, two]\naggregate_metric_list: {aggregate}\n") == ()


def test_groups_within_groups_are_looked_through(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text("group: inner\ntask: [one]\naggregate_metric_list: [{metric: acc}]\n")
    found = told(tmp_path, "group: g\ntask: [inner, two]\naggregate_metric_list: [{metric: f1}]\n")
    assert [note.split(":")[0] for note in found] == ["group g", "group inner"]


def test_what_only_code_of_the_file_knows_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def judge(predictions, references): return {'mine': 1}\n")
    library = TaskLibrary((str(tmp_path),), allow_task_code=True)
    told(tmp_path, "group: g\ntask: [one]\n")
    (tmp_path / "g.yaml").write_text("group: g\ntask: [one, own]\naggregate_metric_list: [{metric: mine}]\n")
    assert notes(library, TaskSettings(task="g")) == ()


def test_a_package_that_one_task_of_a_group_lacks_is_told_and_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "lacks.py").write_text("import package_that_is_absent\ndef judge(doc, results): return {'acc': 1}\n")
    (tmp_path / "bad.yaml").write_text(
        TASK.format(name="bad", metric="acc") + "process_results: !function lacks.judge\n"
    )
    (tmp_path / "one.yaml").write_text(TASK.format(name="one", metric="exact_match"))
    (tmp_path / "g.yaml").write_text("group: g\ntask: [one, bad]\n")
    (tmp_path / "rows.jsonl").write_text(ROWS)
    library = TaskLibrary((str(tmp_path),), allow_task_code=True)
    [note] = notes(library, TaskSettings(task="g"))
    assert "pip install 'package-that-is-absent'" in note
    assert library.missing("g") is None
    assert library.missing("bad") == note


@pytest.mark.parametrize(
    "data",
    [
        "dataset_path: gone.jsonl",
        "dataset_path: json\ndataset_kwargs: {data_files: {test: gone.jsonl}}",
        "dataset_path: json\ndataset_kwargs: {data_files: {train: rows.jsonl}}",
        "dataset_path: asset:no-such-asset/gone.jsonl",
    ],
)
def test_data_that_one_task_of_a_group_lacks_are_told_and_cost_the_others_nothing(tmp_path: Path, data: str) -> None:
    (tmp_path / "one.yaml").write_text(TASK.format(name="one", metric="exact_match"))
    bad = TASK.format(name="bad", metric="exact_match").replace("dataset_path: rows.jsonl", data)
    (tmp_path / "bad.yaml").write_text(bad)
    (tmp_path / "g.yaml").write_text("group: g\ntask: [one, bad]\n")
    (tmp_path / "rows.jsonl").write_text(ROWS)
    library = TaskLibrary((str(tmp_path),))
    [note] = notes(library, TaskSettings(task="g"))
    assert "bad.yaml" in note
    without = library.digest("g")
    library.ensure("g")
    with pytest.raises(UserError, match=r"bad\.yaml"):
        library.digest("bad")
    (tmp_path / "gone.jsonl").write_text(ROWS)
    assert ("gone" in data and "asset" not in data) == (TaskLibrary((str(tmp_path),)).digest("g") != without)


def test_a_day_may_stand_without_quotes() -> None:
    assert TaskSettings.model_validate({"task": "t", "date": date(2024, 2, 28)}).date == "2024-02-28"
    with pytest.raises(ValueError, match="is not a date"):
        TaskSettings(task="t", date="2024-02-30")
