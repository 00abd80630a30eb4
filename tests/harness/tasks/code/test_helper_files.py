"""Helper files lie really in the folder of the task files, or are read with permission alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.code.helper_files import tree_of
from harness.tasks.files.library import TaskLibrary

TASK = "task: t\ndataset_path: {data}\ntest_split: test\nprocess_docs: !function u.f\ndoc_to_text: '{{{{q}}}}'\n"
GIVES = "\ndef f(docs): return [{'q': X}]\n"


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Two folders of tasks beside each other, with one helper in a third, and a file elsewhere."""
    tmp_path = tmp_path / "top"
    for name in ("lib/a", "lib/common", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "d.jsonl").write_text('{"q": "x"}\n')
    (tmp_path / "lib/a/t.yaml").write_text(TASK.format(data=tmp_path / "d.jsonl"))
    (tmp_path / "lib/common/names.py").write_text("X = 'ours'\n")
    (tmp_path / "elsewhere/names.py").write_text("X = 'theirs'\n")
    return tmp_path


def asked(folder: Path, source: str, *paths: Path, allow: bool = False, name: str = "") -> object:
    (folder / "lib/a/u.py").write_text(source + GIVES)
    library = TaskLibrary(tuple(map(str, paths)), allow_task_code=allow)
    (task,) = library.open(name or str(folder / "lib/a/t.yaml")).tasks
    return task.evaluation_rows()[0]["q"]


LINKS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a linked folder": ("from pack.names import X", lambda at: (at / "lib/a/pack").symlink_to(at / "elsewhere")),
    "a linked file": ("from names import X", lambda at: (at / "lib/a/names.py").symlink_to(at / "elsewhere/names.py")),
    "a folder in a linked one": (
        "from pack.elsewhere.names import X",
        lambda at: (at / "lib/a/pack").symlink_to(at),
    ),
    "the name of a package": ("from top.elsewhere.names import X", lambda at: None),
    "dots": ("from ...elsewhere.names import X", lambda at: None),
}


@pytest.mark.parametrize("kind", LINKS)
def test_what_leads_out_is_refused_with_its_place_and_read_with_permission(tasks: Path, kind: str) -> None:
    source, link = LINKS[kind]
    link(tasks)
    for paths in ((), (tasks / "lib",)):
        with pytest.raises(UserError, match=r"names\.py: (is a link|is imported).*--allow-task-code") as caught:
            asked(tasks, source, *paths)
        assert "\n" not in str(caught.value)
    assert asked(tasks, source, allow=True) == "theirs"


def test_in_the_folder_of_tasks_that_was_named_a_helper_may_lie_anywhere(tasks: Path) -> None:
    (tasks / "lib/a/pack").symlink_to(tasks / "lib/common")
    for source in ("from ..common.names import X", "from pack.names import X"):
        assert asked(tasks, source, tasks / "lib") == "ours"
        assert asked(tasks, source, tasks / "lib", name="t") == "ours"
        with pytest.raises(UserError, match="--tasks-path"):
            asked(tasks, source)


def test_a_folder_of_tasks_may_be_reached_through_a_link(tasks: Path) -> None:
    (tasks / "linked").symlink_to(tasks / "lib")
    assert asked(tasks, "from ..common.names import X", tasks / "linked", name="t") == "ours"
    assert asked(tasks, "X = 'own'", name=str(tasks / "linked/a/t.yaml")) == "own"


@pytest.mark.parametrize(
    ("file", "folders", "tree"),
    [
        ("/x/lib/a/t.yaml", (), "/x/lib/a"),
        ("/x/lib/a/t.yaml", ("/x/lib",), "/x/lib"),
        ("/x/lib/a/t.yaml", ("/x/lib/a", "/x/lib"), "/x/lib"),
        ("/x/lib/a/t.yaml", ("/x/li", "/y"), "/x/lib/a"),
        ("/x/lm_eval/tasks/a/b/t.yaml", ("/x/lm_eval/tasks/a",), "/x/lm_eval"),
        ("/x/lm_eval/tasks/a/b/t.yaml", (), "/x/lm_eval"),
    ],
)
def test_the_folder_that_helpers_lie_in(file: str, folders: tuple[str, ...], tree: str) -> None:
    assert tree_of(Path(file), map(Path, folders)) == Path(tree)
