"""How long linear layers take at each precision, by the number of rows of activations.

This is where the kernel choices of `reference_impl/quantization` come from: up to how many rows the compiled kernel, or
torch's, is faster than widening the weight and multiplying densely, in which floating type to multiply densely, and
what the scalar path costs that fp32 activations would fall onto in torch's kernel.

    python benchmarks/quantized_linear.py [--layers 60] [--inputs 576] [--outputs 1536] [--rows 1 4 8 16 ...]

All layers' weights are distinct, so that they come from memory and not from the cache: one layer timed again
and again is cache-hot and misleads (bf16 then looks slower than fp32 with one row). The ways are interleaved, in an
order that is shuffled each round, and compared by the median over rounds of the ratio to fp32 in the same round;
so a slow spell of a shared machine falls on all of them. One thread. The last line is one JSON object; load averages
are in it.
"""

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from reference_impl.native.build import native_library
from reference_impl.native.matrix import native_product
from reference_impl.quantization import int4, int8
from reference_impl.quantization.bf16 import Bf16Weight
from reference_impl.quantization.int4 import pack_for_torch, split
from reference_impl.quantization.weight_format import dense_matmul, dense_type

aten = torch.ops.aten


class Ways:
    """The same layers at each precision, and every way to multiply with them."""

    def __init__(self, layers: int, outputs: int, inputs: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.fp32 = [torch.randn(outputs, inputs, generator=generator) / inputs**0.5 for _ in range(layers)]
        self.bf16 = [Bf16Weight(w) for w in self.fp32]
        self.int8 = [int8.Int8Weight(w) for w in self.fp32]
        self.int4 = [int4.Int4Weight(w) for w in self.fp32]

    def ways(self, x: Tensor) -> dict[str, Callable[[], None]]:
        """One pass over all layers, by name. x: (rows, inputs) fp32."""
        bf16 = x.bfloat16()
        packed = [pack_for_torch(split(w.codes), w.scale, w.zero) for w in self.int4]

        def each(layers: Sequence[Any], product: Callable[[Any], Tensor | None]) -> Callable[[], None]:
            def run() -> None:
                for layer in layers:
                    product(layer)

            return run

        ways = {
            "fp32": each(self.fp32, lambda w: F.linear(x, w)),
            "torch bf16": each([w.values for w in self.bf16], lambda w: F.linear(bf16, w)),
            "torch int8": each(self.int8, lambda w: aten._weight_int8pack_mm(bf16, w.values, w.scale)),
            "torch int4": each(packed, lambda w: aten._weight_int4pack_mm_for_cpu(bf16, w[0], int4.GROUP, w[1])),
        }
        for name, layers in (("bf16", self.bf16), ("int8", self.int8), ("int4", self.int4)):
            if native_library().library is not None:
                ways[f"kernel {name}"] = each(layers, lambda w: native_product(w.matrix(), x))
            ways[f"dense {name}"] = each(layers, lambda w: dense_matmul(w, x))
        if len(x) == 1:  # the cliff: shown once, it's too slow for more
            ways["torch int8, fp32 x"] = each(
                self.int8, lambda w: aten._weight_int8pack_mm(x, w.values, w.scale.float())
            )
        return ways


def measure(ways: dict[str, Callable[[], None]], rounds: int, order: random.Random) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one untimed round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for timed in range(rounds + 1):
        for name in order.sample(list(ways), len(ways)):
            start = time.perf_counter()
            ways[name]()
            if timed:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Print the table, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=60)
    parser.add_argument("--outputs", type=int, default=1536)
    parser.add_argument("--inputs", type=int, default=576)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 8, 16, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=5)
    settings = parser.parse_args()

    torch.set_num_threads(1)
    order = random.Random(0)
    layers = Ways(settings.layers, settings.outputs, settings.inputs)
    result = {
        "settings": vars(settings),
        "cpu": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "dense_type": str(dense_type("cpu")),
        "torch": torch.__version__,
        "load_before": os.getloadavg(),
        "rows": {},
    }
    print(f"{settings.layers} layers of {settings.inputs} -> {settings.outputs}, one thread, {result['capability']};")
    print("median ms over rounds (median over rounds of the ratio to fp32)")
    with torch.inference_mode():
        for rows in settings.rows:
            x = torch.randn(rows, settings.inputs, generator=torch.Generator().manual_seed(rows))
            seconds = measure(layers.ways(x), settings.rounds, order)
            table = {}
            for name, values in seconds.items():
                ratios = [value / fp32 for value, fp32 in zip(values, seconds["fp32"], strict=True)]
                table[name] = {
                    "ms": 1e3 * statistics.median(values),
                    "min_ms": 1e3 * min(values),
                    "of_fp32": statistics.median(ratios),
                }
            result["rows"][rows] = table
            cells = [f"{name} {cell['ms']:.1f} ({cell['of_fp32']:.2f})" for name, cell in table.items()]
            print(f"{rows:>4} rows: " + "  ".join(cells), flush=True)
    result["load_after"] = os.getloadavg()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
