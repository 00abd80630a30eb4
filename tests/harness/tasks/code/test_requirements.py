"""Which packages a task needs, read off its Python files."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from harness.tasks.code.requirements import Need, missing_sentence, needs_of
from harness.tasks.files.task_file import read_task_file, task_config


def needs(folder: Path, code: str, keys: str = "process_results: !function u.f\n", allow: bool = True) -> list[str]:
    (folder / "u.py").write_text(code)
    (folder / "beside.py").write_text("import absent_beside\ndef g(): import absent_inside\ndef h(): pass\n")
    (folder / "t.yaml").write_text(f"task: t\ndataset_path: x.jsonl\ntest_split: test\n{keys}")
    return [need.module for need in needs_of(task_config(read_task_file(folder / "t.yaml")), allow)]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import absent\ndef f(): pass\n", ["absent"]),
        ("import absent.inner\ndef f(): pass\n", ["absent.inner"]),
        ("from absent.inner import x\ndef f(): pass\n", ["absent.inner"]),
        ("def f():\n    import absent\n", ["absent"]),
        ("def g():\n    import absent\ndef f(): return g()\n", ["absent"]),
        ("def g():\n    import absent\ndef f(): pass\n", []),
        ("import re, os.path\ndef f(): pass\n", []),
        ("try:\n    import absent\nexcept ImportError:\n    absent = None\ndef f(): pass\n", []),
        ("try:\n    import absent\nexcept:\n    absent = None\ndef f(): pass\n", []),
        (
            "try:\n    import absent\nexcept ImportError:\n    raise ImportError('so')\ndef f(): pass\n",
            ["absent"],
        ),
        ("try:\n    import absent\nexcept KeyError:\n    pass\ndef f(): pass\n", ["absent"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import absent\ndef f(): pass\n", []),
        ("import datasets\ndef f(x: datasets.Dataset): pass\n", []),
        ("import datasets\ndef f(): return datasets.load_dataset('x')\n", ["datasets"]),
        ("import evaluate\ndef f(): return evaluate.load('squad_v2')\n", []),
        ("import evaluate\ndef f(): return evaluate.load('rouge')\n", ["evaluate"]),
        ("import evaluate\ndef f(): pass\n", []),
        ("from lm_eval.utils import eval_logger\ndef f(): pass\n", []),
        ("from lm_eval.models import nothing_of_ours\ndef f(): pass\n", ["lm_eval.models"]),
        ("from beside import h\ndef f(): h()\n", ["absent_beside"]),
        ("from beside import g\ndef f(): g()\n", ["absent_beside", "absent_inside"]),
        ("import absent\ndef f(): pass\nif __name__ == '__main__':\n    import other\n", ["absent"]),
    ],
)
def test_what_must_be_importable(tmp_path: Path, code: str, modules: list[str]) -> None:
    assert needs(tmp_path, code) == modules


def test_behind_the_fence_only_what_a_function_uses_is_imported(tmp_path: Path) -> None:
    code = "import absent, numpy as np\ndef f(rows): return np.array(rows)\n"
    assert needs(tmp_path, code, "process_docs: !function u.f\n", allow=False) == ["absent", "numpy"]
    code = "import absent\nimport numpy as np\ndef f(rows): return np.array(rows)\n"
    assert needs(tmp_path, code, "process_docs: !function u.f\n", allow=False) == ["numpy"]
    assert needs(tmp_path, code, "process_docs: !function u.f\n", allow=True) == ["absent", "numpy"]


def test_scores_of_translations_need_sacrebleu(tmp_path: Path) -> None:
    assert needs(tmp_path, "", "metric_list: [{metric: bleu}]\n") == ["sacrebleu"]
    assert needs(tmp_path, "", "metric_list: [{metric: exact_match}]\n") == []


def test_the_sentence_says_what_to_install() -> None:
    told = missing_sentence("t", [Need("antlr4", "u.py:3"), Need("absent_x.y", "u.py:4"), Need("json", "u.py:5")])
    assert told == (
        "the task t needs antlr4 and absent_x, which are not installed: pip install 'antlr4-python3-runtime==4.11' "
        "'absent-x' (u.py:3)"
    )
    assert missing_sentence("t", [Need("json", ""), Need("os.path", ""), Need("torch.nn.functional", "")]) is None
    old = missing_sentence("t", [Need("jinja2.nothing_there", "u.py:1")])
    version = importlib.metadata.version("jinja2")
    assert old is not None and f"needs jinja2.nothing_there, which jinja2 {version} doesn't have" in old


def test_versions_are_those_of_what_is_installed() -> None:
    assert Need("jinja2", "").version == importlib.metadata.version("jinja2")
    assert Need("absent", "").version is None
