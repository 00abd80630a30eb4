"""A law whose misfits are measured in the value, not in its log: what many papers minimize.

The log weighs a miss of .01 at a loss of 2 as one of .02 at a loss of 4; published fits of the loss itself are only
found again with their own measure.
"""

from __future__ import annotations

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law


class LinearMisfit(Law):
    """Any law whose response is a log, with the same parameters and predictions."""

    response = "linear"

    def __init__(self, law: Law) -> None:
        """law: one whose response is a log."""
        assert law.response == "log", f"{law.name} has linear misfits already"
        self.law = law
        self.name, self.formula, self.source = law.name, law.formula, law.source
        self.parameters, self.inputs, self.target = law.parameters, law.inputs, law.target
        self.allocation = getattr(law, "allocation", None)

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`."""
        response, derivative = self.law.evaluate(internal, logs)
        value = np.exp(response)
        return value, derivative * value[:, None, :]

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        return np.asarray(self.law.slopes(internal, logs) * np.exp(self.law.evaluate(internal, logs)[0])[:, None, :])

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """See `Law`."""
        return self.law.starts(logs, np.log(response))

    def center(self, logs: Floats) -> Floats:
        """See `Law`."""
        return self.law.center(logs)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return self.law.uncentered(internal, center)

    def centered(self, plain: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return self.law.centered(plain, center)
