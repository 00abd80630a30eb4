"""A scaling fit as findings: first whether it can be trusted, then its numbers with intervals."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from harness.analysis.scaling.allocation import compute_exponent, compute_for, loss_at_optimum, optimum
from harness.analysis.scaling.fitting.uncertainty import DrawnInterval, Quantity, interval
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.pictures import picture_data
from harness.analysis.scaling.report import ScalingReport
from harness.results.finding import Finding
from harness.results.record import Scalar

ANALYSIS = "scaling_fit"
AHEAD = 10.0
"""Where no budget is asked for: so many times the highest one."""
COUNTED = {"all": "all parameters", "non_embedding": "parameters without embeddings", "unstated": "parameters"}


def ahead(highest: float) -> float:
    """A budget beyond the highest one, to two digits."""
    return float(f"{AHEAD * highest:.1e}")


def findings(report: ScalingReport, subject: dict[str, Scalar] | None = None) -> list[Finding]:
    """The report as findings, in the order in which they should be read."""
    made = report.fit
    about: dict[str, Scalar] = {"law": made.law.name, **(subject or {})}
    common: dict[str, Any] = {"analysis": ANALYSIS, "subject": about, "n": len(made.runs)}
    found = [_trust(report, common)]
    found += _parameters(report, common)
    if made.law.inputs[:2] == ("parameters", "tokens"):
        found += _allocations(report, common)
    found.append(_misfit(report, common))
    found += _held_out(report, common)
    return found


def _trust(report: ScalingReport, common: dict[str, Any]) -> Finding:
    made, certificate = report.fit, report.fit.certificate
    seen = "every parameter identified" if report.profiles else "profiles were not taken"
    good = (
        f"the optimum was reached by {certificate.reached:.0%} of {certificate.starts} starts, gradient "
        f"{certificate.gradient:.1g}, condition number {certificate.condition:.2g}, {seen}"
    )
    sentence = "NOT TO BE TRUSTED: " + "; ".join(report.problems) if report.problems else good
    flags = [f"data: {flag}" for flag in made.runs.flags]
    return Finding(
        name="trust",
        value=0.0 if report.problems else 1.0,
        unit="",
        interval="exact",
        note="; ".join([sentence, *flags]),
        data=picture_data(report),
        **common,
    )


def _asked(report: ScalingReport, quantity: Quantity) -> DrawnInterval:
    """A quantity with its interval; without ends where no draws could be made."""
    if report.draws is not None:
        return interval(report.draws, quantity, report.settings.interval)
    value = np.asarray(quantity(report.fit.natural[None]))[0]
    nothing = np.full(np.shape(value), np.nan)
    return DrawnInterval(value, nothing, nothing, nothing, "none")


def _finding(
    name: str,
    unit: str,
    asked: DrawnInterval,
    common: dict[str, Any],
    note: str = "",
    at: dict[str, Scalar] | None = None,
) -> Finding:
    value, low, high = (float(np.ravel(item)[0]) for item in (asked.value, asked.low, asked.high))
    ends = not (np.isnan(low) or np.isnan(high))
    return Finding(
        **{**common, "subject": {**common["subject"], **(at or {})}},
        name=name,
        value=value if np.isfinite(value) else None,
        unit=unit,
        low=low if ends else None,
        high=high if ends else None,
        interval=asked.how if ends else None,
        note=note,
    )


def _parameters(report: ScalingReport, common: dict[str, Any]) -> list[Finding]:
    asked = _asked(report, lambda natural: natural)
    identified = {item.name: item for item in report.profiles}
    found = []
    for column, parameter in enumerate(report.fit.law.parameters):
        one = DrawnInterval(asked.value[column], asked.low[column], asked.high[column], asked.error[column], asked.how)
        note = parameter.meaning
        region = identified.get(parameter.name)
        if region is not None and not region.identified:
            note = f"NOT IDENTIFIED ({region.why.removeprefix(parameter.name + ' is not identified: ')}); {note}"
        elif region is not None:
            note += f"; profile likelihood {region.low:.4g} to {region.high:.4g}"
        found.append(_finding(parameter.name, "", one, common, note))
    return found


def _allocations(report: ScalingReport, common: dict[str, Any]) -> list[Finding]:
    law, runs = report.fit.law, report.fit.runs
    highest = float(runs.compute.max())
    wanted = report.settings.compute or [ahead(highest)]
    counted = COUNTED[runs.counted]
    exponent = _asked(report, lambda natural: compute_exponent(law, natural, wanted[0]))
    note = f"a of N* proportional to C^a ({counted}, C = 6ND); 0.5 is equal shares"
    found = [_finding("size_exponent", "", exponent, common, note)]
    for budget in wanted:
        far = f"{budget / highest:.3g} times the highest fitted budget" if budget > highest else ""
        for name, unit, quantity in _at_budget(law, budget):
            note = "; ".join(text for text in (counted if name == "optimal_parameters" else "", far) if text)
            found.append(_finding(name, unit, _asked(report, quantity), common, note, {"compute": budget}))
    floor = float(report.fit.natural[0]) if law.names[0] == "E" else 0.0
    for loss in report.settings.losses:
        note = "at the best size"
        if loss <= floor:
            note = f"no compute reaches it: it lies below the fitted floor, {floor:.4g}"
        reached = _asked(report, partial(_compute_for, law, loss))
        found.append(_finding("compute_for_loss", "FLOPs", reached, common, note, {"loss": loss}))
    return found


def _at_budget(law: Law, budget: float) -> list[tuple[str, str, Quantity]]:
    """What is asked at a budget: name, unit, and the function of the parameters."""
    compute = np.array([budget])

    def size(natural: Floats) -> Floats:
        return optimum(law, natural, compute)[0][..., 0]

    def tokens(natural: Floats) -> Floats:
        return optimum(law, natural, compute)[1][..., 0]

    def ratio(natural: Floats) -> Floats:
        return tokens(natural) / size(natural)

    def loss(natural: Floats) -> Floats:
        return loss_at_optimum(law, natural, compute)[..., 0]

    return [
        ("optimal_parameters", "parameters", size),
        ("optimal_tokens", "tokens", tokens),
        ("tokens_per_parameter", "tokens", ratio),
        ("optimal_loss", "nats/token", loss),
    ]


def _compute_for(law: Law, loss: float, natural: Floats) -> Floats:
    return compute_for(law, natural, loss)


def _misfit(report: ScalingReport, common: dict[str, Any]) -> Finding:
    size = np.abs(report.fit.residuals)
    relative = report.fit.law.response == "log"
    return Finding(
        name="misfit",
        value=float(size.mean()),
        unit="fraction" if relative else "",
        note=f"mean absolute residual over {len(size)} fitted runs; the largest is {size.max():.3g}. "
        f"Minimized: {report.fit.objective.name}{' of the log' if relative else ''}, to {report.fit.value:.10g}",
        **common,
    )


def _held_out(report: ScalingReport, common: dict[str, Any]) -> list[Finding]:
    if report.held_out is None or report.prediction is None:
        return []
    truth, told = report.held_out.column(report.fit.law.target), report.prediction
    inside = told.holds(truth)
    error = told.value / truth - 1
    best = int(np.argmin(truth))
    within = "inside" if inside[best] else "OUTSIDE"
    ahead = report.held_out.compute.max() / report.fit.runs.compute.max()
    return [
        Finding(
            name="held_out_best",
            value=float(told.value[best]),
            unit="nats/token",
            low=float(told.low[best]),
            high=float(told.high[best]),
            interval=told.how,
            note=f"predicted loss of the best held-out run ({report.held_out.compute[best]:.3g} FLOPs); it turned out "
            f"to be {truth[best]:.4g}, {within} the interval",
            **common,
        ),
        Finding(
            name="held_out_coverage",
            value=float(inside.mean()),
            unit="fraction",
            interval="exact",
            note=f"{int(inside.sum())} of {len(inside)} held-out runs, up to {ahead:.3g} times the highest fitted "
            f"compute, fell into their {told.confidence:.0%} intervals",
            **common,
        ),
        Finding(
            name="held_out_error",
            value=float(np.abs(error).mean()),
            unit="fraction",
            note=f"mean absolute error of the predictions; {'too high' if error.mean() > 0 else 'too low'} by "
            f"{abs(error.mean()):.3%} on average",
            **common,
        ),
    ]
