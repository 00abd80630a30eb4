"""Task files: includes, tags, groups, scalars as YAML has them, and every mistake with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.code.functions import DOCUMENT_KEYS, functions_of
from harness.tasks.config import FilterStep, Function, TaskConfig
from harness.tasks.files.task_file import kind, read_task_file, tags, task_config


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def config(folder: Path, text: str) -> TaskConfig:
    return task_config(read_task_file(write(folder, "t.yaml", text)))


def needing_permission(made: TaskConfig) -> list[str]:
    return [key for key, _ in functions_of(made) if key not in DOCUMENT_KEYS]


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        config(folder, text)
    return str(caught.value)


def test_includes_are_merged_underneath_in_order_and_through_files_without_ending(tmp_path: Path) -> None:
    write(tmp_path, "_base", "dataset_path: base\ntest_split: test\ndoc_to_text: base\n")
    write(tmp_path, "sub/_middle_yaml", "include: ../_base\ndoc_to_text: middle\nnum_fewshot: 2\n")
    write(tmp_path, "_other", "num_fewshot: 3\n")
    made = config(tmp_path, "include: [sub/_middle_yaml, _other]\ntask: t\ndataset_path: mine\n")
    assert (made.dataset_path, made.test_split, made.doc_to_text, made.num_fewshot) == ("mine", "test", "middle", 3)


def test_the_same_file_may_be_included_by_two_ways_but_not_by_itself(tmp_path: Path) -> None:
    write(tmp_path, "_base", "test_split: test\n")
    write(tmp_path, "_a", "include: _base\n")
    write(tmp_path, "_b", "include: _base\n")
    assert config(tmp_path, "include: [_a, _b]\ntask: t\n").test_split == "test"
    write(tmp_path, "_base", "include: t.yaml\n")
    assert "circle" in refusal(tmp_path, "include: _a\ntask: t\n")
    assert "the included file _none does not exist" in refusal(tmp_path, "include: _none\ntask: t\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("? [a, b]\n: 1", "a key must be a word, and this one is a list"),
        ("metadata: {{a: b}: 1}", "a key must be a word, and this one is a mapping"),
        ("~: 1", "a key must be a word"),
        ("2026-01-05: 1", "a key must be a word"),
        ("metadata: {2026-01-05: 1}", "a key of `metadata` must be a word; put 2026-01-05 in quotes"),
        ("metadata: {<<: 3}", "not valid YAML: expected a mapping or list of mappings for merging, but found scalar"),
        ("description: 2026-13-45", "YAML reads `2026-13-45` as a date, which fails (month must be in 1..12)"),
        ("metadata: {when: [2026-02-30]}", "YAML reads `2026-02-30` as a date, which fails"),
        ("doc_to_text: !function u.f\nmetadata: {2026-02-30: 1}", "YAML reads `2026-02-30` as a date, which fails"),
        ("metadata: {v: 0x_}", "YAML reads `0x_` as a whole number, which fails"),
        ("metadata: {v: !!bool maybe}", "YAML reads `maybe` as true or false, which fails (it is not one)"),
    ],
)
def test_what_yaml_cannot_read_is_named_with_file_and_line(tmp_path: Path, line: str, why: str) -> None:
    place = tmp_path / "t.yaml"
    told = refusal(tmp_path, f"task: t\n{line}\n")
    assert told.startswith(f"{place}:{3 if '!function' in line else 2}: {why}") and "\n" not in told


def test_keys_may_be_merged_and_metadata_may_hold_dates(tmp_path: Path) -> None:
    made = config(tmp_path, "task: t\n<<: {num_fewshot: 2}\nmetadata: {<<: {version: 1}, when: 2026-01-05}\n")
    assert (made.num_fewshot, made.metadata["version"], str(made.metadata["when"])) == (2, 1, "2026-01-05")


def test_lists_without_end_are_refused_in_one_sentence(tmp_path: Path) -> None:
    told = refusal(tmp_path, "task: t\nmetadata: &m {x: *m}\n")
    assert told.endswith("t.yaml:2: an anchor refers to itself; write out what is meant")
    for depth in (60, 900, 100_000):  # from some ten thousand on libyaml's loader would crash the process
        told = refusal(tmp_path, f"task: t\nmetadata: {{x: {'[' * depth}{']' * depth}}}\n")
        assert told.endswith("t.yaml:2: lists or mappings are nested too deeply; write it flatter")


def test_a_function_is_found_beside_the_file_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, "base/utils.py", "def f(rows): return rows\n")
    write(tmp_path, "base/_base", "process_docs: !function utils.f\ndoc_to_text: !function deep.er.g\n")
    made = config(tmp_path, "include: base/_base\ntask: t\n")
    assert made.process_docs == Function(file=tmp_path / "base/utils.py", name="f")
    assert made.doc_to_text == Function(file=tmp_path / "base/deep/er.py", name="g")


def test_a_function_may_be_named_by_its_package(tmp_path: Path) -> None:
    there = write(tmp_path, "copied/mmlu/utils.py", "")
    write(tmp_path, "copied/other/t.yaml", "task: t\nprocess_docs: !function lm_eval.tasks.mmlu.utils.f\n")
    made = task_config(read_task_file(tmp_path / "copied/other/t.yaml"))
    assert made.process_docs is not None and made.process_docs.file == there
    write(tmp_path, "copied/other/t.yaml", "task: t\nprocess_docs: !function copied.mmlu.utils.f\n")
    made = task_config(read_task_file(tmp_path / "copied/other/t.yaml"))
    assert made.process_docs is not None and made.process_docs.file == there


def test_metrics_and_filters_are_normalized(tmp_path: Path) -> None:
    made = config(
        tmp_path,
        """
task: t
metric_list:
  - {metric: exact_match, aggregation: mean, ignore_case: true, regexes_to_ignore: [","]}
filter_list:
  - {name: strict, filter: [{function: regex, regex_pattern: "(\\\\d+)"}, {function: take_first}]}
  - {filter: [{function: lowercase}, {function: take_first}]}
""",
    )
    assert made.metric_list[0].options == {"ignore_case": True, "regexes_to_ignore": [","]}
    assert made.filter_list[0].steps[0] == FilterStep(function="regex", options={"regex_pattern": "(\\d+)"})
    assert [pipeline.name for pipeline in made.filter_list] == ["strict", "lowercase+take_first"]


def test_scalars_are_those_of_yaml_1_1_and_null_means_the_default(tmp_path: Path) -> None:
    made = config(
        tmp_path,
        "task: t\ndataset_name: 2020\ndoc_to_choice: [no, yes]\ntarget_delimiter: null\nmetadata: 3\nrepeats: null\n"
        "doc_to_target: 0\ntest_split: a\ntest_split: b\n",
    )
    assert made.dataset_name == "2020"
    assert made.doc_to_choice == [False, True]
    assert made.target_delimiter == " " and made.repeats == 1
    assert made.metadata == {"_metadata": 3}
    assert made.doc_to_target == 0
    assert made.test_split == "b"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("task: t\ndoc_to_txt: x\n", "t.yaml:2: a task knows no key 'doc_to_txt'; did you mean 'doc_to_text'?"),
        ("task: t\n\ndoc_to_image: x\n", "t.yaml:3: `doc_to_image`: tasks with images aren't supported"),
        ("task: t\nuse_prompt: x\n", "promptsource"),
        ("task: t\nclass: !function task.T\n", "Python class"),
        (
            "task: t\noutput_type: multiple_choise\n",
            "t.yaml:2: there is no output type 'multiple_choise'; did you",
        ),
        ("task: t\nnum_fewshot: many\n", "t.yaml:2: `num_fewshot` can't be 'many'"),
        ("task: t\ndataset_name: no\n", "`dataset_name` is false; YAML reads no"),
        ("task: t\nmetric_list: [acc]\n", "`metric_list` is a list of mappings"),
        ("task: t\nmetric_list: [{aggregation: mean}]\n", "no `metric`"),
        ("task: t\nfilter_list: [{name: x, filters: []}]\n", "knows no 'filters'; did you mean 'filter'?"),
        (
            "task: t\nfewshot_config: {samplers: first_n}\n",
            "`fewshot_config` knows no 'samplers'; did you mean",
        ),
        ("task: t\nprocess_docs: !function f\n", "t.yaml:2: `!function f` names no file"),
        ("task: t\nreasoning: {cots: {}}\n", "`reasoning` knows no 'cots'; did you mean 'cot'?"),
        ("task: t\nreasoning: {cot: {doc_to_txt: x}}\n", "knows no key 'doc_to_txt' in `reasoning`"),
        ("task: [\n", "not valid YAML"),
        ("- a\n", "a task file is a mapping of keys"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(tmp_path, text)


def test_a_mistake_in_an_included_file_is_placed_there(tmp_path: Path) -> None:
    write(tmp_path, "_base", "# line 1\ndoc_to_txt: x\n")
    assert "_base:2:" in refusal(tmp_path, "include: _base\ntask: t\n")


def test_ways_of_reasoning_hold_what_a_task_holds(tmp_path: Path) -> None:
    made = config(
        tmp_path,
        "task: t\nreasoning:\n  cot:\n    doc_to_target: '{{steps}}'\n"
        "    filter_list: [{filter: [{function: take_first}]}]\n    process_docs: !function u.f\n",
    )
    cot = made.model_copy(update=made.reasoning["cot"])
    assert cot.doc_to_target == "{{steps}}" and cot.filter_list[0].steps[0].function == "take_first"
    assert [key for key, _ in functions_of(made)] == ["process_docs"]


def test_which_functions_need_permission(tmp_path: Path) -> None:
    free = (
        "task: t\nprocess_docs: !function u.f\ndoc_to_text: !function u.f\nfewshot_config: {samples: !function u.f}\n"
    )
    assert needing_permission(config(tmp_path, free)) == []
    for text, key in [
        ("process_results: !function u.f\n", "process_results"),
        ("metric_list: [{metric: acc, aggregation: !function u.f}]\n", "metric_list.aggregation"),
        ("metric_list: [{metric: !function u.f}]\n", "metric_list.metric"),
        ("filter_list: [{filter: [{function: !function u.F}]}]\n", "filter_list.function"),
        ("filter_list: [{filter: [{function: custom, filter_fn: !function u.f}]}]\n", "filter_list.filter_fn"),
        ("custom_dataset: !function u.f\n", "custom_dataset"),
        ("fewshot_config: {sampler: !function u.F}\n", "fewshot_config.sampler"),
    ]:
        made = config(tmp_path, free.replace("fewshot_config", "# fewshot_config") + text)
        assert needing_permission(made)[0] == key


def test_kinds_and_tags() -> None:
    assert kind({"task": "t"}) == "task"
    assert kind({"group": "g", "task": ["a"]}) == "group"
    assert kind({"task": "t", "class": "x"}) == "class"
    assert kind({"dataset_path": "x"}) is None
    assert kind({"task": "t", "group": "old"}) == "task"
    assert tags({"task": "t", "group": ["old", "new"], "tag": "new"}) == ["new", "old"]
