"""What `over_optimization` finds in cells that can be read together: points, verdicts, accuracies, laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis.alignment.reward_curve import Curve, Floats, best_of_curve, policy_curve, subject_of
from harness.analysis.alignment.reward_law_fits import law_of
from harness.errors import UserError
from harness.results.finding import Finding
from harness.results.record import CellResult, Scalar
from harness.results.run import Run
from harness.statistics.fall_from_peak import LEAST, Fall, fall_from_peak
from harness.statistics.intervals import Interval, ratio_of_sums
from harness.statistics.multiplicity import holm

NAME = "over_optimization"
LEVEL = 0.05


def findings(
    run: Run,
    cells: Sequence[CellResult],
    named: Mapping[str, Sequence[str]],
    *,
    controls: Sequence[str],
    best_of: Sequence[int],
    tries: int,
    accuracy: Sequence[float],
) -> list[Finding]:
    """Of cells of `responses` that differ in their model and seed alone. named: the models of each curve."""
    found: list[Finding] = []
    curves: list[Curve] = []
    for seed in dict.fromkeys(cell.axes.get("seed") for cell in cells):
        of_seed = [cell for cell in cells if cell.axes.get("seed") == seed]
        for name, models in named.items():
            try:
                curves.append(policy_curve(run, of_seed, name, models, seed))
            except UserError as error:
                found.append(told(str(error), subject_of(name, seed)))
        if best_of and (best := best_of_curve(run, of_seed, best_of, seed)) is not None:
            curves.append(best)
    falls: list[tuple[Curve, Fall]] = []
    for curve in curves:
        found += _points(curve)
        if len(curve.gold) < LEAST:
            found.append(told(f"{len(curve.gold)} prompts can't be halved and tested: {LEAST} can", curve.subject))
        else:
            falls.append((curve, fall_from_peak(curve.gold)))
    tests = len(falls) * tries
    adjusted = holm([one.p for _, one in falls], max(tests, 1))
    for (curve, fall), p in zip(falls, adjusted, strict=True):
        found.append(_verdict(curve, fall, float(p), tests, curve.name in controls, accuracy))
        found += _accuracy(curve, accuracy)
        found.append(law_of(curve))
    return found


def told(note: str, subject: dict[str, Scalar] | None = None) -> Finding:
    """Why there is no verdict."""
    return Finding(analysis=NAME, name="fall", subject=subject or {}, note=note)


def _points(curve: Curve) -> list[Finding]:
    found = []
    for at, (model, kl) in enumerate(zip(curve.models, curve.kl, strict=True)):
        for name, scores in (("gold", curve.gold), ("proxy", curve.proxy)):
            if scores is None:
                continue
            mean = _mean(scores[:, at])
            found.append(
                Finding(
                    analysis=NAME,
                    name=name,
                    value=mean.value,
                    unit="score",
                    low=mean.low,
                    high=mean.high,
                    interval="t over prompts" if mean.low is not None else "none: one prompt",
                    n=mean.n,
                    subject=curve.subject | {"model": model},
                    note=f"at {kl:.3g} nats/response" + ("" if curve.learned else " at most"),
                    data={"kl": float(kl), "learned": curve.learned},
                )
            )
    return found


def _verdict(curve: Curve, fall: Fall, p: float, tests: int, control: bool, accuracy: Sequence[float]) -> Finding:
    shown = p < LEVEL and fall.fall.value > 0
    where = f"gold is highest at {curve.kl[fall.peak]:.3g} nats on half of the prompts"
    way = "over-optimization" if not control else "it falls though gold itself is the reward"
    smallest = fall.smallest(LEVEL / tests)
    if fall.peak == len(curve.models) - 1:
        said = f"not shown: {where}, which is the end"
    elif not shown:
        said = f"not shown: {where}; p = {p:.2g} by Holm over {tests} tests"
    else:
        rise = None if curve.proxy is None else _rise(curve, fall)
        if rise is None or rise.low is None:
            said = f"gold falls, and what the proxy does is not known: {where}; p = {p:.2g} by Holm over {tests} tests"
        elif rise.low > 0 or control:
            said = f"shown: {way}; {where}; p = {p:.2g} by Holm over {tests} tests; the proxy gains {rise.value:.3g}"
        else:
            shown = False
            said = (
                f"gold falls, but the proxy isn't shown to rise ({rise.value:.3g}, from {rise.low:.3g} to "
                f"{rise.high:.3g}), so this is no over-optimization; {where}; p = {p:.2g} by Holm over {tests} tests"
            )
    if fall.peak == 0 and shown:
        said += ". That is the start: what the proxy wants was worth nothing from the beginning"
    first = curve.accuracy[0]
    accepted = first is None or accuracy[0] <= first <= accuracy[1]
    if not accepted and not control:
        said += f". The proxy is not one that was asked for: right in {first:.1%} of pairs of the start's samples"
    if not shown:
        said += f". The smallest fall that would have been seen four times of five: {smallest:.3g}"
    return Finding(
        analysis=NAME,
        name="fall",
        value=fall.fall.value,
        unit="score",
        low=fall.fall.low,
        high=fall.fall.high,
        interval="t over the prompts that did not choose the peak" if fall.fall.low is not None else "none: no fall",
        n=fall.fall.n,
        subject=curve.subject,
        note=said,
        data={
            "shown": shown, "control": control, "accepted": accepted,
            "p": fall.p, "p_holm": p, "tests": tests, "smallest": smallest,
            "peak_kl": float(curve.kl[fall.peak]), "end_kl": float(curve.kl[-1]), "peak_model": curve.models[fall.peak],
        },
    )  # fmt: skip


def _rise(curve: Curve, fall: Fall) -> Interval:
    assert curve.proxy is not None
    tested = curve.proxy[fall.tested]
    return _mean(tested[:, -1] - tested[:, fall.peak])


def _accuracy(curve: Curve, bounds: Sequence[float]) -> list[Finding]:
    """Of the proxy on samples of the policies, from the start to the end."""
    known = [(model, one) for model, one in zip(curve.models, curve.accuracy, strict=True) if one is not None]
    if not known:
        return []
    outside = [model for model, one in known if not bounds[0] <= one <= bounds[1]]
    note = f"{known[0][1]:.1%} on samples of {known[0][0]}, {known[-1][1]:.1%} on those of {known[-1][0]}; "
    note += (
        f"all within {bounds[0]:.0%} to {bounds[1]:.0%}"
        if not outside
        else f"outside {bounds[0]:.0%} to {bounds[1]:.0%} on those of {', '.join(outside)}"
    )
    data = dict(known)
    return [
        Finding(analysis=NAME, name="proxy_accuracy", value=known[-1][1], unit="fraction", subject=curve.subject,
                note=note, data=data)
    ]  # fmt: skip


def _mean(values: Floats) -> Interval:
    return ratio_of_sums(values, np.ones(len(values)))
