"""How long the names of a folder of task files take: the first time, and when nothing or one file has changed since.

    python benchmarks/task_index.py [FOLDER] [--times 5]

FOLDER: by default the task files of an installed lm-eval (14,000 of them). The first time is measured with an empty
memory of our own, but the files may be in the system's cache; `--times` runs follow, of which the median is told.
`open_mmlu_s`: a group of 57 tasks read from its files, where the folder has it. The last line is one JSON object.
"""

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from harness.tasks.files.index import read_index
from harness.tasks.files.library import TaskLibrary


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    folder = given.folder or _installed()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HARNESS_CACHE"] = cache
        first = seconds(lambda: read_index(folder))
        again = [seconds(lambda: read_index(folder)) for _ in range(given.times)]
        library = TaskLibrary((str(folder),))
        names = Counter(named.kind for named in library.names())
        opened = seconds(lambda: library.open("mmlu")) if "mmlu" in {named.name for named in library.names()} else None
    result = {
        "names": dict(names),
        "first_s": first,
        "again_s": statistics.median(again),
        "open_mmlu_s": opened,
        "load": os.getloadavg(),
    }
    print(f"{sum(names.values())} names: first {first:.2f} s, again {result['again_s']:.2f} s")
    print(json.dumps(result))


def _installed() -> Path:
    found = importlib.util.find_spec("lm_eval")
    if found is None or found.origin is None:
        raise SystemExit("lm_eval isn't installed: name a folder of task files")
    return Path(found.origin).parent / "tasks"


if __name__ == "__main__":
    main()
