"""Tasks by name: groups, tags, overrides, what is told of unknown names, and digests."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.files.library import TaskLibrary


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "_base": "dataset_path: x.jsonl\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\nnum_fewshot: 1\n",
        "x.jsonl": '{"q": "1", "a": "2"}\n',
        "one.yaml": "include: _base\ntask: one\ntag: all\n",
        "two.yaml": "include: _base\ntask: two\ntag: [all]\n",
        "three.yaml": "include: _base\ntask: three\nprocess_docs: !function u.f\n",
        "u.py": "import v\ndef f(rows): return rows\n",
        "v.py": "V = 1\n",
        "inner.yaml": "group: inner\ntask: [two]\nnum_fewshot: 2\n",
        "outer.yaml": """
group: outer
group_alias: Outer
task:
  - one
  - inner
  - {group: written, task: [{task: three, num_fewshot: 7}, {task: here, include_not: 1}]}
aggregate_metric_list:
  - {metric: acc}
metadata: {version: 1}
""".replace("include_not: 1", "dataset_path: x.jsonl, test_split: test, doc_to_text: q"),
        "deep.yaml": "group: deep\ntask: [{task: outer, num_fewshot: 5}]\ntest_split: validation\n",
        "tagged.yaml": "group: tagged\ntask: [all]\nnum_fewshot: 3\n",
        "python.yaml": "task: py\nclass: !function t.T\n",
    }
    root = tmp_path / "tree"
    root.mkdir()
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def library(*paths: Path) -> TaskLibrary:
    return TaskLibrary(tuple(map(str, paths)))


def shots(opened: object) -> dict[str, int]:
    return {task.name: task.config.num_fewshot for task in opened.tasks}  # type: ignore[attr-defined]


def test_a_task_and_a_tag(tree: Path) -> None:
    one = library(tree).open("one")
    assert (one.kind, [task.name for task in one.tasks], one.groups) == ("task", ["one"], ())
    assert one.tasks[0].evaluation_rows() == [{"q": "1", "a": "2"}]
    tag = library(tree).open("all")
    assert (tag.kind, [task.name for task in tag.tasks]) == ("tag", ["one", "two"])
    pattern = library(tree).open("t[wh]*")
    assert [task.name for task in pattern.tasks] == ["three", "two"]


def test_a_group_with_groups_within(tree: Path) -> None:
    opened = library(tree).open("outer")
    assert [(group.group, group.members) for group in opened.groups] == [
        ("outer", ("one", "inner", "outer::written")),
        ("inner", ("two",)),
        ("outer::written", ("three", "outer::written::here")),
    ]
    assert shots(opened) == {"one": 1, "two": 2, "three": 7, "outer::written::here": None}
    assert opened.groups[0].group_alias == "Outer"
    assert opened.groups[0].aggregate == (
        {"metric": "acc", "filter_list": None, "aggregation": "mean", "weight_by_size": True},
    )


def test_outer_groups_put_keys_over_inner_ones(tree: Path) -> None:
    opened = library(tree).open("deep")
    splits = {task.name: task.config.test_split for task in opened.tasks}
    assert splits == {"one": "validation", "two": "validation", "three": "validation", "outer::written::here": "test"}
    assert shots(opened) == {"one": 5, "two": 5, "three": 7, "outer::written::here": 5}
    assert shots(library(tree).open("tagged")) == {"one": 3, "two": 3}


def test_the_same_task_with_other_keys_gets_a_name_of_its_own(tree: Path) -> None:
    (tree / "both.yaml").write_text("group: both\ntask: [two, inner, two]\n")
    opened = library(tree).open("both")
    assert shots(opened) == {"two": 1, "inner::two": 2}
    assert [(group.group, group.members) for group in opened.groups] == [
        ("both", ("two", "inner")),
        ("inner", ("inner::two",)),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("group: g\ntask: [onne]\n", "names 'onne', and there is no such task, group or tag; did you mean 'one'?"),
        ("group: g\ntask: [g]\n", "a group is in itself: g -> g"),
        ("group: g\ntask: [{num_fewshot: 1}]\n", "is a name, or a mapping with `task` or `group`"),
        ("group: g\ntask: [{use_prompt: x}]\n", "promptsource"),
        ("group: g\ntask: [py]\n", "Python class"),
        ("group: g\ntask: [{task: one, doc_to_txt: x}]\n", "did you mean 'doc_to_text'"),
        ("group: g\ntask: [one]\nagregate_metric_list: []\n", "did you mean 'aggregate_metric_list'"),
        ("group: g\ntask: [one]\naggregate_metric_list: [{metric: acc, weight: 1}]\n", "did you mean 'weight_by_size'"),
    ],
)
def test_what_is_wrong_with_a_group(tree: Path, text: str, told: str) -> None:
    (tree / "g.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        library(tree).open("g")
    assert told in str(caught.value)


def test_unknown_names(tree: Path) -> None:
    (tree / "broken.yaml").write_text("task: [\n")
    with pytest.raises(UserError) as caught:
        library(tree).open("ones")
    told = str(caught.value)
    assert (
        "did you mean 'one'?" in told and f"looked in {tree}" in told and "broken.yaml: line 2: not valid YAML" in told
    )
    with pytest.raises(UserError, match="--tasks-path"):
        library().open("ones")
    with pytest.raises(UserError, match="Python class"):
        library(tree).open("py")
    with pytest.raises(UserError, match="is a group of 4 tasks, no task: one, two"):
        library(tree).config("outer")


def test_a_later_folder_overrides_an_earlier_one_and_says_so(tree: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "one.yaml").write_text("task: one\nnum_fewshot: 9\n")
    opened = library(tree, mine).open("one")
    assert shots(opened) == {"one": 9}
    assert len(opened.notes) == 1 and "is overridden by" in opened.notes[0]
    (tree / "z.yaml").write_text("task: one\n")
    assert "is declared twice" in library(tree).open("one").notes[0]


def test_a_file_may_be_opened_by_its_path(tree: Path) -> None:
    assert shots(library().open(str(tree / "one.yaml"))) == {"one": 1}


def test_our_own_tasks_are_always_there(tree: Path) -> None:
    own = {named.name for named in library().names()}
    assert own < {named.name for named in library(tree).names()}
    names = library(tree).names()
    assert [named.name for named in names] == sorted(named.name for named in names)
    assert ("py", "task") in {(named.name, named.kind) for named in names}


def test_a_library_and_its_tasks_can_be_pickled(tree: Path) -> None:
    made = TaskLibrary((str(tree),), {"a": "b"}, allow_task_code=True)
    made.names()
    assert pickle.loads(pickle.dumps(made)) == made
    task = made.open("one").tasks[0]
    task.evaluation_rows()
    assert pickle.loads(pickle.dumps(task)) == task
    assert len(pickle.dumps(made)) < 1000


def test_a_digest_follows_everything_that_determines_the_task(tree: Path, tmp_path: Path) -> None:
    before = library(tree).digest("three")
    assert library(tree).digest("three") == before
    (tree / "unrelated.yaml").write_text("task: unrelated\n")
    (tree / "one.yaml").write_text("task: one\n")
    assert library(tree).digest("three") == before
    shutil.copytree(tree, tmp_path / "elsewhere/tree")
    assert library(tmp_path / "elsewhere/tree").digest("three") == before
    for name, text in [
        ("x.jsonl", '{"q": "1", "a": "3"}\n'),
        ("v.py", "V = 2\n"),
        ("u.py", "import v\ndef f(rows): return list(rows)\n"),
        ("_base", (tree / "_base").read_text() + "description: D\n"),
    ]:
        old = (tree / name).read_text()
        (tree / name).write_text(text)
        assert library(tree).digest("three") != before, name
        (tree / name).write_text(old)
        assert library(tree).digest("three") == before, name


def test_a_group_has_a_digest_too(tree: Path) -> None:
    before = library(tree).digest("tagged")
    (tree / "tagged.yaml").write_text("group: tagged\ntask: [all]\nnum_fewshot: 4\n")
    assert library(tree).digest("tagged") != before


def test_a_task_that_is_written_out_in_a_group_may_include(tree: Path) -> None:
    (tree / "g.yaml").write_text("group: g\ntask: [{task: here, include: _base, num_fewshot: 4}]\n")
    (task,) = library(tree).open("g").tasks
    assert (task.name, task.config.num_fewshot, task.config.test_split) == ("g::here", 4, "test")
    assert task.evaluation_rows() == [{"q": "1", "a": "2"}]
