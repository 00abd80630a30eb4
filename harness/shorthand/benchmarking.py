"""`bench MODEL … --precision fp32,int8` -> the suite that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.models.in_memory import KEY as IN_MEMORY
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
    launches: int | None = None,
) -> dict[str, Any]:
    """One cell of speed, and one of memory, for each model, precision and batch. models: entries of a suite. prompt,
    new: tokens read and written. threads: None leaves it to the machine. launches: of each comparison with the first
    model or precision, where there is something to compare; None: nothing is compared."""
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
        **({"side_by_side": {"launches": launches}} if launches and _variants(models, precision) > 1 else {}),
    }


def _variants(models: Mapping[str, Mapping[str, Any]], precision: Sequence[str]) -> int:
    """How many models at a precision there are; one in memory has its own alone."""
    return sum(1 if IN_MEMORY in entry else max(len(precision), 1) for entry in models.values())


def untrained(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The models that are measured as they are made, without a training."""
    return [name for name, entry in models.items() if entry.get("train") == UNTRAINED]
