"""What helper code remembers: nothing from pass to pass in mode right, all that lm-eval lets it in mode lm-eval."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.tasks.code.modules import Modules
from harness.tasks.config import Function
from harness.tasks.documents import Counted
from harness.tasks.files.task_file import read_task_file, task_config
from harness.tasks.task import Task

KEEPERS = {
    "a generator": "import random\nkept = random.Random(42)\ndef draw(): return kept.random()\n",
    "numpy's old generator": "import numpy\nkept = numpy.random.RandomState(3)\ndef draw(): return kept.rand()\n",
    "numpy's generator": "import numpy\nkept = numpy.random.default_rng(3)\ndef draw(): return float(kept.random())\n",
    "the global generator": "import random\ndef draw(): return random.random()\n",
    "the global generator, seeded": "import random\nrandom.seed(5)\ndef draw(): return random.random()\n",
    "numpy's global generator": "import numpy as np\ndef draw(): return float(np.random.rand())\n",
    "a seed of numpy's": "import numpy as np\nnp.random.seed(1)\ndef draw(): return float(np.random.rand())\n",
    "a counter": "kept = {'n': 0}\ndef draw():\n    kept['n'] += 1\n    return kept['n']\n",
    "a list that is used up": "kept = list(range(100))\ndef draw(): return kept.pop()\n",
    "a global": "kept = 0\ndef draw():\n    global kept\n    kept += 1\n    return kept\n",
    "a cache": (
        "import functools\nseen = []\n@functools.lru_cache\ndef of(n):\n    seen.append(n)\n    return len(seen)\n"
        "def draw(): return of(len(seen))\n"
    ),
    "a class": "class Kept:\n    n = 0\ndef draw():\n    Kept.n += 1\n    return Kept.n\n",
}
MAPPED = "def prepare(rows): return rows.map(lambda row: {'drawn': draw()})\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def task(folder: Path, code: str, keys: str = "process_docs: !function u.prepare\n", **options: Any) -> Task:
    (folder / "d").mkdir(exist_ok=True)
    for split in ("train", "test"):
        rows = [{"q": f"{split} {number}", "a": str(number)} for number in range(4)]
        (folder / f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "u.py").write_text(code)
    (folder / "t.yaml").write_text(f"task: t\ndataset_path: d\ntraining_split: train\ntest_split: test\n{keys}")
    return Task(task_config(read_task_file(folder / "t.yaml")), allow_task_code=True, **options)


def drawn(rows: Any) -> list[Any]:
    return [row["drawn"] for row in rows]


@pytest.mark.parametrize("keeper", KEEPERS)
def test_documents_depend_on_the_file_alone(tmp_path: Path, keeper: str) -> None:
    code = KEEPERS[keeper] + MAPPED
    alone = drawn(task(tmp_path, code).evaluation_rows())
    assert drawn(task(tmp_path, code).evaluation_rows()) == alone, "opened twice"
    after_the_pool = task(tmp_path, code)
    pool = drawn(after_the_pool.shot_rows().rows)
    assert drawn(after_the_pool.evaluation_rows()) == alone, "the pool of examples was prepared first"
    assert pool == drawn(task(tmp_path, code).shot_rows().rows)
    random.random(), np.random.rand()
    assert drawn(task(tmp_path, code).evaluation_rows()) == alone, "somebody else drew"
    assert len(set(alone)) == 4


@pytest.mark.parametrize("keeper", KEEPERS)
def test_nobody_elses_generators_are_moved(tmp_path: Path, keeper: str) -> None:
    random.seed(7)
    np.random.seed(7)
    expected = (random.random(), np.random.rand())
    random.seed(7)
    np.random.seed(7)
    opened = task(tmp_path, KEEPERS[keeper] + MAPPED)
    opened.evaluation_rows(), opened.shot_rows()
    assert (random.random(), np.random.rand()) == expected


@pytest.mark.parametrize("keeper", [name for name in KEEPERS if "generator" in name or "seed" in name])
def test_a_documents_functions_draw_by_the_document(tmp_path: Path, keeper: str) -> None:
    """Not by how many were asked before it."""
    code = KEEPERS[keeper] + "def text(row): return str(draw())\n"

    def asked(documents: list[int]) -> dict[int, str]:
        opened = task(tmp_path, code, "doc_to_text: !function u.text\n")
        found = {}
        for number in documents:
            with opened.running(number):
                found[number] = opened.function(opened.config.doc_to_text, "doc_to_text")({})  # type: ignore[arg-type]
        return found

    every = asked([0, 1, 2, 3])
    assert asked([3, 1]) == {3: every[3], 1: every[1]} and len(set(every.values())) == 4


def passes(folder: Path, pipelines: int, **counted: bool) -> tuple[int, int, list[int]]:
    """In mode lm-eval, the numbers of the passes that gave the pool, what is asked, and what each filter judges by."""
    code = "n = 0\ndef prepare(rows):\n    global n\n    n += 1\n    return [{**row, 'drawn': n} for row in rows]\n"
    opened = task(folder, code, lm_eval=Counted(**counted))
    asked = drawn(opened.evaluation_rows())[0]
    judged = [drawn(opened.judged_rows(number))[0] for number in range(pipelines)]
    return drawn(opened.shot_rows().rows)[0], asked, judged


def test_lm_evals_passes(tmp_path: Path) -> None:
    """Measured on lm-eval 0.4.13: pool, documents to look at, documents to ask, documents for each filter."""
    assert passes(tmp_path, 2) == (1, 3, [4, 5])
    assert passes(tmp_path, 1, by_share=True) == (1, 4, [5]), "a fractional limit is counted first"
    assert passes(tmp_path, 2, by_number=True) == (1, 4, [6, 8]), "chosen documents are counted each time"


@pytest.mark.parametrize("keeper", KEEPERS)
def test_lm_evals_passes_do_not_depend_on_who_asks_first(tmp_path: Path, keeper: str) -> None:
    code = KEEPERS[keeper] + MAPPED
    one, other = (task(tmp_path, code, lm_eval=Counted()) for _ in range(2))
    first = drawn(one.shot_rows().rows), drawn(one.evaluation_rows()), drawn(one.judged_rows(0))
    judged, asked, pool = drawn(other.judged_rows(0)), drawn(other.evaluation_rows()), drawn(other.shot_rows().rows)
    assert first == (pool, asked, judged)


def test_a_map_that_nothing_changed_for_is_not_run_again(tmp_path: Path) -> None:
    """As `datasets` has it: the global generator is no part of what a function refers to, one of the module's is."""
    asked_again = task(tmp_path, KEEPERS["the global generator"] + MAPPED, lm_eval=Counted())
    assert drawn(asked_again.evaluation_rows()) == drawn(asked_again.judged_rows(0))
    moved_on = task(tmp_path, KEEPERS["a generator"] + MAPPED, lm_eval=Counted())
    assert drawn(moved_on.evaluation_rows()) != drawn(moved_on.judged_rows(0))
    numbers = random.Random(42)
    every = [[numbers.random() for _ in range(4)] for _ in range(4)]
    assert drawn(moved_on.shot_rows().rows) == every[0]
    assert drawn(moved_on.evaluation_rows()) == every[2] and drawn(moved_on.judged_rows(0)) == every[3]


def test_the_pool_moves_the_global_generator_on_in_mode_lm_eval(tmp_path: Path) -> None:
    numbers = random.Random(0)
    pool, asked = ([numbers.random() for _ in range(4)] for _ in range(2))
    opened = task(tmp_path, KEEPERS["the global generator"] + MAPPED, lm_eval=Counted())
    assert drawn(opened.evaluation_rows()) == asked and drawn(opened.shot_rows().rows) == pool
    right = task(tmp_path, KEEPERS["the global generator"] + MAPPED)
    assert drawn(right.evaluation_rows()) == pool == drawn(right.shot_rows().rows), "each pass starts again"


def test_a_pool_whose_data_are_missing_matters_only_where_it_is_wanted(tmp_path: Path) -> None:
    opened = task(tmp_path, KEEPERS["a counter"] + MAPPED, lm_eval=Counted())
    (tmp_path / "d/train.jsonl").unlink()
    assert len(opened.evaluation_rows()) == 4
    with pytest.raises(Exception, match="train"):
        opened.shot_rows()


def test_classes_of_a_helper_can_be_pickled_and_are_dataclasses(tmp_path: Path) -> None:
    file = tmp_path / "c.py"
    file.write_text(
        "from __future__ import annotations\nimport dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int\n"
        "def make(): return Point(3)\n"
    )

    def make() -> Callable[[], Any]:
        return Modules(True).load(Function(file=file, name="make"), "process_docs")

    one, other = make()(), make()()
    assert pickle.loads(pickle.dumps(one)) == one and pickle.loads(pickle.dumps(other)) == other
    assert type(one) is not type(other), "each was made by modules of its own"


def test_functions_of_one_file_share_what_it_keeps(tmp_path: Path) -> None:
    file = tmp_path / "u.py"
    file.write_text(
        "kept = []\ndef put(x): kept.append(x)\ndef get(): return list(kept)\ndef bad(): return open('x')\n"
    )
    put, get, bad = (Function(file=file, name=name) for name in ("put", "get", "bad"))
    modules = Modules(True)
    modules.load(put, "process_docs")(1)
    assert modules.load(get, "process_docs")() == [1] and Modules(True).load(get, "process_docs")() == []
    fenced = Modules(False, {file: ("get", "put")})
    fenced.load(put, "process_docs")(1)
    assert fenced.load(get, "process_docs")() == [1]
    refused = Modules(False, {file: ("bad", "get", "put")})
    assert refused.load(get, "process_docs")() == [], "what another one may not do does not stand in its way"
    with pytest.raises(Exception, match="uses `open`"):
        refused.load(bad, "process_docs")
