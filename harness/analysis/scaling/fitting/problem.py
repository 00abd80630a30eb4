"""What a law's solver is given: runs as logs around their middle, and whether they can identify the law at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.analysis.scaling.fitting.least_squares import Evaluate
from harness.analysis.scaling.fitting.objective import Objective
from harness.analysis.scaling.laws.law import Floats, Law
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

ON_ONE_LINE = 0.9999
"""Correlation of the logs of parameters and tokens from which their exponents can't be told apart."""


@dataclass(frozen=True)
class Problem:
    """Runs as a law's solver sees them."""

    law: Law
    logs: Floats
    """(inputs, n) centered."""
    center: Floats
    """(inputs,)."""
    response: Floats
    """(n,)."""
    objective: Objective

    @property
    def evaluate(self) -> Evaluate:
        """Parameters -> response and derivative at these runs."""
        return lambda internal: self.law.evaluate(internal, self.logs)


def problem(law: Law, runs: Runs, objective: Objective) -> Problem:
    """What is solved. Raises UserError where the runs can't identify the law."""
    logs = np.log(runs.inputs(law.inputs))
    _enough(law, runs, logs)
    center = law.center(logs)
    target = runs.column(law.target)
    response = np.log(target) if law.response == "log" else target
    return Problem(law, logs - center[:, None], center, response, objective)


def _enough(law: Law, runs: Runs, logs: Floats) -> None:
    if "unique_tokens" in law.inputs and runs.unique_tokens is None:
        raise UserError(
            f"{law.name} is about tokens that are read more than once, and the data have no unique tokens: name their "
            "column (--columns unique_tokens=COLUMN)"
        )
    wanted = len(law.parameters)
    if len(runs) <= wanted:
        raise UserError(
            f"{law.name} has {wanted} parameters ({', '.join(law.names)}) and there are {len(runs)} runs: at least "
            f"{wanted + 1} are needed, {3 * wanted} are a start"
        )
    for name, row in zip(law.inputs, logs, strict=True):
        different = len(np.unique(np.round(row, 9)))
        if different < 3 and name != "unique_tokens":
            have = "the same" if different == 1 else "one of two"
            raise UserError(
                f"all runs have {have} {name.replace('_', ' ')}: its exponent can't be told from a constant; add runs "
                "so that there are at least three"
            )
    if law.inputs[:2] == ("parameters", "tokens") and abs(float(np.corrcoef(logs[0], logs[1])[0, 1])) > ON_ONE_LINE:
        raise UserError(
            "parameters and tokens vary together (one budget of compute, or one ratio of tokens to parameters): their "
            "two exponents can't be told apart; add runs of other budgets and ratios"
        )
