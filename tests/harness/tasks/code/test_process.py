"""The process that runs task code: what it changes comes back, what it raises is told, and it ends when it should."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.tasks.code import process
from harness.tasks.code.helper_state import HelperState
from harness.tasks.code.process import ForeignError
from harness.tasks.config import Function
from harness.tasks.data.features import ClassLabel
from harness.tasks.data.rows import Rows


def state(folder: Path, code: str, *names: str, key: str = "doc_to_text", allow: bool = False) -> HelperState:
    (folder / "u.py").write_text(code)
    return HelperState([(key, Function(file=folder / "u.py", name=name)) for name in names], allow)


def ask(found: HelperState, folder: Path, name: str, row: Any, key: str = "doc_to_text") -> Any:
    return found.function(Function(file=folder / "u.py", name=name), key)(row)


def pids() -> set[str]:
    """Processes of this one's servers."""
    mine = set()
    for server in process._SERVERS.values():
        children = Path(f"/proc/{server._process.pid}/task/{server._process.pid}/children")
        for pid in children.read_text().split():
            if (stat := Path(f"/proc/{pid}/stat")).exists() and stat.read_text().rpartition(") ")[2][0] != "Z":
                mine.add(pid)
    return mine


def test_a_function_changes_the_document_for_what_is_asked_next(tmp_path: Path) -> None:
    code = "def f(d):\n  d['x'] = d.pop('q') + 1\n  return d['x']\ndef g(d): return d['x'] * 2\n"
    found = state(tmp_path, code, "f", "g")
    row = {"q": 1}
    assert ask(found, tmp_path, "f", row) == 2 and row == {"x": 2} and ask(found, tmp_path, "g", row) == 4
    other = {"q": 1}
    assert ask(found, tmp_path, "f", other) == 2 and other == {"x": 2}, "also where the answer is known"


def test_what_it_raises_is_told_with_its_kind_and_place(tmp_path: Path) -> None:
    code = "class Own(Exception): pass\ndef f(d): raise Own('it is ' + d['q'])\n"
    code += "def g(d): return d['no']\ndef h(d): exit(3)\n"
    found = state(tmp_path, code, "f", "g", allow=True)
    with pytest.raises(ForeignError, match="it is x") as caught:
        ask(found, tmp_path, "f", {"q": "x"})
    assert type(caught.value).__name__ == "Own" and "u.py" in "".join(caught.value.__notes__)
    with pytest.raises(KeyError):
        ask(found, tmp_path, "g", {"q": "x"})
    with pytest.raises(ForeignError) as left:
        ask(found, tmp_path, "h", {"q": "x"})
    assert type(left.value).__name__ == "SystemExit"
    fenced = state(tmp_path, "import subprocess as s\ndef f(d): return s.run(d)\n", "f")
    with pytest.raises(UserError, match=r"u.py:1: this task code imports subprocess; .*--allow-task-code"):
        ask(fenced, tmp_path, "f", {})


def test_functions_that_keep_nothing_are_asked_at_once(tmp_path: Path) -> None:
    code = "def f(d):\n  if d['n'] == 3: raise ValueError('three')\n  d['seen'] = 1\n  return d['n'] * 2\n"
    code += "def g(d): return d['seen']\n"
    found = state(tmp_path, code, "f", "g")
    named = [("doc_to_text", Function(file=tmp_path / "u.py", name=name)) for name in ("f", "g")]
    found.foresee(named, [{"n": n} for n in range(6)])
    asked: list[bytes] = []
    ask_host = found._host.ask
    found._host.ask = lambda order, lines=(), seconds=None: asked.append(order) or ask_host(order, lines, seconds)  # type: ignore[method-assign,func-returns-value]
    rows = [{"n": n} for n in range(6)]
    for n, row in enumerate(rows):
        if n == 3:
            with pytest.raises(ForeignError, match="three"):
                ask(found, tmp_path, "f", row)
            continue
        assert (ask(found, tmp_path, "f", row), ask(found, tmp_path, "g", row)) == (2 * n, 1)
        assert row == {"n": n, "seen": 1}
    assert not asked


def test_functions_that_keep_something_are_asked_in_turn(tmp_path: Path) -> None:
    code = "n = [0]\ndef f(d):\n  n[0] += 1\n  return n[0]\n"
    found = state(tmp_path, code, "f")
    found.foresee([("doc_to_text", Function(file=tmp_path / "u.py", name="f"))], [{"n": n} for n in range(6)])
    assert [ask(found, tmp_path, "f", {"n": 1}) for _ in range(3)] == [1, 2, 3]


def test_features_go_along(tmp_path: Path) -> None:
    code = "def f(rows): return [{'x': rows.features['l'].int2str(r['l']), 'k': len(rows.features)} for r in rows]\n"
    found = state(tmp_path, code, "f", key="process_docs")
    given = Rows([{"l": 1, "m": 2}], {"l": ClassLabel(names=["no", "yes"])})
    assert found.rows(Function(file=tmp_path / "u.py", name="f"), "process_docs", given, None, False) == [
        {"x": "yes", "k": 2}
    ]


def test_an_object_in_a_document_is_refused(tmp_path: Path) -> None:
    found = state(tmp_path, "def f(rows): return [{'x': lambda: 1}]\n", "f", key="process_docs")
    with pytest.raises(UserError, match="document 0: an object of the class function can't be kept in a document"):
        found.rows(Function(file=tmp_path / "u.py", name="f"), "process_docs", Rows([]), None, False)


def test_the_scoring_process_loads_nothing_of_a_helper(tmp_path: Path) -> None:
    """Also where task code is allowed."""
    (tmp_path / "u.py").write_text("import this\ndef f(rows): return rows\n")
    (tmp_path / "d.jsonl").write_text(json.dumps({"q": "1"}) + "\n")
    (tmp_path / "t.yaml").write_text(
        "task: t\ndataset_path: d.jsonl\ntest_split: test\nprocess_docs: !function u.f\ndoc_to_text: '{{q}}'\n"
    )
    code = (
        "import sys\nfrom harness.tasks.files.library import TaskLibrary\n"
        f"task = TaskLibrary(({str(tmp_path)!r},), allow_task_code=True).open('t').tasks[0]\n"
        "assert task.evaluation_rows() == [{'q': '1'}]\n"
        "held = [name for name in sys.modules\n"
        "        if name == 'this' or name.startswith(('harness_task_code', 'harness.tasks.code.modules'))]\n"
        "assert not held, held\n"
    )
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


def is_gone(pid: str) -> bool:
    """Whether a process ends soon: a busy machine takes a moment to kill one."""
    for _ in range(200):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(") ")[2][0] in "ZX":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_ends_with_its_state_and_with_its_parent(tmp_path: Path) -> None:
    before = pids()
    found = state(tmp_path, "def f(d): return 1\n", "f")
    ask(found, tmp_path, "f", {})
    (own,) = pids() - before
    found.close()
    assert is_gone(own)
    left = state(tmp_path, "def f(d): return 1\n", "f")
    ask(left, tmp_path, "f", {})
    (own,) = pids() - before
    del left
    gc.collect()
    assert is_gone(own)
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom harness.tasks.code.helper_state import HelperState\n"
        "from harness.tasks.config import Function\n"
        f"named = Function(file=Path({str(tmp_path / 'u.py')!r}), name='f')\n"
        "state = HelperState([('doc_to_text', named)], False)\n"
        "print(state.function(named, 'doc_to_text')({}), state._process._end.peek()[2][1], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    answer, pid = run.stdout.split()
    assert answer == "1"
    assert is_gone(pid), "it outlives its parent"
