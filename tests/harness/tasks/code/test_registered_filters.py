"""Filters that the helper of a task file registers under a name, as lm-evaluation-harness has them."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.code.functions import DOCUMENT_KEYS, functions_of
from harness.tasks.files.library import TaskLibrary
from harness.tasks.judging import filter_check, filters
from harness.tasks.task import Task

TASK = """
task: t
dataset_path: rows.jsonl
test_split: test
output_type: generate_until
doc_to_text: q
doc_to_target: a
metric_list: [{{metric: exact_match}}]
doc_to_decontamination_query: !function {helper}.query
filter_list:
  - name: p
    filter: [{{function: {name}, mark: "?"}}, {{function: take_first}}]
"""
HELPER = """
from lm_eval.api.filter import Filter
from lm_eval.api.registry import register_filter

def query(doc):
    return doc["q"]

@register_filter("shout")
class Shout(Filter):
    def __init__(self, mark="!", **options):
        super().__init__(**options)
        self.mark = mark

    def apply(self, resps, docs):
        return [[text.upper() + self.mark for text in texts] for texts in resps]
"""
BY_PATTERN = """
from lm_eval.api import registry
from lm_eval.filters.extraction import RegexFilter

def query(doc):
    return doc["q"]

class Digits(RegexFilter):
    def __init__(self, mark, **options):
        super().__init__(regex_pattern=r"(\\d+) ?", **options)

registry.register_filter("digits")(Digits)
"""


def opened(folder: Path, name: str, helper: str = HELPER, allow: bool = True, other: str = "") -> Task:
    (folder / "t.yaml").write_text(TASK.format(helper="helper", name=name), encoding="utf-8")
    (folder / "helper.py").write_text(helper, encoding="utf-8")
    if other:
        (folder / "other.py").write_text(other, encoding="utf-8")
    return TaskLibrary(paths=(str(folder),), allow_task_code=allow).open("t").tasks[0]


def made_of(task: Task, texts: list[str]) -> object:
    (pipeline,) = task.config.filter_list or ()
    return filters.apply(pipeline, texts, row={}, function=task.function, place="t.yaml").value


def test_a_registered_class_is_the_filter(tmp_path: Path) -> None:
    assert made_of(opened(tmp_path, "shout"), ["a"]) == "A?"


def test_also_one_that_inherits_lm_evals_pattern_filter(tmp_path: Path) -> None:
    task = opened(tmp_path, "digits", BY_PATTERN)
    assert made_of(task, ["so 72 apples"]) == "72"
    assert made_of(task, ["none"]) == "[invalid]"


@pytest.mark.parametrize(
    ("line", "decorator"),
    [
        ("import lm_eval.api.registry", "lm_eval.api.registry.register_filter"),
        ("import lm_eval.api.registry as r", "r.register_filter"),
        ("from lm_eval.api import registry", "registry.register_filter"),
        ("from lm_eval.api.registry import register_filter as known_as", "known_as"),
    ],
)
def test_however_the_decorator_is_imported(tmp_path: Path, line: str, decorator: str) -> None:
    helper = HELPER.replace("from lm_eval.api.registry import register_filter", line)
    task = opened(tmp_path, "shout", helper.replace("@register_filter", f"@{decorator}"))
    assert made_of(task, ["a"]) == "A?"


def test_also_in_a_file_that_the_helper_imports(tmp_path: Path) -> None:
    task = opened(tmp_path, "shout", "from other import query\n", other=HELPER)
    assert made_of(task, ["a"]) == "A?"


def test_it_runs_only_where_task_code_is_allowed(tmp_path: Path) -> None:
    task = opened(tmp_path, "shout", allow=False)
    assert [key for key, _ in functions_of(task.config) if key not in DOCUMENT_KEYS] == ["filter_list.function"]
    with pytest.raises(UserError, match=r"helper.py: `filter_list` is task code \(Shout\).*--allow-task-code"):
        made_of(task, ["a"])


def test_a_name_that_nobody_registers_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown filter `whisper`"):
        filter_check.check(opened(tmp_path, "whisper").config)


def test_the_same_name_in_two_folders_is_two_filters(tmp_path: Path) -> None:
    for name, mark in (("one", "1"), ("two", "2")):
        (tmp_path / name).mkdir()
        helper = HELPER.replace("text.upper()", f"'{mark}'")
        assert made_of(opened(tmp_path / name, "shout", helper), ["a"]) == f"{mark}?"
