"""How fast do we read and write SmolLM2-135M, beside what a user would pick instead? All engines in turn, one machine.

    python benchmarks/peers/decoding.py [--threads 2] [--rounds 7] [--llama-cpp PYTHON] [--out FILE]

Engines: our reference GPT in bf16, int8, int4 (the same weights, converted); `transformers` `generate` in bf16, with
its dynamic and its static cache (and fp32, which is faster on a CPU without bf16 arithmetic); and llama.cpp with the
Q4_1 weights that the model was published in, through `llama-cpp-python`, which PYTHON is an interpreter with (built
from source in minutes: CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAMA_CURL=OFF" pip install llama-cpp-python; this script alone
needs it).

Each engine has a process of its own, which sleeps while the others work. In each round each one, in a random order,
reads 512 tokens, then reads 128 and writes 64 greedily, one at a time. The figure of two engines is the median over
rounds of the ratio, with the range of the middle half; times alone mean nothing on a shared machine. MBU is the bytes
of weights and cache that a token reads, over its time, over the triad bandwidth measured here. Writes one JSON file.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PREFILL, PROMPT, GENERATE = 512, 128, 64
MODEL = "smollm2-135m-instruct"

Times = dict[str, float]
"""prefill_s: seconds to read PREFILL tokens and choose the next; tpot_s: seconds per further token after PROMPT."""


def reference_engine(precision: str, threads: int) -> tuple[Callable[[], Times], dict[str, Any]]:
    """Our engine on the converted weights."""
    import torch

    from harness import assets
    from harness.models.contract import ModelSource
    from harness.models.open import open_model, prepare, rehearse

    torch.set_num_threads(threads)
    prepare("converted")
    rehearse("converted")
    began = time.perf_counter()
    model = open_model(ModelSource("m", "converted", str(assets.get(MODEL)), "d", precision))  # type: ignore[arg-type]
    facts = {"load_s": time.perf_counter() - began, "weight_bytes_read": model.identity.weight_bytes_read}
    facts["kv_bytes_per_token"] = model.identity.kv_bytes_per_token
    prompt = torch.randint(model.identity.vocabulary, (1, PREFILL), generator=torch.Generator().manual_seed(0))

    def run() -> Times:
        read = time.perf_counter()
        model.forward(prompt, model.new_cache(1, PREFILL), logits_at=torch.tensor([PREFILL - 1])).argmax(-1)
        prefill = time.perf_counter() - read
        cache = model.new_cache(1, PROMPT + GENERATE)
        token = model.forward(prompt[:, :PROMPT], cache, logits_at=torch.tensor([PROMPT - 1])).argmax(-1)
        began = time.perf_counter()
        for _ in range(GENERATE - 1):
            token = model.forward(token, cache).argmax(-1)
        return {"prefill_s": prefill, "tpot_s": (time.perf_counter() - began) / (GENERATE - 1)}

    return run, facts


def transformers_engine(precision: str, cache: str, threads: int) -> tuple[Callable[[], Times], dict[str, Any]]:
    """`generate`, as its users call it; the prefill is a generation of one token."""
    import torch
    from transformers import AutoModelForCausalLM

    from harness import assets

    torch.set_num_threads(threads)
    began = time.perf_counter()
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    model = AutoModelForCausalLM.from_pretrained(assets.get(MODEL), dtype=dtype).eval()
    facts = {"load_s": time.perf_counter() - began}
    prompt = torch.randint(model.config.vocab_size, (1, PREFILL), generator=torch.Generator().manual_seed(0))

    def seconds(tokens: torch.Tensor, new: int) -> float:
        began = time.perf_counter()
        given = {} if cache == "dynamic" else {"cache_implementation": cache, "disable_compile": True}
        model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            min_new_tokens=new,
            max_new_tokens=new,
            do_sample=False,
            **given,
        )
        return time.perf_counter() - began

    def run() -> Times:
        with torch.inference_mode():
            prefill, first, whole = (
                seconds(prompt, 1),
                seconds(prompt[:, :PROMPT], 1),
                seconds(prompt[:, :PROMPT], GENERATE),
            )
        return {"prefill_s": prefill, "tpot_s": (whole - first) / (GENERATE - 1)}

    return run, facts


def llama_cpp_engine(gguf: str, threads: int) -> tuple[Callable[[], Times], dict[str, Any]]:
    """llama.cpp's own evaluation of token ids, and an argmax over its logits."""
    import numpy as np
    from llama_cpp import Llama

    began = time.perf_counter()
    llama = Llama(gguf, n_ctx=1024, n_batch=PREFILL, n_threads=threads, n_threads_batch=threads, verbose=False)
    facts = {"load_s": time.perf_counter() - began}
    prompt = np.random.default_rng(0).integers(llama.n_vocab(), size=PREFILL).tolist()

    def run() -> Times:
        llama.reset()
        read = time.perf_counter()
        llama.eval(prompt)
        token = int(np.argmax(llama.scores[llama.n_tokens - 1]))
        prefill = time.perf_counter() - read
        llama.reset()
        llama.eval(prompt[:PROMPT])
        token = int(np.argmax(llama.scores[llama.n_tokens - 1]))
        began = time.perf_counter()
        for _ in range(GENERATE - 1):
            llama.eval([token])
            token = int(np.argmax(llama.scores[llama.n_tokens - 1]))
        return {"prefill_s": prefill, "tpot_s": (time.perf_counter() - began) / (GENERATE - 1)}

    return run, facts


def work(engine: str, threads: int) -> None:
    """A worker: load, say the facts, then one round for each line that comes."""
    if engine.startswith("llama.cpp:"):
        run, facts = llama_cpp_engine(engine.removeprefix("llama.cpp:"), threads)
    elif engine.startswith("transformers"):
        _, precision, cache = engine.split()
        run, facts = transformers_engine(precision, cache, threads)
    else:
        run, facts = reference_engine(engine.split()[1], threads)
    run()
    print("SAYS " + json.dumps(facts), flush=True)
    for _ in sys.stdin:
        print("SAYS " + json.dumps(run()), flush=True)


class Worker:
    """An engine's process."""

    def __init__(self, python: str, engine: str, threads: int) -> None:
        command = [python, __file__, "--worker", engine, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = self.answer()

    def answer(self) -> dict[str, float]:
        """What it says next."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("SAYS "):
                return json.loads(line.removeprefix("SAYS "))  # type: ignore[no-any-return]
        sys.exit(f"{self.process.args}: the engine stopped")

    def round(self) -> dict[str, float]:
        """One round."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.answer()


def ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """How many times as fast as theirs ours is: median over rounds, and the quartiles."""
    low, middle, high = statistics.quantiles([t / o for o, t in zip(ours, theirs, strict=True)], n=4)
    return {"median": middle, "first_quartile": low, "third_quartile": high}


def main() -> None:
    """All engines that can be had."""
    parser = argparse.ArgumentParser(description="Decoding side by side.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--llama-cpp", metavar="PYTHON", help="an interpreter that has llama-cpp-python")
    parser.add_argument("--gguf", type=Path, help="the model's GGUF file, for llama.cpp")
    parser.add_argument("--out", type=Path, default=Path("results/peers/decoding.json"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.threads)
        return
    from harness.results.conditions import conditions, others_share
    from harness.results.fingerprint import fingerprint
    from harness.results.peaks import measure_peaks

    engines = [f"reference {p}" for p in ("bf16", "int8", "int4")]
    engines += ["transformers bf16 dynamic", "transformers bf16 static", "transformers fp32 dynamic"]
    peaks = measure_peaks(options.threads, "cpu")
    workers = {name: Worker(sys.executable, name, options.threads) for name in engines}
    if options.llama_cpp:
        workers["llama.cpp Q4_1"] = Worker(options.llama_cpp, f"llama.cpp:{options.gguf}", options.threads)
    times: dict[str, dict[str, list[float]]] = {name: {"prefill_s": [], "tpot_s": []} for name in workers}
    order, before = random.Random(0), conditions()
    for _ in range(options.rounds):
        for name in order.sample(list(workers), len(workers)):
            for what, value in workers[name].round().items():
                times[name][what].append(value)
    found: dict[str, Any] = {"threads": options.threads, "rounds": options.rounds, "model": MODEL, "engines": {}}
    for name, taken in times.items():
        tpot, prefill = statistics.median(taken["tpot_s"]), statistics.median(taken["prefill_s"])
        facts = workers[name].facts
        row: dict[str, Any] = {"prefill_tokens_per_s": PREFILL / prefill, "decode_tokens_per_s": 1 / tpot}
        row["load_s"] = facts["load_s"]
        if "weight_bytes_read" in facts:
            read = facts["weight_bytes_read"] + facts["kv_bytes_per_token"] * (PROMPT + GENERATE / 2)
            row["mbu"] = read / tpot / peaks.bandwidth
        found["engines"][name] = row | {"seconds": taken}
        print(f"{name:28} " + "  ".join(f"{key} {value:.4g}" for key, value in row.items()))
    found["ratios"] = {
        f"{ours} / {theirs}": {what: ratio(times[ours][what], times[theirs][what]) for what in ("prefill_s", "tpot_s")}
        for ours in engines[:3]
        for theirs in workers
        if ours != theirs
    }
    for name, pair in found["ratios"].items():
        print(f"{name:44} prefill x{pair['prefill_s']['median']:.2f}  decode x{pair['tpot_s']['median']:.2f}")
    after = conditions()
    found |= {"others_share": others_share(before, after, fingerprint().cores_allowed)}
    found |= {"load_average": after.get("load_average"), "triad_bytes_per_s": peaks.bandwidth}
    found["fingerprint"] = json.loads(fingerprint().model_dump_json()) | {"class": fingerprint().class_id}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
