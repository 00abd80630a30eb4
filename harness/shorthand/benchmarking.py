"""`bench MODEL … --precision fp32,int8` -> the suite that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.shorthand.perplexity import matrix, one_or_all

NAME = "bench"
UNTRAINED: Mapping[str, Any] = {"corpus": "microworld", "steps": 1}
"""How a preset that is named alone is made: speed and memory don't depend on what it has learned."""
LAUNCHES, ITERATIONS, WARMUP = 3, 3, 1
"""Of each cell: the fewest launches that give an interval, and few generations in each."""


def bench_suite(
    models: Mapping[str, Mapping[str, Any]],
    *,
    precision: Sequence[str] = (),
    batch: Sequence[int] = (1,),
    prompt: int = 512,
    new: int = 128,
    threads: int | None = None,
    device: str = "auto",
    memory: bool = True,
) -> dict[str, Any]:
    """One cell of speed, and one of memory, for each model, precision and batch. models: entries of a suite. prompt,
    new: tokens read and written. threads: None leaves it to the machine."""
    batches = one_or_all(batch)
    speed = {"prompt": prompt, "generate": new, "batch": batches}
    measures: list[dict[str, Any]] = [
        {"inference": {**speed, "iterations": ITERATIONS, "warmup": WARMUP, "launches": LAUNCHES}}
    ]
    if memory:
        measures.append({"memory": {"context": prompt + new, "batch": batches}})
    without = ", ".join(untrained(models))
    about = {"about": f"Untrained: {without}. Of it speed and memory alone mean something."} if without else {}
    return {
        "name": NAME,
        **about,
        "models": {name: dict(entry) for name, entry in models.items()},
        "matrix": matrix(precision, device) | ({} if threads is None else {"threads": threads}),
        "measures": measures,
    }


def untrained(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The models that are measured as they are made, without a training."""
    return [name for name, entry in models.items() if entry.get("train") == UNTRAINED]
