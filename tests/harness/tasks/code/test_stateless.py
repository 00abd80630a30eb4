"""Which functions of documents keep nothing: known right values, and those that must not be taken for such."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tasks.code.stateless import keeps_nothing
from harness.tasks.config import Function

NOTHING = [
    "def f(d): return d['q']",
    "import re\nP = re.compile('a')\nNAMES = {'a': 1}\nLIST = ['x', 'y']\n"
    "def g(x): return P.sub('b', x)\ndef f(d):\n  parts = g(d['q']).split()\n  parts.append(NAMES['a'])\n"
    "  return [p for p in LIST if p in parts] + list(NAMES.items())",
    "def f(d):\n  d['x'] = 1\n  out = {}\n  out['y'] = d\n  return out",
    "from functools import lru_cache\n@lru_cache\ndef g(x): return x\ndef f(d): return g(d['q'])",
    "import random\ndef prepare(rows): random.shuffle(rows); return rows\ndef f(d): return d['q']",
    "def f(d):\n  out = []\n  for n in range(3): out.append(n)\n  out.sort()\n  return out",
    "TEMPLATE = 'a {}'\ndef f(d): return TEMPLATE.format(d['q'])",
]
SOMETHING = [
    "n = 0\ndef f(d):\n  global n\n  n += 1\n  return n",
    "KEPT = []\ndef f(d):\n  KEPT.append(d)\n  return len(KEPT)",
    "KEPT = {'n': 0}\ndef f(d):\n  KEPT['n'] += 1\n  return KEPT['n']",
    "KEPT = {'n': []}\ndef f(d):\n  x = KEPT['n']\n  x.append(1)\n  return len(x)",
    "KEPT = [[0]]\ndef f(d):\n  for x in KEPT: x[0] += 1\n  return KEPT[0][0]",
    "KEPT = {}\ndef f(d): return KEPT.setdefault(d['q'], len(KEPT))",
    "KEPT = iter(range(9))\ndef f(d): return next(KEPT)",
    "KEPT = list(range(9))\ndef f(d): return KEPT.pop()",
    "KEPT = []\ndef table(): return KEPT\ndef f(d):\n  t = table()\n  t.append(1)\n  return len(t)",
    "KEPT = []\ndef g(x): x.append(1)\ndef f(d):\n  g(KEPT)\n  return len(KEPT)",
    "class C:\n  n = 0\ndef f(d):\n  C.n += 1\n  return C.n",
    "class C:\n  n = 0\n  def up(self): self.n += 1; return self.n\nONE = C()\ndef f(d): return ONE.up()",
    "def f(d):\n  f.n = getattr(f, 'n', 0) + 1\n  return f.n",
    "def f(d, seen=[]):\n  seen.append(1)\n  return len(seen)",
    "import random\ndef f(d): return random.random()",
    "import random\nR = random.Random(3)\ndef f(d): return R.random()",
    "import numpy as np\ndef f(d): return float(np.random.rand())",
    "from random import random as r\ndef f(d): return r()",
    "import time\ndef f(d): return time.time()",
    "import datetime\ndef f(d): return datetime.datetime.now()",
    "import nltk\ndef f(d): return nltk.x(d)",
    "def f(d): return open('/tmp/x').read()",
    "def make():\n  n = 0\n  def f(d):\n    nonlocal n\n    n += 1\n    return n\n  return f\nf = make()",
    "def f(d:",
]


def found(folder: Path, text: str) -> bool:
    (folder / "u.py").write_text(text)
    named = [("doc_to_text", Function(file=folder / "u.py", name="f"))]
    if "prepare" in text:
        named.append(("process_docs", Function(file=folder / "u.py", name="prepare")))
    return keeps_nothing(named)


@pytest.mark.parametrize("text", NOTHING)
def test_keeps_nothing(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text)


@pytest.mark.parametrize("text", SOMETHING)
def test_may_keep_something(tmp_path: Path, text: str) -> None:
    assert not found(tmp_path, text)


def test_of_a_file_beside_too(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("KEPT = []\ndef g(x):\n  KEPT.append(x)\n  return len(KEPT)\n")
    assert not found(tmp_path, "from beside import g\ndef f(d): return g(d)")
