"""What the pictures of a fit are drawn from: plain numbers, so that a chart knows no law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.scaling.alike import alike
from harness.analysis.scaling.allocation import loss_at_optimum, optimum
from harness.analysis.scaling.laws.law import Floats
from harness.analysis.scaling.runs import FLOPS_PER_TOKEN, Runs

if TYPE_CHECKING:
    from harness.analysis.scaling.report import ScalingReport

CURVE = 60
CONTOUR = 36
MOST_ISOFLOPS, FEW_ISOFLOPS = 12, 7
APART = 0.2
"""In logs: a wider step in compute than this begins another budget."""
CLEAN = 1.5
"""Runs of one budget differ in compute by less than this factor."""
BAND_DRAWS = 400


def picture_data(report: ScalingReport) -> dict[str, Any]:
    """Points, isoFLOP curves, frontier with its band, contour grid, residuals and profiles."""
    made = report.fit
    data: dict[str, Any] = {"kind": "scaling_fit", "law": made.law.formula, "points": _points(report)}
    data["profiles"] = [
        {"name": item.name, "value": float(value), "ratio": float(ratio)}
        for item in report.profiles
        for value, ratio in zip(item.values, item.ratio, strict=True)
        if ratio < 40
    ]
    if made.law.inputs[:2] == ("parameters", "tokens"):
        runs = _all_runs(report)
        data["isoflop"] = _isoflop(report, runs)
        data["frontier"] = _frontier(report, runs)
        data["contour"] = _contour(report, runs)
    return data


def _all_runs(report: ScalingReport) -> list[Runs]:
    return [report.fit.runs] + ([report.held_out] if report.held_out is not None else [])


def _points(report: ScalingReport) -> list[dict[str, Any]]:
    made, rows = report.fit, []
    for part, runs in enumerate(_all_runs(report)):
        fitted = made.law.predict(made.natural, *runs.inputs(made.law.inputs))
        truth = runs.column(made.law.target)
        for index in range(len(runs)):
            row: dict[str, Any] = {
                "parameters": float(runs.parameters[index]),
                "tokens": float(runs.tokens[index]),
                "compute": float(runs.compute[index]),
                "loss": float(truth[index]),
                "fitted": float(fitted[index]),
                "held_out": bool(part),
            }
            if part and report.prediction is not None:
                row |= {"low": float(report.prediction.low[index]), "high": float(report.prediction.high[index])}
            rows.append(row)
    return rows


def _isoflop(report: ScalingReport, runs: list[Runs]) -> list[dict[str, float]]:
    """The law along C = 6ND for each budget of the runs; where the runs have no budgets in common, for a few levels."""
    everything = np.concatenate([part.compute for part in runs])
    sizes = np.concatenate([part.parameters for part in runs])
    label = alike(everything, APART)
    levels = np.array([np.exp(np.log(everything[label == one]).mean()) for one in range(label.max() + 1)])
    spread = max(np.ptp(np.log(everything[label == one])) for one in range(label.max() + 1))
    if spread > np.log(CLEAN) or len(levels) > MOST_ISOFLOPS or len(levels) < 2:
        levels = np.geomspace(everything.min(), everything.max(), FEW_ISOFLOPS)
    rows = []
    for compute in levels:
        away = np.abs(np.log(everything / compute))
        mine = sizes[away <= max(np.log(2), away.min())]  # of a level between runs that are far apart: the nearest
        size = np.geomspace(mine.min() / 1.5, mine.max() * 1.5, CURVE)
        loss = _at(report, size, compute / FLOPS_PER_TOKEN / size)
        rows += [
            {"compute": float(compute), "parameters": float(n), "loss": float(value)}
            for n, value in zip(size, loss, strict=True)
        ]
    return rows


def _at(report: ScalingReport, size: Floats, tokens: Floats) -> Floats:
    given = {"parameters": size, "tokens": tokens, "unique_tokens": tokens}
    return report.fit.law.predict(report.fit.natural, *(given[name] for name in report.fit.law.inputs))


def _frontier(report: ScalingReport, runs: list[Runs]) -> list[dict[str, float | None]]:
    """The lowest loss for each budget, with its band, up to ten times the highest budget."""
    law, natural = report.fit.law, report.fit.natural
    compute = np.geomspace(runs[0].compute.min(), max(part.compute.max() for part in runs) * 10, CURVE)
    loss, size = loss_at_optimum(law, natural, compute), optimum(law, natural, compute)[0]
    low: list[float | None] = [None] * CURVE
    high = low
    if report.draws is not None:
        drawn = loss_at_optimum(law, report.draws.natural[:BAND_DRAWS], compute)
        if np.isfinite(drawn).any(axis=0).all():
            ends = np.nanquantile(drawn, [0.025, 0.975], axis=0)
            low, high = ends[0].tolist(), ends[1].tolist()
    return [
        {"compute": float(c), "loss": float(v), "parameters": float(n), "low": lo, "high": hi}
        for c, v, n, lo, hi in zip(compute, loss, size, low, high, strict=True)
        if np.isfinite(v)
    ]


def _contour(report: ScalingReport, runs: list[Runs]) -> list[dict[str, float]]:
    """The law on a grid of sizes and tokens."""
    sizes = np.concatenate([part.parameters for part in runs])
    tokens = np.concatenate([part.tokens for part in runs])
    size = np.geomspace(sizes.min() / 1.3, sizes.max() * 1.3, CONTOUR)
    many = np.geomspace(tokens.min() / 1.3, tokens.max() * 1.3, CONTOUR)
    grid_size, grid_tokens = np.meshgrid(size, many)
    loss = _at(report, grid_size.ravel(), grid_tokens.ravel())
    half = {"parameters": float(np.sqrt(size[1] / size[0])), "tokens": float(np.sqrt(many[1] / many[0]))}
    return [
        {
            "parameters": float(n / half["parameters"]),
            "parameters_end": float(n * half["parameters"]),
            "tokens": float(d / half["tokens"]),
            "tokens_end": float(d * half["tokens"]),
            "loss": float(value),
        }
        for n, d, value in zip(grid_size.ravel(), grid_tokens.ravel(), loss, strict=True)
    ]
