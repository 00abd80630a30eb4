"""Do we train a GPT as fast as nanoGPT, and as well? Side by side on one machine, in turn, on the same batches.

    python benchmarks/peers/nanogpt.py CHECKOUT --data input.txt [--threads 2] [--shapes cpu maxi] [--published SEED]

CHECKOUT is a folder with nanoGPT's `model.py`, which is driven as its `train.py` drives it (its own optimizer, clip and
loss, fp32, not compiled, as its README says for a CPU). DATA is the tinyshakespeare text. Three shapes: `cpu`, its
README's CPU run (4 layers, 128 wide, block 64, batch 12); `maxi`, its 6 layers of 384 with block 256, also with batch
12, without dropout and with its config's 0.2.

Both sides see the same tokens at the same step and the same learning rates. They take turns in blocks of steps, in a
random order, in this process; the figure is the median over blocks of the ratio of the two sides' times. The same of
CPU time is what to read with one thread on a machine that others use too (with several it counts waiting threads).
Beside them stand the loss that both reached after the same steps, and the time that the matrix products of one step
take on their own, which nobody's step can be shorter than with these kernels. Writes one JSON file.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.results.conditions import conditions, others_share
from harness.results.fingerprint import fingerprint
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.characters import Characters
from reference_impl.text.packing import Tokens, pack
from reference_impl.training.accumulation import accumulate_gradients, summed_loss
from reference_impl.training.batches import IGNORED, Batch, training_batch, validation_batches
from reference_impl.training.optimizer import guarded_step, make_optimizer
from reference_impl.training.schedule import learning_rate_at
from reference_impl.training.settings import TrainingSettings

BATCH = 12
RATE = 1e-3
BETAS = (0.9, 0.99)
DECAY = 0.1
CLIP = 1.0

Step = Callable[[Batch, float], float]
"""(batch, learning rate) -> training loss: one step of a side."""


@dataclass(frozen=True)
class Shape:
    """What is trained, and for how long."""

    config: GPTConfig
    blocks: int
    steps: int
    """Per block and side."""


CPU = GPTConfig(vocabulary=65, context=64, layers=4, heads=4, width=128, bias=False, ffn="gelu_exact")
MAXI = GPTConfig(vocabulary=65, context=256, layers=6, heads=6, width=384, bias=False, ffn="gelu_exact")
SHAPES = {
    "cpu": Shape(CPU, blocks=20, steps=10),
    "maxi": Shape(MAXI, blocks=8, steps=1),
    "maxi-dropout": Shape(replace(MAXI, dropout=0.2), blocks=8, steps=1),
}


def our_side(config: GPTConfig) -> Step:
    """Our model, gradients and guarded step, as `train` calls them."""
    torch.manual_seed(0)
    model = GPT(config).train()
    settings = TrainingSettings(betas=BETAS, weight_decay=DECAY, gradient_clip=CLIP)
    optimizer = make_optimizer(model, settings, RATE)

    def step(batch: Batch, rate: float) -> float:
        loss = accumulate_gradients(model, [batch])
        guarded_step(optimizer, rate, settings.gradient_clip)
        return float(loss)

    return step


def their_side(nanogpt: ModuleType, config: GPTConfig) -> tuple[Step, nn.Module]:
    """nanoGPT's model and optimizer, in the order of its `train.py`. Its weights follow torch's seed."""
    shape = nanogpt.GPTConfig(
        block_size=config.context,
        vocab_size=config.vocabulary,
        n_layer=config.layers,
        n_head=config.heads,
        n_embd=config.width,
        dropout=config.dropout,
        bias=config.bias,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        model = nanogpt.GPT(shape).train()
        optimizer = model.configure_optimizers(DECAY, RATE, BETAS, "cpu")

    def step(batch: Batch, rate: float) -> float:
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(*batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step, model


def bare_matrix_products(config: GPTConfig) -> Callable[[], None]:
    """The products of one step with nothing between them: forward, and both gradients, of every linear layer.

    Attention's own products are left out, so it is a little less than the true floor.
    """
    rows, width, hidden = BATCH * config.context, config.width, config.ffn_width
    layer = [(width, 3 * width), (width, width), (width, hidden), (hidden, width)]
    pairs = [
        (torch.randn(rows, inside), torch.randn(outside, inside), torch.randn(rows, outside))
        for inside, outside in [*layer * config.layers, (width, config.vocabulary)]
    ]

    def products() -> None:
        for x, weight, gradient in pairs:
            _ = x @ weight.t(), gradient @ weight, gradient.t() @ x

    return products


def compare(nanogpt: ModuleType, shape: Shape, tokens: Tokens, blocks: int) -> dict[str, Any]:
    """Both sides in turn; seconds per step, the ratios by block, the losses, the floor."""
    torch.manual_seed(0)
    sides: dict[str, Step] = {"ours": our_side(shape.config), "nanogpt": their_side(nanogpt, shape.config)[0]}
    products = bare_matrix_products(shape.config)
    seconds: dict[str, list[float]] = {"ours": [], "nanogpt": [], "floor": []}
    cpu_seconds: dict[str, list[float]] = {"ours": [], "nanogpt": [], "floor": []}
    losses: dict[str, list[float]] = {"ours": [], "nanogpt": []}
    order = random.Random(0)
    steps = (blocks + 1) * shape.steps
    before = conditions()
    for block in range(blocks + 1):
        batches = [
            (
                training_batch(tokens, step, batch=BATCH, sequence=shape.config.context, seed=0),
                rate_of(step, steps),
            )
            for step in range(block * shape.steps, (block + 1) * shape.steps)
        ]
        for side in order.sample(list(seconds), 3):
            began, cpu_began = time.perf_counter(), time.process_time()
            for batch, rate in batches:
                if side == "floor":
                    products()
                else:
                    losses[side].append(sides[side](batch, rate))
            if block:  # the first one warms up
                seconds[side].append((time.perf_counter() - began) / shape.steps)
                cpu_seconds[side].append((time.process_time() - cpu_began) / shape.steps)
    last = max(1, steps // 10)
    median = {side: statistics.median(values) for side, values in seconds.items()}
    return {
        "speed_ratio": ratio(seconds),
        "speed_ratio_quartiles": quartiles(seconds),
        "cpu_time_ratio": ratio(cpu_seconds),
        "cpu_time_ratio_quartiles": quartiles(cpu_seconds),
        "largest_possible_ratio": ratio(seconds, "floor"),
        "largest_possible_cpu_time_ratio": ratio(cpu_seconds, "floor"),
        **{f"{side}_ms_per_step": 1e3 * value for side, value in median.items()},
        **{f"{side}_tokens_per_second": BATCH * shape.config.context / median[side] for side in ("ours", "nanogpt")},
        **{f"{side}_loss": statistics.fmean(values[-last:]) for side, values in losses.items()},
        "steps": steps,
        "blocks": blocks,
        "others_share": others_share(before, after := conditions(), fingerprint().cores_allowed),
        "load_average": after.get("load_average"),
    }


def their_published_run(nanogpt: ModuleType, train: Tokens, validation: Tokens, seed: int) -> dict[str, Any]:
    """nanoGPT's README run by nanoGPT: its random batches, 2000 steps; then its loss on all of the validation text.

    Its own figure is a mean over 20 batches drawn at random; ours is this full pass, so this is what to compare with.
    """
    torch.manual_seed(seed)
    step, model = their_side(nanogpt, CPU)
    stream, steps, context = torch.from_numpy(np.asarray(train, dtype=np.int64)), 2000, CPU.context
    for number in range(steps):
        starts = torch.randint(len(stream) - context, (BATCH,))
        windows = torch.stack([stream[start : start + context + 1] for start in starts])
        step((windows[:, :-1].contiguous(), windows[:, 1:].contiguous()), rate_of(number, steps))
    model.eval()
    nats, targets = 0.0, 0
    with torch.no_grad():
        for inputs, wanted in validation_batches(validation, batch=64, sequence=context):
            logits, _ = model(inputs, inputs)  # with targets it gives logits at every position
            nats += float(summed_loss(logits, wanted))
            targets += int((wanted != IGNORED).sum())
    return {"seed": seed, "steps": steps, "validation_loss_full_pass": nats / targets}


def rate_of(step: int, steps: int) -> float:
    """The learning rate of both sides: up for a twentieth of the steps, then a cosine down to a tenth."""
    return learning_rate_at(step, steps, RATE, warmup=0.05, final=0.1)


def ratio(seconds: dict[str, list[float]], side: str = "ours") -> float:
    """Median over blocks of nanoGPT's time over this side's."""
    return statistics.median(a / b for a, b in zip(seconds["nanogpt"], seconds[side], strict=True))


def quartiles(seconds: dict[str, list[float]]) -> list[float]:
    """First and third quartile over blocks of nanoGPT's time over ours."""
    cut = statistics.quantiles([a / b for a, b in zip(seconds["nanogpt"], seconds["ours"], strict=True)], n=4)
    return [cut[0], cut[2]]


def nanogpt_model(checkout: Path) -> ModuleType:
    """Its `model.py` as a module."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", checkout / "model.py")
    if spec is None or spec.loader is None or not (checkout / "model.py").is_file():
        sys.exit(f"{checkout}: there is no model.py here; give the folder of a nanoGPT checkout")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """All shapes that are asked for."""
    parser = argparse.ArgumentParser(description="Train side by side with nanoGPT.")
    parser.add_argument("checkout", type=Path, help="folder of a nanoGPT checkout")
    parser.add_argument("--data", type=Path, required=True, help="tinyshakespeare's input.txt")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--blocks", type=int, default=None, help="blocks per shape; by default 20 and 8")
    parser.add_argument(
        "--published", type=int, nargs="*", default=[], metavar="SEED", help="train its README's run too"
    )
    parser.add_argument("--out", type=Path, default=Path("results/peers/nanogpt.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    nanogpt = nanogpt_model(options.checkout)
    text = options.data.read_text(encoding="utf-8")
    tokenizer = Characters.train([text])
    tokens = pack(tokenizer, [text[: int(len(text) * 0.9)]]).astype(np.int64)
    found: dict[str, Any] = {"threads": options.threads, "batch": BATCH, "shapes": {}}
    if options.out.is_file():  # shapes that are not asked for stay as they were measured
        found = json.loads(options.out.read_text()) | {"threads": options.threads}
    for name in options.shapes:
        shape = SHAPES[name]
        shape = replace(shape, config=replace(shape.config, vocabulary=tokenizer.size))
        found["shapes"][name] = result = compare(nanogpt, shape, tokens, options.blocks or shape.blocks)
        for key, value in result.items():
            print(f"{name:14} {key:28} {value if isinstance(value, list | None) else f'{value:.6g}'}", flush=True)
        found["fingerprint"] = json.loads(fingerprint().model_dump_json()) | {"class": fingerprint().class_id}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=2) + "\n")  # after each shape: a later one may be stopped
    validation = pack(tokenizer, [text[int(len(text) * 0.9) :]]).astype(np.int64)
    for seed in options.published:
        found.setdefault("published", []).append(their_published_run(nanogpt, tokens, validation, seed))
        print(found["published"][-1], flush=True)
        options.out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found["shapes"]))


if __name__ == "__main__":
    main()
