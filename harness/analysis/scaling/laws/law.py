"""What every scaling law answers, and what one has to say of itself to be fitted.

A law is written once, as the value and the derivative of its (log) loss in coordinates that a solver likes; from that
come predictions, slopes, compute-optimal allocation and what is needed for a target loss. Everything is batched:
thousands of starts, or of re-drawn data sets, are fitted at once.

Three spaces. *Natural* parameters are the published ones (E, A, B, alpha, beta). *Plain* ones are their logs where they
are positive. *Centered* ones are plain ones for inputs whose logs were centered: at the data's own center A and alpha
are hardly correlated (condition number 4e3 instead of 4e6 on the points of Hoffmann et al.).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.scaling.fitting.objective import Floats as Floats

Space = Literal["log", "linear"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law."""

    name: str
    meaning: str
    space: Space = "linear"
    """log: a positive number that is fitted by its log."""
    lowest: float | None = None
    """A plain parameter at or below this says that the law is not what happens here: an exponent of 0."""
    longest_step: float | None = None
    """How far a solver may move it in one step; left out, 1 for a log and 0.1 for an exponent."""


class Law(ABC):
    """A formula for the loss (or an error) of a trained model, with parameters to be fitted."""

    name: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...] = ("parameters", "tokens")
    """Columns of `Runs` that the formula reads, in this order."""
    response: Space = "log"
    """Whether residuals are of the log of the value (a relative misfit) or of the value."""
    target: str = "loss"
    """The column that the formula gives."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def longest_steps(self) -> Floats:
        """How far a solver may move each parameter at a time: (p,). From a start whose terms are exp(-35) the full step
        is endless; so short ones bring all 4500 starts of Hoffmann et al. to the optimum, longer ones half of them."""
        steps = [p.longest_step or (1.0 if p.space == "log" else 0.1) for p in self.parameters]
        return np.array(steps)

    # ---- what a law says of itself

    @abstractmethod
    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """The response and its derivative.

        internal: (batch, p) parameters, centered as `logs` are. logs: centered logs of the inputs, (inputs, n), or
        (inputs, batch, n) where each member of the batch is asked at points of its own.
        Returns the response (batch, n), log of the value or the value, and its derivative (batch, p, n).
        """

    @abstractmethod
    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """d response / d log input: (batch, inputs, n)."""

    @abstractmethod
    def starts(self, logs: Floats, response: Floats) -> Floats:
        """Points to start from, made from the data: (starts, p), centered."""

    def center(self, logs: Floats) -> Floats:
        """What is taken off the logs of the inputs: (inputs,). Their means, unless a law can't be shifted."""
        return np.asarray(logs.mean(axis=1))

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """Centered parameters as plain ones: a shift, which `-center` takes back. (..., p)."""
        return internal

    def centered(self, plain: Floats, center: Floats) -> Floats:
        """Plain parameters as centered ones. (..., p)."""
        return self.uncentered(plain, -center)

    # ---- what follows from it

    def natural(self, internal: Floats, center: Floats) -> Floats:
        """Published parameters of centered ones: (..., p)."""
        plain = self.uncentered(internal, center).copy()
        for column, parameter in enumerate(self.parameters):
            if parameter.space == "log":
                plain[..., column] = np.exp(plain[..., column])
        return plain

    def plain(self, natural: Floats) -> Floats:
        """Plain parameters of published ones: (..., p). A log of nothing is the log of the smallest number."""
        values = np.array(natural, dtype=np.float64)
        for column, parameter in enumerate(self.parameters):
            if parameter.space == "log":
                values[..., column] = np.log(np.maximum(values[..., column], np.finfo(np.float64).tiny))
        return values

    def predict(self, natural: Floats, *inputs: Floats) -> Floats:
        """The law's value. natural: (..., p); inputs: one array (n,) for each of `self.inputs`. Returns (..., n)."""
        values, _ = self.evaluate(*self._flat(natural, inputs))
        values = np.exp(values) if self.response == "log" else values
        return values.reshape(*np.shape(natural)[:-1], values.shape[-1])

    def gradient(self, natural: Floats, *inputs: Floats) -> Floats:
        """d value / d log input, in units of the value: what one e-fold of the input changes. (..., inputs, n)."""
        internal, logs = self._flat(natural, inputs)
        slopes = self.slopes(internal, logs)
        if self.response == "log":
            slopes = slopes * np.exp(self.evaluate(internal, logs)[0])[:, None, :]
        return slopes.reshape(*np.shape(natural)[:-1], *slopes.shape[1:])

    def _flat(self, natural: Floats, inputs: tuple[Floats, ...]) -> tuple[Floats, Floats]:
        if len(inputs) != len(self.inputs):
            raise ValueError(f"{self.name} reads {', '.join(self.inputs)}: {len(inputs)} inputs came")
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(item, dtype=np.float64)) for item in inputs))
        return np.atleast_2d(self.plain(natural)).reshape(-1, len(self.parameters)), np.log(np.stack(arrays))
