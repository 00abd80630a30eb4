"""Functions of task files that reach for what they must not: each is refused, or has no effect outside of its
process.

Twice each: as a user runs it, where the source is read first; and without that reading, by the kernel's fences alone.
What the attempts do is in `function_attempts.txt`.
"""

from __future__ import annotations

import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UserError
from harness.fences import enclosure
from harness.tasks.code import process
from harness.tasks.code.process import ForeignError, HostProcess
from harness.tasks.code.tagged_json import dumps
from harness.tasks.files.task_file import read_task_file, task_config
from harness.tasks.task import Task

pytestmark = pytest.mark.skipif(not enclosure.available().enough, reason="this machine can't fence task code in")
SECRET = "hostile-secret"


def attempts(*kinds: str) -> dict[str, str]:
    """The sources of these kinds of attempts, or of all but those that are long, by name."""
    text = Path(__file__).with_name("function_attempts.txt").read_text(encoding="utf-8")
    found = {}
    for part in text.split("\n=== ")[1:]:
        head, _, source = part.partition("\n")
        kind, _, name = head.partition(": ")
        if kind in kinds or (not kinds and kind != "long"):
            found[name] = re.sub(r"REPEAT\((.), (\d+)\)", lambda told: told[1] * int(told[2]), source)
    return found


ATTEMPTS, LONG = attempts(), attempts("long")
YAML = "task: evil\ndataset_path: d.jsonl\ntest_split: test\nprocess_docs: !function evil.f\ndoc_to_text: '{{q}}'\n"


class Surroundings:
    """What the attempts reach for, and whether they got it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.secret = folder / "kept" / "secret"
        self.secret.parent.mkdir()
        self.secret.write_text(SECRET)
        self.listening = [socket.create_server(("127.0.0.1", 0)), *(socket.socket(socket.AF_UNIX) for _ in range(2))]
        self.listening += [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
        port = self.listening[0].getsockname()[1]
        self.listening[1].bind(str(folder / "socket"))
        self.listening[2].bind("\0harness-hostile")
        self.listening[3].bind(("127.0.0.1", port))
        self.words = {
            "CMD": f"touch {self.out}",
            "OUT": str(self.out),
            "SECRET": str(self.secret),
            "PORT": str(port),
            "SOCKET": str(folder / "socket"),
            "PARENT": str(os.getpid()),
        }
        for one in self.listening[1:3]:
            one.listen()
        for one in self.listening:
            one.setblocking(False)
        self.before = self.state()

    def source(self, text: str) -> str:
        """An attempt, aimed."""
        for word, meant in self.words.items():
            text = text.replace(word, meant)
        return text

    def state(self) -> tuple[object, ...]:
        """What no attempt may change."""
        found = self.secret.stat() if self.secret.exists() else None
        files = sorted(path.name for path in self.folder.iterdir())
        kept = (found and (found.st_mtime_ns, found.st_mode, found.st_nlink, self.secret.read_text()), files)
        return *kept, os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0), socket.gethostname(), id(np.argmax)

    def check(self, rows: Any) -> None:
        """Nothing was reached."""
        assert self.state() == self.before
        assert not list(self.folder.glob("out*")), "it made a file"
        assert SECRET not in repr(rows), "it read the secret"
        for one in self.listening:
            with pytest.raises(BlockingIOError):
                (one.recv if one.type == socket.SOCK_DGRAM else lambda _, one=one: one.accept())(1)

    def close(self) -> None:
        for one in self.listening:
            one.close()


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HARNESS_HOSTILE_SECRET", SECRET)
    monkeypatch.setenv("HARNESS_TASK_CODE_SECONDS", "10")
    (tmp_path / "t.yaml").write_text(YAML)
    (tmp_path / "d.jsonl").write_text('{"q": "1", "a": "1"}\n')
    beside = f"import logging\ndef g(d):\n  logging.os.system('touch {tmp_path}/out')\n  return d"
    (tmp_path / "beside.py").write_text(beside)
    (tmp_path / "evil.py").write_text("")
    found = Surroundings(tmp_path)
    yield found
    found.close()


def as_a_user(around: Surroundings) -> Any:
    task = Task(task_config(read_task_file(around.folder / "t.yaml")))
    return task.evaluation_rows()


def without_reading(around: Surroundings) -> Any:
    """The fences alone: the process is told that everything is allowed."""
    file = around.folder / "evil.py"
    host = HostProcess(False, ["numpy"], "evil.py")
    sources = [[str(path), path.read_bytes()] for path in (file, around.folder / "beside.py")]
    try:
        host.ask(dumps({"allow": True, "together": [], "sources": sources}))
        asked = {"do": "rows", "function": [str(file), "f"], "key": "process_docs", "split": None, "remember": False}
        return host.ask(dumps({**asked, "given": True, "features": {}}), [dumps({"q": "1", "a": "1"})])
    finally:
        host.close()


@pytest.mark.parametrize("run", [as_a_user, without_reading])
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_is_reached(around: Surroundings, attempt: str, run: Callable[[Surroundings], Any]) -> None:
    (around.folder / "evil.py").write_text(around.source(ATTEMPTS[attempt]))
    drawn = random.getstate()
    rows: Any = None
    try:
        rows = run(around)
    except (UserError, ForeignError) as error:
        assert len(str(error)) < 5000
        rows = str(error) if SECRET not in ATTEMPTS[attempt] else None
    around.check(rows)
    assert random.getstate() == drawn
    server = process._server(False)
    assert server.lives


def test_the_attempts_reach_what_they_reach_for_where_nothing_holds_them(around: Surroundings) -> None:
    """The test above would notice: with permission a command runs, and a file is read."""
    (around.folder / "evil.py").write_text(around.source(ATTEMPTS["a module of a module"]))
    task = Task(task_config(read_task_file(around.folder / "t.yaml")), allow_task_code=True)
    task.evaluation_rows()
    assert around.out.exists()
    (around.folder / "evil.py").write_text(around.source(ATTEMPTS["open a secret"]))
    task = Task(task_config(read_task_file(around.folder / "t.yaml")), allow_task_code=True)
    assert SECRET in repr(task.evaluation_rows())


def test_helper_files_lie_in_the_folder(around: Surroundings) -> None:
    """A link would bring what it leads to into the process, as a source."""
    outside = around.folder.with_name(f"{around.folder.name}-outside")
    outside.write_text(SECRET)
    (around.folder / "linked.py").symlink_to(outside)
    for source in ("import linked\ndef f(d): return d", "from .linked import x\ndef f(d): return [{'q': x}]"):
        (around.folder / "evil.py").write_text(source)
        with pytest.raises(UserError, match=r"linked\.py: is a link, or lies in one, that leads out"):
            as_a_user(around)
    elsewhere = outside.with_name("elsewhere")
    (elsewhere / "inner").mkdir(parents=True)
    (elsewhere / "inner" / "settings.py").write_text(f"x = {SECRET!r}")
    (around.folder / "pack").symlink_to(elsewhere)
    for source in (
        "from pack.inner.settings import x",
        "from .pack.inner.settings import x",
        "from pack.inner import settings as x",
        "from ..elsewhere.inner.settings import x",
    ):
        (around.folder / "evil.py").write_text(f"{source}\ndef f(d): return [{{'q': x}}]")
        with pytest.raises(UserError, match=r"settings\.py: (is a link|is imported).* the folder of the task's files"):
            as_a_user(around)
    named = YAML.replace("evil.f", "pack.inner.settings.f")
    (around.folder / "t.yaml").write_text(named)
    with pytest.raises(UserError, match=r"settings\.py: is a link, or lies in one"):
        as_a_user(around)
    (around.secret.parent / "out_of_it.py").write_text("def f(d): return d")
    for named in (f"{around.secret.parent}/out_of_it.f", "../kept/out_of_it.f", "..kept.out_of_it.f"):
        (around.folder / "t.yaml").write_text(YAML.replace("evil.f", named))
        with pytest.raises(UserError, match=r"t\.yaml:4: .*leads out of the folder"):
            as_a_user(around)


@pytest.mark.parametrize("attempt", LONG)
def test_what_never_ends_is_ended(around: Surroundings, attempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TASK_CODE_SECONDS", "0.5")
    monkeypatch.setattr(process, "_memory", lambda: 1 << 30)
    (around.folder / "evil.py").write_text(around.source(LONG[attempt]))
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        as_a_user(around)
    assert time.monotonic() - start < 20
    assert "\n" not in str(caught.value) and "evil.py" in str(caught.value)
    around.check(None)


def test_a_helper_cannot_change_what_another_task_is_scored_by(around: Surroundings) -> None:
    patches = (
        "import numpy, json, math, random, re\n"
        "def f(d):\n"
        "  numpy.argmax = lambda *a, **k: 0\n  json.dumps = json.loads = lambda *a, **k: '1'\n"
        "  json.codecs.builtins.sum = lambda *a: 1\n"
        "  math.fsum = lambda *a: 1.0\n  random.Random.random = lambda s: 0.5\n"
        "  re.compile('x').__class__\n  return d\n"
    )
    (around.folder / "evil.py").write_text(patches)
    before = [np.argmax, dumps({}), sum, random.Random.random]
    for allowed in (False, True):
        task = Task(task_config(read_task_file(around.folder / "t.yaml")), allow_task_code=allowed)
        for _ in range(2):
            task.evaluation_rows()
    (around.folder / "evil.py").write_text(
        "import numpy, json\n"
        "def f(d): return [{'q': json.dumps([int(numpy.argmax([1, 3, 2])), sum([2, 3])]), 'a': '1'}]"
    )
    assert as_a_user(around) == [{"q": "[1, 5]", "a": "1"}], "another task's process has nothing of it"
    assert before == [np.argmax, dumps({}), sum, random.Random.random]


def test_threads_may_ask_at_once(around: Surroundings) -> None:
    (around.folder / "evil.py").write_text("def f(d): return [{'q': str(len(d)), 'a': '1'}]")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(as_a_user(around))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[{"q": "1", "a": "1"}]] * 8
