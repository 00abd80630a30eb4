"""Writes realistic run folders without a model: four models at four precisions, with samples, failures and all.

Values follow simple laws (loss falls as a power of the size; decode time is the weights' bytes over a bandwidth) with
seeded noise per document and launch, so that analyses have something true to find.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.kept_file import seal
from harness.results.finding import ExpectationOutcome, Finding
from harness.results.journal import Journal
from harness.results.manifest import Manifest
from harness.results.record import CellResult, Direction, Measurement, Metric, Record, Status
from harness.results.run import Run
from harness.results.run_folder import CELLS, EXPECTATIONS, FINDINGS

SIZES = {"nano": 130_000, "micro": 820_000, "mini": 3_400_000, "smollm2": 134_515_008}
EMBEDDINGS = {"nano": 74_000, "micro": 164_000, "mini": 330_000, "smollm2": 28_311_552}
TEXTS = dict.fromkeys(("nano", "micro", "mini"), "microworld/test") | {"smollm2": "asset:shakespeare/test"}
BYTES_PER_WEIGHT = {"fp32": 4.0, "bf16": 2.0, "int8": 1.03, "int4": 0.62}
NLL_FACTOR = {"fp32": 1.0, "bf16": 1.0003, "int8": 1.004, "int4": 1.035}
PREFILL_FACTOR = {"fp32": 1.0, "bf16": 0.35, "int8": 0.31, "int4": 0.22}


def _metric(name: str, unit: str, direction: Direction) -> Metric:
    return Metric(name=name, unit=unit, direction=direction, definition=f"{name} of the fixture")


METRICS = {
    metric.name: metric
    for metric in (
        _metric("perplexity", "per token", Direction.LOWER),
        _metric("loss", "nats/token", Direction.LOWER),
        _metric("bits_per_byte", "bits/byte", Direction.LOWER),
        _metric("tokens_scored", "tokens", Direction.NONE),
        _metric("ttft", "s", Direction.LOWER),
        _metric("tpot", "s", Direction.LOWER),
        _metric("prefill_rate", "tokens/s", Direction.HIGHER),
        _metric("decode_rate", "tokens/s", Direction.HIGHER),
        _metric("mfu", "fraction", Direction.HIGHER),
        _metric("mbu", "fraction", Direction.HIGHER),
        _metric("weight_bytes", "bytes", Direction.LOWER),
        _metric("kv_cache_bytes", "bytes", Direction.LOWER),
        _metric("peak_memory", "bytes", Direction.LOWER),
    )
}


def quality_samples(
    model: str, precision: str, documents: int = 60, seed: int = 0, exponent: float = 0.12, shift: float = 0.0
) -> pd.DataFrame:
    """One row per document. The text's difficulty and token counts come from the text, not from the model."""
    text = np.random.default_rng([len(TEXTS[model]), documents])
    tokens = text.integers(180, 420, documents)
    sizes = tokens * 4 + text.integers(-20, 20, documents)
    hardness = 1 + 0.15 * text.standard_normal(documents)
    own = np.random.default_rng([seed, list(SIZES).index(model), list(BYTES_PER_WEIGHT).index(precision)])
    loss = 9.4 * SIZES[model] ** -exponent * (1.8 if model == "smollm2" else 1.0)
    noise = 1 + 0.004 * own.standard_normal(documents)
    nll = tokens * loss * hardness * NLL_FACTOR[precision] * noise * math.exp(shift)
    names = [f"doc{i:03d}" for i in range(documents)]
    return pd.DataFrame(
        {
            "document": names,
            "nll": nll,
            "tokens": tokens,
            "bytes": sizes,
            "text_digest": [f"{TEXTS[model]} {name}" for name in names],
        }
    )


def quality_measurements(samples: pd.DataFrame) -> list[Measurement]:
    from harness.statistics.ratios import PositiveEstimate

    def mean(weight: str) -> PositiveEstimate:
        n, total = len(samples), samples[weight].sum()
        value = samples["nll"].sum() / total
        influence = (samples["nll"] - value * samples[weight]) / total
        half = 2.0 * math.sqrt(n / (n - 1) * float((influence**2).sum()))
        return PositiveEstimate(value, value - half, value + half)

    nats, per_byte = mean("tokens"), mean("bytes")
    documents = {"interval": "t over documents (ratio estimator)", "n": len(samples), "n_unit": "documents"}
    return [
        Measurement(
            metric=METRICS["perplexity"],
            value=math.exp(nats.value),
            low=math.exp(nats.low),
            high=math.exp(nats.high),
            **documents,
        ),
        Measurement(metric=METRICS["loss"], value=nats.value, low=nats.low, high=nats.high, **documents),
        Measurement(
            metric=METRICS["bits_per_byte"],
            value=per_byte.value / math.log(2),
            low=per_byte.low / math.log(2),
            high=per_byte.high / math.log(2),
            **documents,
        ),
        Measurement(metric=METRICS["tokens_scored"], value=float(samples["tokens"].sum())),
    ]


def speed_measurements(model: str, precision: str, batch: int, slower: float = 1.0) -> list[Measurement]:
    own = np.random.default_rng([7, list(SIZES).index(model), list(BYTES_PER_WEIGHT).index(precision), batch])
    weights = SIZES[model] * BYTES_PER_WEIGHT[precision]
    tpot = (0.0004 + weights / 9e9) * (1 + 0.04 * (batch - 1)) * slower * (1 + 0.02 * own.standard_normal())
    flops = 2 * SIZES[model] * 128 * batch
    ttft = (0.0009 + flops / (60e9 * PREFILL_FACTOR[precision])) * slower
    launches = {"interval": "median over launches (order statistics)", "n": 5, "n_unit": "launches"}

    def spread(name: str, value: float) -> Measurement:
        width = 0.01 + 0.03 * own.random()
        return Measurement(
            metric=METRICS[name],
            value=value,
            low=value * (1 - width),
            high=value * (1 + 1.3 * width),
            **launches,
        )

    return [
        spread("ttft", ttft),
        spread("tpot", tpot),
        spread("prefill_rate", 128 * batch / ttft),
        spread("decode_rate", batch / tpot),
        spread("mfu", flops / ttft / 60e9),
        spread("mbu", weights / tpot / 11e9),
    ]


def memory_measurements(model: str, precision: str) -> list[Measurement]:
    weights = SIZES[model] * BYTES_PER_WEIGHT[precision]
    cache = 512 * 240 * (SIZES[model] / 1e6) ** 0.5 * 4
    peak = weights * 1.2 + cache + 25e6
    return [
        Measurement(metric=METRICS["weight_bytes"], value=float(int(weights))),
        Measurement(metric=METRICS["kv_cache_bytes"], value=float(int(cache))),
        Measurement(
            metric=METRICS["peak_memory"],
            value=peak,
            low=peak * 0.99,
            high=peak * 1.02,
            interval="t over launches",
            n=3,
            n_unit="launches",
        ),
    ]


def cell_result(
    folder: Path,
    model: str,
    measure: str,
    axes: dict[str, Any],
    settings: dict[str, Any],
    measurements: list[Measurement],
    *,
    samples: pd.DataFrame | None = None,
    status: Status = Status.OK,
    reason: str | None = None,
    fingerprint_class: str = "f" * 8,
    others: float = 0.02,
) -> CellResult:
    """A cell with its records; its samples are written to the folder."""
    key = f"{abs(hash((model, measure, str(axes), str(settings)))):016x}"
    common: dict[str, Any] = {
        "key": key,
        "model": model,
        "measure": measure,
        "axes": axes,
        "settings": settings,
        "parameters": SIZES[model],
        "parameters_non_embedding": SIZES[model] - EMBEDDINGS[model],
        "model_digest": f"digest-of-{model}",
        "fingerprint_class": fingerprint_class,
    }
    records = [Record(**common, **measurement.fields()) for measurement in measurements]
    if status is not Status.OK:
        records = [Record(**common, status=status, reason=reason)]
    where = None
    if samples is not None:
        where = f"samples/{key}.parquet"
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        samples.to_parquet(folder / where)
    return CellResult(
        key=key,
        model=model,
        measure=measure,
        axes=axes,
        settings=settings,
        status=status,
        reason=reason,
        records=records,
        samples=where,
        seconds=3.2,
        conditions={
            "launches": [
                {
                    "before": {"clock_s": 0.0, "own_s": 0.0, "busy_s": 0.0, "steal_s": 0.0},
                    "after": {"clock_s": 10.0, "own_s": 5.0, "busy_s": 5.0 + 40.0 * others, "steal_s": 0.0},
                    "threads": 2,
                }
            ],
            "threads": 2,
        },
    )


FINGERPRINT = {
    "cpu_model": "Example CPU @ 2.80GHz",
    "cores": 4,
    "cores_allowed": 2,
    "memory_bytes": 8 * 2**30,
    "gpus": [],
    "kernel": "6.1",
    "python": "3.11.9",
    "packages": {"torch": "2.13.0", "transformers": "5.23.0"},
    "environment": {"OMP_NUM_THREADS": "2"},
}

SUITE_TEXT = """name: quickstart
about: Three sizes of the reference GPT and one real model, in five minutes on two cores.
models:
  nano: {reference: nano}
"""


def write_run(
    folder: Path,
    *,
    cells: list[CellResult],
    findings: list[Finding] = [],  # noqa: B006
    expectations: list[ExpectationOutcome] = [],  # noqa: B006
    **manifest: Any,
) -> Run:
    """Writes the folder and opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {
        "run": folder.name,
        "suite": "quickstart",
        "about": "Three sizes of the reference GPT and one real model, in five minutes on two cores.",
        "suite_hash": "0123456789abcdef",
        "suite_text": SUITE_TEXT,
        "suite_source": "suites/quickstart.yaml",
        "status": "finished",
        "started": "2026-11-24T04:00:00+00:00",
        "ended": "2026-11-24T04:04:11+00:00",
        "seconds": 251.0,
        "command": ["harness", "run", "suites/quickstart.yaml"],
        "git": {"commit": "c5d540d1aa", "dirty": False},
        "fingerprint": FINGERPRINT,
        "fingerprint_class": "f" * 8,
        "peaks": {"2": {"flops": {"fp32": 60e9, "bf16": 12e9}, "bandwidth": 11e9}},
        "models": {name: {"source": f"reference {name}", "digest": f"digest-of-{name}"} for name in SIZES},
        "cells": [cell.key for cell in cells],
    } | manifest
    journal = Journal(folder)
    journal.write_manifest(Manifest(**fields))
    (folder / CELLS).write_text("".join(seal(cell.model_dump_json(), CELLS) + "\n" for cell in cells))
    journal.write_findings(findings, expectations)
    journal.with_reports((FINDINGS, EXPECTATIONS), [])
    return Run(folder)


def full_cells(
    folder: Path, *, seed: int = 0, shift: float = 0.0, slower: float = 1.0, fingerprint_class: str = "f" * 8
) -> list[CellResult]:
    """4 models x 4 precisions x perplexity, inference at two batch sizes, memory; one cell failed, one ran out."""
    cells = []
    for model in SIZES:
        for precision in BYTES_PER_WEIGHT:
            axes: dict[str, Any] = {"precision": precision, "device": "cpu", "threads": 2}
            text = {"text": TEXTS[model], "window": 256, "stride": 128, "bos": False}
            samples = quality_samples(model, precision, seed=seed, shift=shift)
            cells.append(
                cell_result(
                    folder,
                    model,
                    "perplexity",
                    axes,
                    text,
                    quality_measurements(samples),
                    samples=samples,
                    fingerprint_class=fingerprint_class,
                )
            )
            for batch in (1, 8):
                broken: dict[str, Any] = {}
                if (model, precision, batch) == ("mini", "int4", 8):
                    broken = {
                        "status": Status.FAILED,
                        "reason": "RuntimeError: no int4 kernel for <batch 8> & more",
                    }
                if (model, precision, batch) == ("smollm2", "fp32", 8):
                    broken = {"status": Status.OUT_OF_MEMORY, "reason": "the process was killed at 6.2 GiB"}
                cells.append(
                    cell_result(
                        folder,
                        model,
                        "inference",
                        axes,
                        {"prompt": 128, "generate": 64, "batch": batch},
                        speed_measurements(model, precision, batch, slower),
                        fingerprint_class=fingerprint_class,
                        **broken,
                    )
                )
            cells.append(
                cell_result(
                    folder,
                    model,
                    "memory",
                    axes,
                    {"context": 512},
                    memory_measurements(model, precision),
                    fingerprint_class=fingerprint_class,
                )
            )
    return cells


def full_run(folder: Path, **options: Any) -> Run:
    """The realistic run, analysed and judged."""
    from harness.analysis.registry import ANALYSES
    from harness.comparison.evaluate import evaluate
    from harness.comparison.expectation import Expectation

    manifest = {name: options.pop(name) for name in ("fingerprint", "fingerprint_class", "status") if name in options}
    if "fingerprint_class" in manifest:
        options["fingerprint_class"] = manifest["fingerprint_class"]
    cells = full_cells(folder, **options)
    run = write_run(folder, cells=cells, **manifest)
    law, cost = ANALYSES["scaling_law"], ANALYSES["quantization_cost"]
    findings = law.run(run, law.settings(where={"precision": "fp32"})) + cost.run(run, cost.settings())
    outcomes = evaluate(
        [
            Expectation(
                metric="perplexity",
                where={"precision": "int8"},
                against={"precision": "fp32"},
                at_most=1.01,
            ),
            Expectation(
                metric="decode_rate",
                where={"model": "smollm2", "precision": "int8"},
                against={"precision": "bf16"},
                at_least=1.2,
            ),
            Expectation(
                metric="perplexity",
                where={"precision": "int4"},
                against={"precision": "fp32"},
                at_most=1.01,
            ),
            Expectation(metric="weight_bytes", where={"model": ["nano", "micro"]}, at_most=10_000_000),
        ],
        run,
    )
    return write_run(folder, cells=cells, findings=findings, expectations=outcomes, **manifest)
