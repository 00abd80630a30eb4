"""How long does a number take, from a shell, and how much memory, beside what a user would run instead?

    python benchmarks/front_door.py --peer PYTHON [--threads 1] [--rounds 3] [--jobs help generate …] [--out FILE]

PYTHON is an interpreter that has `lm_eval[hf]==0.4.13`, in an environment of its own: lm-eval, and plain programs of
`transformers`, run there. Whole commands of both sides take turns, in a random order in each round, on the same folder
of SmolLM2-135M-Instruct in fp32 with the same number of threads:

    help        `--help`
    import      `import harness`, `import lm_eval`
    perplexity  of a text in windows of 1024 tokens, stride 512: beside the loop of the documentation of transformers
    generate    32 tokens, greedy: beside a pipeline of transformers; and with an empty cache, as of a model that was
                never opened here and is compared with itself first (docs/models.md)
    eval        20 documents of arc_easy: the very command line of lm-eval, there at batch size 1 (its default), and in
                the first round at auto, which takes four times as long
    bench       fp32 and bf16, 128 tokens read and 32 written: beside a loop of `transformers` with a clock, and beside
                optimum-benchmark where HARNESS_OPTIMUM_BENCHMARK_PYTHON names an interpreter that has it
    lockstep    the same with the ratios between both precisions, six launches in turn: only where it is asked for, as
                nobody else does it, and it takes minutes

Three rounds of all but the last take about 11 minutes on two quiet cores by the CPU seconds of earlier figures
(results/peers/front_door.json), of which `bench` is a guess; nobody has timed the whole.

Nothing of ours comes out of the cache of cells (`--no-cache`). Of each command: seconds until it ended, CPU seconds of
all its processes, and the largest sum of their memory (PSS, read every 0.2 s: pages that several share count once).
Seconds mean nothing alone on a shared machine, so each run has what others took of the cores meanwhile; a ratio is the
median of the rounds' ratios, and all runs are in the file. Linux. Writes one JSON file and prints a table.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODEL = "smollm2-135m-instruct"
ROOT = Path(__file__).resolve().parents[1]
PROMPT = "The capital of France is"
TEXT_BYTES = 10_000
READ, WRITTEN = 128, 32
"""Tokens of the prompts and of the answers that `bench` times."""
SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER: what a command leaves behind becomes a child of this program, which waits for it."""

LOOP = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(int(sys.argv[3]))
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
ids = tokenizer(open(sys.argv[2]).read(), return_tensors="pt").input_ids
length, window, stride, before, total, count = ids.size(1), 1024, 512, 0, 0.0, 0
for begin in range(0, length, stride):
    end = min(begin + window, length)
    target = ids[:, begin:end].clone()
    target[:, : before - end] = -100
    with torch.no_grad():
        loss = model(ids[:, begin:end], labels=target).loss
    scored = int((target[:, 1:] != -100).sum())
    total, count, before = total + float(loss) * scored, count + scored, end
    if end == length:
        break
print(f"perplexity {torch.tensor(total / count).exp():.4g} per token")
"""
PIPELINE = """
import sys, torch
from transformers import pipeline
torch.set_num_threads(int(sys.argv[3]))
generator = pipeline("text-generation", model=sys.argv[1], dtype=torch.float32, device="cpu")
print(generator(sys.argv[2], max_new_tokens=32, do_sample=False)[0]["generated_text"])
"""

TIMED = """
import statistics, sys, time, torch
from transformers import AutoModelForCausalLM
torch.set_num_threads(int(sys.argv[2]))
for dtype in (torch.float32, torch.bfloat16):
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=dtype).eval()
    ids = torch.randint(model.config.vocab_size, (1, READ), generator=torch.Generator().manual_seed(0))
    first, step = [], []
    for _ in range(4):
        spans = []
        for new in (1, WRITTEN):
            began = time.perf_counter()
            ones = torch.ones_like(ids)
            model.generate(ids, attention_mask=ones, min_new_tokens=new, max_new_tokens=new, do_sample=False)
            spans.append(time.perf_counter() - began)
        first.append(spans[0])
        step.append((spans[1] - spans[0]) / (WRITTEN - 1))
    print(dtype, f"ttft {statistics.median(first[1:]):.4f} s, tpot {statistics.median(step[1:]):.4f} s")
""".replace("READ", str(READ)).replace("WRITTEN", str(WRITTEN))
OPTIMUM = """
import sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, ProcessConfig, PyTorchConfig
if __name__ == "__main__":
    for dtype in ("float32", "bfloat16"):
        config = BenchmarkConfig(
            name=dtype,
            launcher=ProcessConfig(),
            scenario=InferenceConfig(
                latency=True, memory=False, iterations=3, duration=0, warmup_runs=1,
                input_shapes={"batch_size": 1, "sequence_length": READ},
                generate_kwargs={"max_new_tokens": WRITTEN, "min_new_tokens": WRITTEN},
            ),
            backend=PyTorchConfig(
                model=sys.argv[1], device="cpu", task="text-generation", library="transformers", torch_dtype=dtype
            ),
        )
        print(dtype, Benchmark.launch(config).decode.latency.mean)
""".replace("READ", str(READ)).replace("WRITTEN", str(WRITTEN))
OPTIMUM_PYTHON = os.environ.get("HARNESS_OPTIMUM_BENCHMARK_PYTHON", "")
ONCE = ("eval", "lm-eval, batch auto")
"""What is run in the first round alone."""
NOT_ASKED = "lockstep"
"""What is run only where it is asked for."""

Command = tuple[list[str], dict[str, str]]
"""A command line, and what it has in its environment besides."""


def commands(peer: str, model: str, folder: Path, threads: int) -> dict[str, dict[str, Command]]:
    """By job and side what is run; the first side is ours."""
    many = str(threads)
    both = {
        "OMP_NUM_THREADS": many,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    mine = both | {"PYTHONPATH": str(ROOT)}
    new = mine | {"HARNESS_CACHE": str(folder / "empty")}
    harness = [sys.executable, "-m", "harness"]
    text, out = str(folder / "text.txt"), str(folder / "runs")
    windows = ["--window", "1024", "--stride", "512"]
    asked = ["--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--tasks", "arc_easy"]
    asked += ["--limit", "20", "--include_path", str(folder / "tasks"), "--device", "cpu"]
    lm_eval = [peer, "-m", "lm_eval"]
    write = [*harness, "generate", model, PROMPT, "--max-tokens", "32", "--threads", many]
    bench = [*harness, "bench", model, "--precision", "fp32,bf16", "--prompt", str(READ), "--new", str(WRITTEN)]
    bench += ["--threads", many, "--no-memory", "--no-cache", "--out", out]
    (folder / "optimum.py").write_text(OPTIMUM)
    timed: dict[str, Command] = {
        "harness": ([*bench, "--no-compare"], mine),
        "transformers": ([peer, "-c", TIMED, model, many], both),
    }
    if OPTIMUM_PYTHON:  # it has processes of its own, which import the program
        timed["optimum-benchmark"] = ([OPTIMUM_PYTHON, str(folder / "optimum.py"), model], both)
    return {
        "bench": timed,
        NOT_ASKED: {"harness": (bench, mine)},
        "help": {"harness": ([*harness, "--help"], mine), "lm-eval": ([*lm_eval, "--help"], both)},
        "import": {
            "harness": ([sys.executable, "-c", "import harness"], mine),
            "lm-eval": ([peer, "-c", "import lm_eval"], both),
        },
        "perplexity": {
            "harness": (
                [*harness, "perplexity", model, "--text", text, *windows, "--no-cache", "--out", out],
                mine,
            ),
            "transformers": ([peer, "-c", LOOP, model, text, many], both),
        },
        "generate": {
            "harness": (write, mine),
            "harness, empty cache": (write, new),
            "transformers": ([peer, "-c", PIPELINE, model, PROMPT, many], both),
        },
        "eval": {
            "harness": ([*harness, "eval", *asked, "--no-cache", "--out", out], mine),
            "lm-eval, batch 1": ([*lm_eval, *asked, "--batch_size", "1"], both),
            "lm-eval, batch auto": ([*lm_eval, *asked, "--batch_size", "auto"], both),
        },
    }


def descendants() -> list[int]:
    """Process ids of all that this program started, and that they started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, ahead = [], [os.getpid()]
    while ahead:
        its = children.get(ahead.pop(), [])
        found += its
        ahead += its
    return found


def held() -> int:
    """Bytes that all descendants hold together."""
    total = 0
    for pid in descendants():
        try:
            found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        except OSError:  # it has ended
            continue
        total += int(found[1]) * 1024 if found else 0
    return total


def run(command: Command) -> dict[str, Any]:
    """One command from start to end: what it took, and what others took meanwhile."""
    from harness.results.conditions import conditions, others_share

    arguments, environment = command
    before, spent = conditions(), resource.getrusage(resource.RUSAGE_CHILDREN)
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            arguments, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=os.environ | environment
        )
        while process.poll() is None:
            peak = max(peak, held())
            time.sleep(0.2 if time.perf_counter() - began > 2 else 0.02)
        seconds = time.perf_counter() - began
        output.seek(0)
        said = output.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(arguments)[:200]} ended with status {process.returncode}:\n{said[-2000:]}")
    try:
        while True:  # such as a fork server, which ends when its parent has
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
    after, now = conditions(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    after["own_s"] += cpu  # what the command took is not others'
    number = re.search(r"perplexity +([\d.]+) per token", said)
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "peak_bytes": peak,
        "others_share": others_share(before, after, os.cpu_count() or 1),
        "load_average": before.get("load_average"),
        "perplexity": None if number is None else float(number[1]),
    }


def tasks_and_text(peer: str, folder: Path) -> None:
    """lm-eval's own arc_easy with documents that lie here, and a text."""
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    import borrowed_tasks

    where = "import importlib.util as i; print(i.find_spec('lm_eval').submodule_search_locations[0])"
    theirs = Path(subprocess.check_output([peer, "-c", where], text=True).strip()) / "tasks"
    borrowed = next(one for one in borrowed_tasks.BORROWED if one.task == "arc_easy")
    (folder / "tasks").mkdir()
    data = borrowed_tasks.write(borrowed, folder / "tasks")
    borrowed_tasks.override(borrowed, theirs, data, folder / "tasks")
    pages = "".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))
    (folder / "text.txt").write_bytes(pages.encode()[:TEXT_BYTES].decode(errors="ignore").encode())


def ratios(sides: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """By the other side and figure the median of theirs over ours, round by round, with all of them."""
    ours = sides["harness"]
    found: dict[str, dict[str, Any]] = {}
    for side, runs in sides.items():
        if side == "harness":
            continue
        for figure in ("seconds", "cpu_seconds", "peak_bytes"):
            each = [their[figure] / max(mine[figure], 1e-3) for mine, their in zip(ours, runs, strict=False)]
            found.setdefault(side, {})[figure] = {"median": statistics.median(each), "rounds": each}
    return found


def main() -> None:
    """All jobs, in turns."""
    parser = argparse.ArgumentParser(description="Whole commands side by side.")
    parser.add_argument("--peer", metavar="PYTHON", default=sys.executable, help="an interpreter that has lm_eval")
    parser.add_argument("--model", metavar="FOLDER", help=f"a folder of a model; left out, the asset {MODEL}")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    names = ["help", "import", "perplexity", "generate", "eval", "bench"]
    parser.add_argument("--jobs", nargs="+", default=names, choices=[*names, NOT_ASKED])
    parser.add_argument("--out", type=Path, default=Path("results/peers/front_door.json"))
    options = parser.parse_args()
    if ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit("this system does not let a program wait for what its children leave behind")
    from harness import assets
    from harness.results.fingerprint import fingerprint

    options.out.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"threads": options.threads, "model": options.model or MODEL}
    found["fingerprint"] = json.loads(fingerprint().model_dump_json()) | {"class": fingerprint().class_id}
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tasks_and_text(options.peer, folder)
        model = options.model or str(assets.get(MODEL))
        jobs = commands(options.peer, model, folder, options.threads)
        if {"perplexity", "generate", "eval", "bench", NOT_ASKED} & set(options.jobs):
            run(jobs["generate"]["harness"])  # the model is compared with itself once
        runs: dict[str, dict[str, list[dict[str, Any]]]] = {
            job: {side: [] for side in jobs[job]} for job in options.jobs
        }
        for number in range(options.rounds):
            for job in options.jobs:
                sides = [side for side in jobs[job] if number == 0 or (job, side) != ONCE]
                for side in order.sample(sides, len(sides)):
                    subprocess.run(["rm", "-rf", str(folder / "empty")], check=True)
                    taken = run(jobs[job][side])
                    runs[job][side].append(taken)
                    print(f"round {number + 1} {job:11} {side:21} {_told(taken)}", flush=True)
            found |= {"rounds": number + 1, "runs": runs}
            found["theirs_over_ours"] = {job: ratios(sides) for job, sides in runs.items()}
            options.out.write_text(json.dumps(found, indent=2) + "\n")
    for job, others in found["theirs_over_ours"].items():
        for side, figures in others.items():
            told = ", ".join(f"{figure} x{figures[figure]['median']:.2f}" for figure in figures)
            print(f"{job:11} {side:21} {told}")


def _told(taken: dict[str, Any]) -> str:
    share = taken["others_share"]
    others = "unknown" if share is None else f"{share:.0%}"
    return (
        f"{taken['seconds']:7.2f} s  CPU {taken['cpu_seconds']:6.2f} s  {taken['peak_bytes'] / 1e6:6.0f} MB  "
        f"others {others}  load {taken['load_average']}"
    )


if __name__ == "__main__":
    main()
