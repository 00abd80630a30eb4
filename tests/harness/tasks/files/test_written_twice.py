"""What task files say twice: a mistake in mode right, lm-eval's rule in its mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.measures.task.measure import check
from harness.measures.task.settings import TaskSettings
from harness.tasks.files.library import TaskLibrary
from harness.tasks.files.written_twice import keys_twice, members_twice

TASK = "dataset_path: rows.jsonl\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\noutput_type: loglikelihood\n"


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text('{"q": "x", "a": "y"}\n')
    (folder / name).write_text(text)
    return folder / name


def asked(task: str, *folders: Path, mode: str = "right") -> None:
    check(TaskLibrary(paths=tuple(map(str, folders))), TaskSettings(task=task, mode=mode))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("task: t\nnum_fewshot: 1\nnum_fewshot: 2\n", [("num_fewshot", 3)]),
        ("task: t\nnum_fewshot: 1\nnum_fewshot: 1\n", []),
        ("task: t\ngeneration_kwargs: {until: [], until: [x]}\n", [("until", 2)]),
        ("task: t\nmetric_list:\n- metric: acc\n  metric: f1\n", [("metric", 4)]),
        ("task: t\nmetric_list: [{metric: acc}]\nmetric_list: [{metric: acc}]\n", []),
        ("task: t\nmetric_list: [{metric: acc}]\nmetric_list: [{metric: f1}]\n", [("metric_list", 3)]),
        ("task: t\nmetadata: {version: 1, version: 2}\n", []),
        ("task: t\na: 1\na: '1'\n", [("a", 3)]),
        ("task: t\na: !function f.x\na: !function f.y\n", [("a", 3)]),
        ("- 1\n", []),
        ("", []),
    ],
)
def test_a_key_with_two_values_is_told_with_its_line(tmp_path: Path, text: str, told: list[tuple[str, int]]) -> None:
    file = write(tmp_path, "t.yaml", text)
    assert keys_twice(file) == [
        f"{file}:{line}: the key '{key}' is written twice with different values; keep one" for key, line in told
    ]


def test_included_files_are_read_too_and_a_circle_ends(tmp_path: Path) -> None:
    base = write(tmp_path, "base.yaml", "include: t.yaml\na: 1\na: 2\n")
    assert keys_twice(write(tmp_path, "t.yaml", "task: t\ninclude: [base.yaml, nowhere.yaml]\n")) == [
        f"{base}:3: the key 'a' is written twice with different values; keep one"
    ]


def test_a_member_that_a_group_names_twice(tmp_path: Path) -> None:
    file = write(tmp_path, "g.yaml", "group: g\ntask:\n- one\n- two\n- one\n- {task: two, num_fewshot: 1}\n")
    assert members_twice(file, "g") == [f"{file}:5: the group g names 'one' twice; keep one"]


def test_in_mode_right_each_is_an_error_and_in_mode_lm_eval_its_rule(tmp_path: Path) -> None:
    write(tmp_path, "t.yaml", f"task: t\nnum_fewshot: 1\nnum_fewshot: 0\n{TASK}")
    write(tmp_path, "g.yaml", "group: g\ntask: [u, u]\n")
    write(tmp_path, "u.yaml", f"task: u\n{TASK}")
    write(tmp_path, "z.yaml", "group: z\ntask: [t]\n")
    for task, why in (("t", "t.yaml:3: the key 'num_fewshot'"), ("z", "num_fewshot"), ("g", "names 'u' twice")):
        with pytest.raises(UserError, match=why):
            asked(task, tmp_path)
        asked(task, tmp_path, mode="lm-eval")
    asked("u", tmp_path)


def test_one_name_in_two_files_is_an_error_wherever_they_are(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "one.yaml", f"task: one\n{TASK}")
    second = write(tmp_path / "a", "other.yaml", f"task: one\n{TASK}")
    third = write(tmp_path / "b", "one.yaml", f"task: one\n{TASK}")
    write(tmp_path / "b", "g.yaml", "group: g\ntask: [one]\n")
    with pytest.raises(UserError) as inside:
        asked("one", tmp_path / "a")
    assert f"the name 'one' is declared by {first} and by {second}; rename one" in str(inside.value)
    second.unlink()
    for task in ("one", "g"):
        with pytest.raises(UserError) as across:
            asked(task, tmp_path / "a", tmp_path / "b")
        assert str(first) in str(across.value) and str(third) in str(across.value)
        asked(task, tmp_path / "a", tmp_path / "b", mode="lm-eval")
    asked("one", tmp_path / "a")
    asked("one", tmp_path / "a", tmp_path / "a")  # the same files, found twice
    asked(str(first), tmp_path / "a", tmp_path / "b")  # named by its path


def test_a_users_task_stands_above_one_of_ours(tmp_path: Path) -> None:
    ours = next(named.name for named in TaskLibrary().names() if named.kind == "task")
    write(tmp_path, "t.yaml", f"task: {ours}\n{TASK}")
    library = TaskLibrary(paths=(str(tmp_path),))
    check(library, TaskSettings(task=ours))
    assert "is overridden by" in library.open(ours).notes[0]
