"""The index of names: what it finds, by whose rule, and that it notices every change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.files import task_file
from harness.tasks.files.index import Index, read_index


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    files = {
        "_base_yaml": "tag: [family]\ntest_split: test\n",
        "a/one.yaml": "include: ../_base_yaml\ntask: one\n",
        "a/two.yaml": "include: ../_base_yaml\ntask: two\ntag: other\n",
        "a/old.yaml": "task: old\ngroup: family\n",
        "a/group.yaml": "group: g\ntask: [one, two]\n",
        "a/python.yaml": "task: py\nclass: !function task.T\n",
        "a/template.yaml": "test_split: test\n",
        "a/__pycache__/no.yaml": "task: no\n",
        "b/one.yaml": "task: one\n",
        "b/broken.yaml": "task: [\n",
        "b/lost.yaml": "include: none\ntask: lost\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_dates_in_place_of_names_cost_no_other_file(tree: Path) -> None:
    (tree / "c.yaml").write_text("task: three\ntag: [2026-01-05]\n")
    (tree / "d.yaml").write_text("task: 2026-01-05\n")
    (tree / "e.yaml").write_text("task: four\ntag: 2026-13-45\n")
    for _ in range(2):  # the second time from memory
        index = read_index(tree)
        assert (
            index.entries["2026-01-05"].tasks == ("three",) and "one" in index.entries and "four" not in index.entries
        )
        assert index.unreadable[str(tree / "e.yaml")].startswith("line 2: YAML reads `2026-13-45` as a date")


def kinds(index: Index) -> dict[str, str]:
    return {name: entry.kind for name, entry in index.entries.items()}


def test_names_and_their_kinds(tree: Path) -> None:
    index = read_index(tree)
    assert kinds(index) == {
        "one": "task", "two": "task", "old": "task", "g": "group", "py": "class", "family": "tag", "other": "tag",
    }  # fmt: skip
    assert index.entries["family"].tasks == ("old", "one")
    assert index.entries["one"].file == str(tree / "a/one.yaml")
    assert index.shadowed == {"one": (str(tree / "b/one.yaml"),)}
    assert set(index.unreadable) == {str(tree / "b/broken.yaml"), str(tree / "b/lost.yaml")}


def test_the_second_time_only_changed_files_are_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_index(tree)
    read: list[str] = []
    own_keys = task_file.own_keys

    def spy(path: Path) -> dict[str, object]:
        read.append(path.name)
        return own_keys(path)

    monkeypatch.setattr(task_file, "own_keys", spy)
    assert read_index(tree) == first and read == []
    (tree / "a/two.yaml").write_text("include: ../_base_yaml\ntask: renamed\ntag: other\n")
    (tree / "a/new.yaml").write_text("task: new\n")
    (tree / "a/one.yaml").unlink()
    again = read_index(tree)
    assert sorted(read) == ["new.yaml", "two.yaml"]
    assert {"renamed", "new"} <= set(again.entries) and "two" not in again.entries
    assert again.entries["one"].file == str(tree / "b/one.yaml")


def test_a_changed_template_changes_the_tasks_that_include_it(tree: Path) -> None:
    read_index(tree)
    (tree / "_base_yaml").write_text("tag: [renamed]\n")
    assert read_index(tree).entries["renamed"].tasks == ("one",)
    (tree / "_base_yaml").unlink()
    assert str(tree / "a/one.yaml") in read_index(tree).unreadable


def test_the_same_size_with_another_time_is_read_anew(tree: Path) -> None:
    read_index(tree)
    (tree / "a/one.yaml").write_text("include: ../_base_yaml\ntask: eno\n")
    os.utime(tree / "a/one.yaml", ns=(5, 5))
    assert "eno" in read_index(tree).entries


def test_a_damaged_memory_is_no_harm(tree: Path, tmp_path: Path) -> None:
    first = read_index(tree)
    (memory,) = (tmp_path / "cache/task-index").iterdir()
    memory.write_text(memory.read_text()[:100])
    assert read_index(tree) == first


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_index(tmp_path / "none")
