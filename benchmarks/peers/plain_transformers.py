"""Is what the harness reports what a plain `transformers` loop gives? Side by side, on a model folder and a text file.

    python benchmarks/peers/plain_transformers.py [MODEL_FOLDER] [TEXT_FILE]

Perplexity: the strided loop of transformers' documentation (one window at a time, its own loss) against the measure
measure, fp32, same window and stride. Speed: plain `model(...)` calls in a loop, written as a user would, against the
`inference` measure's timing, in turn in this process; medians and the ratio. Without arguments: SmolLM2-135M-Instruct
from the assets, and one scene of its Shakespeare test plays. The last line is one JSON object.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from harness import assets, corpora
from harness.measures import perplexity
from harness.measures.inference import InferenceSettings, timed_iterations
from harness.measures.measure import Facts
from harness.measures.perplexity import PerplexitySettings
from harness.models.contract import ModelSource
from harness.models.open import open_model

WINDOW, STRIDE = 512, 256
PROMPT, GENERATE, ROUNDS = 128, 16, 5


def plain_perplexity(folder: str, text: str) -> float:
    """The documentation's loop: nothing of ours in it."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    nll, tokens, previous_end = 0.0, 0, 0
    for begin in range(0, ids.shape[1], STRIDE):
        end = min(begin + WINDOW, ids.shape[1])
        window, labels = ids[:, begin:end], ids[:, begin:end].clone()
        labels[:, : -(end - previous_end)] = -100
        with torch.inference_mode():
            loss = model(window, labels=labels).loss
        scored = int((labels[:, 1:] != -100).sum())
        nll, tokens, previous_end = nll + float(loss) * scored, tokens + scored, end
        if end == ids.shape[1]:
            break
    return math.exp(nll / tokens)


def our_perplexity(folder: str, text_file: str) -> float:
    """The measure's two halves on the same file."""
    model = open_model(ModelSource("m", "transformers", folder, "d"))
    settings = PerplexitySettings(text=text_file, window=WINDOW, stride=STRIDE)
    samples = pd.DataFrame(perplexity.collect(lambda: model, settings))
    found = perplexity.summarize(samples, settings, Facts(model.identity))
    return next(item.value for item in found if item.metric.name == "perplexity")


def plain_times(model: torch.nn.Module, prompt: torch.Tensor) -> tuple[float, float]:
    """(TTFT, TPOT) in seconds of plain calls."""
    with torch.inference_mode():
        began = time.perf_counter()
        cache = DynamicCache(config=model.config)
        token = model(prompt, past_key_values=cache, logits_to_keep=1).logits[:, -1].argmax(-1, keepdim=True)
        first = time.perf_counter()
        for _ in range(GENERATE - 1):
            token = model(token, past_key_values=cache).logits[:, -1].argmax(-1, keepdim=True)
        return first - began, (time.perf_counter() - first) / (GENERATE - 1)


def timings(folder: str) -> dict[str, float]:
    """Medians of both sides, taken in turn."""
    ours = open_model(ModelSource("m", "transformers", folder, "d"))
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = torch.randint(plain.config.vocab_size, (1, PROMPT), generator=torch.Generator().manual_seed(0))
    settings = InferenceSettings(prompt=PROMPT, generate=GENERATE, iterations=1, warmup=0)
    rows: dict[str, list[float]] = {name: [] for name in ("ours ttft", "plain ttft", "ours tpot", "plain tpot")}
    for number in range(ROUNDS + 1):
        sides = ["ours", "plain"] if number % 2 else ["plain", "ours"]
        for side in sides:
            if side == "ours":
                [row] = timed_iterations(ours, settings, time.perf_counter_ns)
                ttft, tpot = row["ttft_s"], sum(row["step_s"]) / len(row["step_s"])
            else:
                ttft, tpot = plain_times(plain, prompt)
            if number:  # the first round warms up
                rows[f"{side} ttft"].append(ttft)
                rows[f"{side} tpot"].append(tpot)
    ratios = {
        f"{name}_ratio": statistics.median(
            a / b for a, b in zip(rows[f"ours {name}"], rows[f"plain {name}"], strict=True)
        )
        for name in ("ttft", "tpot")
    }
    return {f"{name.replace(' ', '_')}_ms": 1e3 * statistics.median(values) for name, values in rows.items()} | ratios


def main() -> None:
    """Both comparisons."""
    folder = sys.argv[1] if len(sys.argv) > 1 else str(assets.get("smollm2-135m-instruct"))
    with tempfile.TemporaryDirectory() as scratch:
        text_file = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(scratch, "scene.txt")
        if len(sys.argv) <= 2:
            text_file.write_text(corpora.documents("asset:shakespeare/test")[0], encoding="utf-8")
        theirs = plain_perplexity(folder, text_file.read_text(encoding="utf-8"))
        ours = our_perplexity(folder, str(text_file))
    found = {"load": os.getloadavg()[0], "threads": torch.get_num_threads(), "perplexity_plain": theirs}
    found |= {"perplexity_ours": ours, "perplexity_relative_difference": abs(ours / theirs - 1)} | timings(folder)
    for name, value in found.items():
        print(f"{name:32} {value:.6g}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
