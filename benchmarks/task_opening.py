"""How many task files of a folder open without permission, and how long the slowest take: opened, and asked with
functions.

python benchmarks/task_opening.py [FOLDER] [--before TREE] [--rounds 7] [--documents 2000]

FOLDER: by default the task files of an installed lm-eval (0.4.13: 10,982 of its files open). A task opens if its file
is read and it could be asked and judged without `--allow-task-code`. --before: another checkout of this project, whose
ten slowest files are opened by both in turn, in one run: told is the median of the ratios of two neighbors. Asked:
tasks made for this, of so many documents, whose functions prepare the rows, make question, choices and answer, or
draw. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

FUNCTIONS = {
    "rows prepared": (
        "process_docs: !function u.prepare\ndoc_to_text: '{{q}}'\ndoc_to_choice: '{{c}}'\ndoc_to_target: '{{label}}'\n",
        "import re\ndef tidy(text):\n"
        "    text = re.sub(r'\\[.*?\\]', '', text.strip())\n"
        "    return text.replace('  ', ' ')\n"
        "def prepare(rows):\n    def one(row):\n        return {'q': tidy(row['q']), 'c': list(map(tidy, row['c']))}\n"
        "    return rows.map(one)\n",
    ),
    "questions, choices and answers made": (
        "doc_to_text: !function u.text\ndoc_to_choice: !function u.choices\ndoc_to_target: !function u.target\n",
        "def text(row): return f\"Question: {row['q'].strip()}\\nAnswer:\"\n"
        "def choices(row): return [x.strip() for x in row['c']]\ndef target(row): return row['label']\n",
    ),
    "choices drawn by the document": (
        "doc_to_text: '{{q}}'\ndoc_to_choice: !function u.choices\ndoc_to_target: '{{label}}'\n",
        "import random\ndef choices(row):\n    return [f'{x} {random.random():.3f}' for x in row['c']]\n",
    ),
}


PLACES = {
    "prepared": ("harness.measures.task.documents", "harness.measures.task_documents"),
    "documents": ("harness.measures.task.documents", "harness.measures.task_documents"),
    "TaskLibrary": ("harness.tasks.files.library", "harness.tasks.library"),
    "TaskSettings": ("harness.measures.task.settings", "harness.measures.task_settings", "harness.measures.task"),
}
"""Where this checkout has what is timed, and where older ones have it."""
OPENINGS = 3
"""Of each file: a single one is often slow because memory is tidied up just then."""


def opened(folder: str) -> tuple[dict[str, float], Counter[str]]:
    """Seconds of each task that opens, the quickest of three openings, by name; and what stands in the way of the
    others."""
    from harness.errors import UserError

    prepared, library_of = _of("prepared"), _of("TaskLibrary")
    taken: dict[str, float] = {}
    for _ in range(OPENINGS):
        library = library_of((folder,))
        names = [named.name for named in library.names() if named.file.startswith(folder) and named.kind == "task"]
        reasons = Counter[str]()
        for name in names:
            start = time.perf_counter()
            try:
                prepared(library.open(name), _settings(name))
            except UserError as error:
                reasons[str(error).rpartition(": ")[2][:60]] += 1
                continue
            taken[name] = min(time.perf_counter() - start, taken.get(name, float("inf")))
    return taken, reasons


def times_of(folder: str, names: list[str], documents: int) -> dict[str, float]:
    """Seconds of opening each of these tasks, and of asking each of the tasks that are made for this."""
    asked, prepared, library_of = _of("documents"), _of("prepared"), _of("TaskLibrary")
    found: dict[str, float] = {}
    for _ in range(OPENINGS):
        library = library_of((folder,))
        library.names()
        for name in names:
            start = time.perf_counter()
            prepared(library.open(name), _settings(name))
            found[f"open {name}"] = min(time.perf_counter() - start, found.get(f"open {name}", float("inf")))
    with tempfile.TemporaryDirectory() as made:
        _make_tasks(Path(made), documents)
        for number, what in enumerate(FUNCTIONS):
            (task,) = prepared(library_of((made,)).open(f"made_{number}"), _settings(f"made_{number}"))
            start = time.perf_counter()
            count = len(asked(task, None, _settings(f"made_{number}")))
            found[f"ask {what}"] = time.perf_counter() - start
            assert count == documents
    return found


def _of(name: str) -> Any:
    """What the checkout that is measured calls so, wherever it stands there."""
    for module in PLACES[name]:
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError:
            continue
    raise SystemExit(f"this checkout has no {name}")


def _settings(task: str) -> Any:
    made = _of("TaskSettings")
    return made(task=task, **({"thinking": "off"} if "thinking" in made.model_fields else {}))


def _make_tasks(folder: Path, documents: int) -> None:
    rows = [
        {"q": f" What is {n} and {n + 1}? [note] " * 3, "c": [f"answer {n + k} [x]" for k in range(4)], "label": n % 4}
        for n in range(documents)
    ]
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number, (keys, code) in enumerate(FUNCTIONS.values()):
        inside = folder / str(number)
        inside.mkdir()
        (inside / "u.py").write_text(code)
        head = f"task: made_{number}\ndataset_path: {folder}/d.jsonl\ntest_split: test\noutput_type: multiple_choice\n"
        (inside / "t.yaml").write_text(head + keys + "metric_list: [{metric: acc}]\n")


def _in(tree: Path, function: str, *arguments: Any) -> Any:
    """What a function of this file gives with the project as it is in `tree`, in a new process with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "HARNESS_CACHE": cache}
        start = f"import sys; sys.path.insert(0, {str(tree)!r})"
        code = f"{start}; sys.path.insert(0, {str(Path(__file__).parent)!r})\nimport json, task_opening\n"
        code += f"print(json.dumps(task_opening.{function}(*json.loads({json.dumps(arguments)!r}))))"
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--documents", type=int, default=2000)
    given = parser.parse_args()
    folder = given.folder or _installed()
    ours = Path(__file__).resolve().parent.parent
    taken, reasons = _in(ours, "opened", folder)
    print(f"{len(taken)} task files open without permission")
    for why, count in Counter(reasons).most_common(8):
        print(f"{count:6} {why}")
    earlier, _ = _in(given.before.resolve(), "opened", folder) if given.before else (taken, {})
    if lost := sorted(set(earlier) - set(taken)):
        print(f"{len(lost)} that opened before don't: {', '.join(lost[:10])}")
    slowest = sorted(taken.keys() & earlier.keys(), key=earlier.__getitem__, reverse=True)[:10]
    rounds = []
    for number in range(given.rounds if given.before else 1):
        trees = [ours] if given.before is None else [ours, given.before.resolve()]
        both = {
            tree: _in(tree, "times_of", folder, slowest, given.documents)
            for tree in (trees if number % 2 else trees[::-1])
        }
        rounds.append([both[tree] for tree in trees])
    for what in rounds[0][0]:
        seconds = statistics.median(one[0][what] for one in rounds)
        ratio = statistics.median(one[0][what] / one[1][what] for one in rounds) if given.before else None
        print(f"{seconds * 1e3:9.1f} ms  {'' if ratio is None else f'{ratio:5.2f} times before  '}{what}")
    ratios = (
        {what: statistics.median(one[0][what] / one[1][what] for one in rounds) for what in rounds[0][0]}
        if given.before
        else {}
    )
    both_open = [name for name in taken if name in earlier]
    medians = {"now": statistics.median(taken.values()), "before": statistics.median(earlier[n] for n in both_open)}
    print(f"median of all {medians['now'] * 1e3:.3f} ms, before {medians['before'] * 1e3:.3f} ms")
    print(json.dumps({"open": len(taken), "ratios": ratios, "medians": medians, "load": os.getloadavg()}))


def _installed() -> str:
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise SystemExit("lm_eval isn't installed: name a folder of task files")
    return str(Path(found.origin).parent / "tasks")


if __name__ == "__main__":
    main()
