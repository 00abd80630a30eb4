"""Functions of task files: which may run, what the fence lets through, what helper code sees."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.tasks.code.functions import check_allowed
from harness.tasks.code.helper_files import source_files
from harness.tasks.code.modules import Modules
from harness.tasks.config import Function
from harness.tasks.data.rows import Rows


def helper(folder: Path, text: str, name: str = "utils.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def run(file: Path, name: str = "f", key: str = "process_docs", allow: bool = False) -> object:
    function = Function(file=file, name=name)
    check_allowed(function, key, allow)
    return Modules(allow).load(function, key)


def refusal(file: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        run(file, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_only_what_the_function_needs_is_run(tmp_path: Path) -> None:
    file = helper(
        tmp_path,
        """
import package_that_is_not_here
import re
metric = package_that_is_not_here.load("f1")
TABLE = {}
TABLE["a"] = 1
def process_results(doc, results): return metric(results)
def inner(x): return re.sub("a", "b", x) + str(TABLE["a"])
f = lambda x: inner(x)
if __name__ == "__main__":
    raise SystemExit
""",
    )
    assert run(file)("cat") == "cbt1"  # type: ignore[operator]
    assert "needs a package that isn't here" in refusal(file, name="process_results", key="process_results", allow=True)


def test_names_that_are_made_while_running_are_found(tmp_path: Path) -> None:
    file = helper(
        tmp_path,
        """
from functools import partial
import evaluate
def pick(rows, subject): return [row for row in rows if row == subject]
globals().update({f"f_{subject}": partial(pick, subject=subject) for subject in ("a", "b")})
""",
    )
    assert run(file, "f_b")(["a", "b"]) == ["b"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("open('x')", "utils.py:2: this task code uses `open`"),
        ("exec('x')", "uses `exec`"),
        ("__import__('os').remove(x)", "uses `__import__`"),
        ("().__class__.__bases__", "uses `__bases__`"),
    ],
)
def test_the_fence(tmp_path: Path, body: str, told: str) -> None:
    file = helper(tmp_path, f"def f(x):\n    return {body}\n")
    assert told in refusal(file) and "--allow-task-code" in refusal(file)
    run(file, allow=True)


@pytest.mark.parametrize(
    "line", ["import subprocess as s", "from os import remove as s", "import os as s", "import os"]
)
def test_the_fence_keeps_modules_out(tmp_path: Path, line: str) -> None:
    file = helper(tmp_path, f"{line}\ndef f(x):\n    return {'os.remove' if line == 'import os' else 's.remove'}(x)\n")
    assert "--allow-task-code" in refusal(file)


def test_paths_may_be_named(tmp_path: Path) -> None:
    file = helper(tmp_path, "import os\nNAME = os.path.basename(os.path.dirname(__file__))\ndef f(): return NAME\n")
    assert run(file)() == tmp_path.name  # type: ignore[operator]


def test_functions_that_judge_need_permission(tmp_path: Path) -> None:
    file = helper(tmp_path, "def f(doc, results): return {}\n")
    for key in ("process_results", "metric_list.metric", "metric_list.aggregation", "filter_list.function"):
        told = refusal(file, key=key)
        assert key in told and str(file) in told and "--allow-task-code" in told
        run(file, key=key, allow=True)


def test_a_missing_file_or_name_is_told(tmp_path: Path) -> None:
    assert "`process_docs` names f in this file, which does not exist" in refusal(tmp_path / "none.py")
    assert "did you mean 'process'?" in refusal(helper(tmp_path, "def process(x): pass\n"), name="proces")
    assert "utils.py:1: not valid Python" in refusal(helper(tmp_path, "def f(:\n"))
    assert "can't be run: ZeroDivisionError" in refusal(helper(tmp_path, "X = 1 / 0\ndef f(): return X\n"))


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    import os

    file = helper(tmp_path, "def f(): return 1\n")
    assert run(file)() == 1  # type: ignore[operator]
    helper(tmp_path, "def f(): return 2\n")
    os.utime(file, ns=(1, 1))
    assert run(file)() == 2  # type: ignore[operator]


def test_files_beside_are_imported_by_every_way(tmp_path: Path) -> None:
    helper(tmp_path, "A = 1\nimport evaluate\n", "tasks/mine/values.py")
    helper(tmp_path, "B = 10\n", "tasks/mine/more.py")
    helper(tmp_path, "C = 100\n", "tasks/shared/common.py")
    helper(tmp_path, "", "tasks/shared/pack/__init__.py")
    helper(tmp_path, "D = 1000\n", "tasks/shared/pack/inner.py")
    text = """
from values import A
from . import more
from .more import B
from lm_eval.tasks.shared.common import C
from lm_eval.tasks.shared.pack import inner
from lm_eval.utils import general_detokenize, eval_logger
def f(): return [A + B + C + inner.D, more.B, general_detokenize('do n\\'t ( " x " ) .')]
"""
    file = helper(tmp_path, text, "tasks/mine/utils.py")
    for allow in (False, True):
        if allow:
            helper(tmp_path, "A = 1\n", "tasks/mine/values.py")
        assert run(file, allow=allow)() == [1111, 10, 'don\'t ("x").']  # type: ignore[operator]
    assert [one.name for one in source_files(file)] == [
        *("more.py", "utils.py", "values.py", "common.py", "__init__.py", "inner.py"),
    ]


def test_datasets_is_a_stand_in_and_stays_out_of_other_code(tmp_path: Path) -> None:
    before = sys.modules.get("datasets")
    file = helper(
        tmp_path,
        "import datasets\nfrom datasets import Dataset\ndef f(rows: datasets.Dataset) -> datasets.Dataset:\n"
        "    assert isinstance(rows, Dataset)\n    return Dataset.from_list([{'x': row['x'] + 1} for row in rows])\n",
    )
    assert run(file)(Rows([{"x": 1}]))["x"] == [2]  # type: ignore[operator]
    assert sys.modules.get("datasets") is before
    file = helper(tmp_path, "import datasets\ndef g(): return datasets.load_dataset('x')\n", "loads.py")
    with pytest.raises(UserError, match="--allow-task-code"):
        run(file, "g")()  # type: ignore[operator]


def test_dataclasses_work(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass P:\n    x: int\ndef f(): return P(3).x\n"
    )
    assert run(helper(tmp_path, text))() == 3  # type: ignore[operator]


def test_a_package_that_no_stand_in_has_is_told(tmp_path: Path) -> None:
    file = helper(tmp_path, "from lm_eval.api.registry import anything_at_all as a\ndef f(): return a\n")
    assert "lm_eval.api.registry" in refusal(file)
