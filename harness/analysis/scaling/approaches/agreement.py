"""The three approaches of Hoffmann et al. on the same runs, side by side.

They take different things for granted (nothing of the form, a curve per budget, the whole law), so that where they
agree none of it mattered, and where they don't one of them is wrong. Approach 1 needs curves, approach 2 budgets: one
that the runs don't allow is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.scaling.allocation import compute_exponent, optimum
from harness.analysis.scaling.approaches.envelope import envelope
from harness.analysis.scaling.approaches.frontier import Frontier
from harness.analysis.scaling.approaches.isoflop import Budget, isoflop
from harness.analysis.scaling.approaches.isoflop_minimum import Interpolant
from harness.analysis.scaling.fitting.fit import fit
from harness.analysis.scaling.fitting.objective import HUBER, Objective
from harness.analysis.scaling.fitting.uncertainty import DrawnInterval, bootstrap, interval
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 1000
CURVES: tuple[Interpolant, ...] = ("quadratic", "skewed")

Answers = tuple[DrawnInterval, DrawnInterval, DrawnInterval, DrawnInterval]
"""a at each budget, N*, D*, D*/N* there."""


@dataclass(frozen=True)
class Agreement:
    """What the approaches say of the same runs."""

    table: pd.DataFrame
    """A row per approach and budget: approach, compute (FLOPs), how, and each of a (of N* ∝ C^a), parameters (N*),
    tokens (D*) and tokens_per_parameter with _low and _high (95 %)."""
    left_out: dict[str, str]
    """Approach -> why the runs don't allow it."""
    warnings: dict[str, tuple[str, ...]]
    """Approach -> what is wrong with it here."""
    sentence: str


def agreement(
    runs: Runs,
    compute: Sequence[float],
    *,
    law: Law | None = None,
    objective: Objective = HUBER,
    budgets: Sequence[Budget] | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Agreement:
    """Approaches 1, 2 (by a parabola and by the skewed curve) and 3 at budgets of `compute` FLOPs.

    law: of approach 3; Hoffmann et al.'s where left out. budgets: of approach 2; found where left out. Raises UserError
    where the runs allow none of them.
    """
    import pandas as pd

    at = np.asarray(compute, dtype=np.float64)
    found: dict[str, Answers] = {}
    left_out: dict[str, str] = {}
    warnings: dict[str, tuple[str, ...]] = {}

    def attempt(name: str, make: Callable[[], tuple[Answers, tuple[str, ...]]]) -> None:
        try:
            answers, warnings_of = make()
        except UserError as error:
            left_out[name] = str(error)
            return
        if np.isnan([item.value for item in answers]).any():
            left_out[name] = "; ".join(["it has no optimum on these runs", *warnings_of])
            return
        found[name], warnings[name] = answers, warnings_of

    attempt("1, envelope", lambda: _along(envelope(runs, replicates=replicates, seed=seed), at))
    for curve in CURVES:

        def of_curve(curve: Interpolant = curve) -> tuple[Answers, tuple[str, ...]]:
            by = isoflop(runs, budgets, interpolants=[curve], replicates=replicates, seed=seed)
            return _along(by.frontiers[curve], at)[0], by.warnings

        attempt(f"2, isoFLOP by the {curve} curve", of_curve)
    attempt("3, the law", lambda: _of_law(runs, law or Chinchilla(), objective, at, replicates, seed))
    if not found:
        raise UserError("the runs allow none of the approaches: " + "; ".join(f"{k}: {v}" for k, v in left_out.items()))
    rows = [
        {"approach": name, "compute": budget}
        | {f"{what}{end}": value for what, item in zip(NAMES, of, strict=True) for end, value in _ends(item, number)}
        | {"how": of[1].how}
        for name, of in found.items()
        for number, budget in enumerate(at.tolist())
    ]
    warned = [name for name, said in warnings.items() if said]
    sentence = f"Read the warnings of approach {', approach '.join(warned)} first. " if warned else ""
    return Agreement(pd.DataFrame(rows), left_out, warnings, sentence + _sentence(found, left_out, at))


NAMES = ("a", "parameters", "tokens", "tokens_per_parameter")


def _ends(item: DrawnInterval, number: int) -> list[tuple[str, float]]:
    return [(end, float(of[number])) for end, of in (("", item.value), ("_low", item.low), ("_high", item.high))]


def _along(line: Frontier, at: Floats) -> tuple[Answers, tuple[str, ...]]:
    a = interval(line.draws, lambda lines: np.repeat(lines[:, 1:2], len(at), axis=1))
    return (a, line.parameters_at(at), line.tokens_at(at), line.tokens_per_parameter_at(at)), line.warnings


def _of_law(
    runs: Runs, law: Law, objective: Objective, at: Floats, replicates: int, seed: int
) -> tuple[Answers, tuple[str, ...]]:
    found = fit(law, runs, objective)
    draws = bootstrap(found, replicates, seed)

    def ratio(natural: Floats) -> Floats:
        size, tokens = optimum(law, natural, at)
        return tokens / size

    answers = (
        interval(draws, lambda natural: np.stack([compute_exponent(law, natural, budget) for budget in at], axis=-1)),
        interval(draws, lambda natural: optimum(law, natural, at)[0]),
        interval(draws, lambda natural: optimum(law, natural, at)[1]),
        interval(draws, ratio),
    )
    return answers, found.certificate.problems


def _sentence(found: dict[str, Answers], left_out: dict[str, str], at: Floats) -> str:
    """Whether intervals of a, and of N* at the largest budget, overlap. They are of the same runs, so that overlapping
    is the least that is to be expected."""
    last = int(at.argmax())
    apart = []
    for (one, first), (two, second) in combinations(found.items(), 2):
        for what, index in (("a", 0), (f"N* at {at[last]:.3g} FLOPs", 1)):
            if first[index].low[last] > second[index].high[last] or second[index].low[last] > first[index].high[last]:
                apart.append(
                    f"{what} is {_short(first[index], last)} by approach {one}, {_short(second[index], last)} by {two}"
                )
    missing = "".join(f"; approach {name} is left out" for name in left_out)
    if len(found) == 1:
        return f"Only approach {next(iter(found))} has an answer for these runs{missing}."
    if apart:
        return f"The approaches disagree: {'; '.join(apart)}{missing}."
    exponents, sizes = ([float(of[index].value[last]) for of in found.values()] for index in (0, 1))
    return (
        f"The approaches agree within their intervals: a is {min(exponents):.3f} to {max(exponents):.3f}, N* at "
        f"{at[last]:.3g} FLOPs is {min(sizes):.3g} to {max(sizes):.3g}{missing}."
    )


def _short(item: DrawnInterval, number: int) -> str:
    return f"{item.value[number]:.3g} ({item.low[number]:.3g} to {item.high[number]:.3g})"
