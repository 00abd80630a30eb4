"""A law with parameters held at a value, or tied to one another: what a simpler law would have been.

Whether alpha and beta differ at all (a = 1/2 if not), and whether there is a floor, are questions of a law against its
own restriction, on the same runs with the same objective.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.analysis.scaling.laws.law import Floats, Law
from harness.spelling import nearest


class Restricted(Law):
    """Another law with fewer free parameters."""

    def __init__(self, law: Law, fixed: Mapping[str, float] | None = None, tied: Mapping[str, str] | None = None):
        """fixed: parameter -> its natural value, such as {"E": 0}. tied: parameter -> the free one that it equals, such
        as {"beta": "alpha"}.

        ValueError for a parameter that the law does not have, or whose value depends on where the data are centered (A
        and B of Hoffmann et al.): that one can't be held while the others are solved for.
        """
        fixed, tied = dict(fixed or {}), dict(tied or {})
        for name in (*fixed, *tied, *tied.values()):
            if name not in law.names:
                raise ValueError(f"{law.name} has no parameter '{name}'{nearest(name, law.names)}")
        held = [name for name in law.names if name in fixed or name in tied]
        if any(target in held for target in tied.values()):
            raise ValueError("a parameter can be tied to a free one only")
        self.law = law
        self._free = [column for column, name in enumerate(law.names) if name not in held]
        self._held = {law.names.index(name): value for name, value in fixed.items()}
        self._tied = {law.names.index(name): law.names.index(target) for name, target in tied.items()}
        for column in (*self._held, *self._tied, *self._tied.values()):
            if _moves(law, column):
                raise ValueError(
                    f"{law.names[column]} of {law.name} depends on where the data are centered: it can't be held"
                )
        words = [f"{name} = {value:g}" for name, value in fixed.items()] + [
            f"{one} = {two}" for one, two in tied.items()
        ]
        self.name = f"{law.name}, {', '.join(words)}" if words else law.name
        self.formula = f"{law.formula}, {', '.join(words)}"
        self.source = law.source
        self.parameters = tuple(law.parameters[column] for column in self._free)
        self.inputs, self.response, self.target = law.inputs, law.response, law.target
        closed = getattr(law, "allocation", None)
        if closed is not None:
            self.allocation = lambda natural, *given: closed(self.whole_natural(natural), *given)

    def whole(self, internal: Floats) -> Floats:
        """The other law's parameters, plain or centered, of these: (..., q) -> (..., p)."""
        every = np.empty((*np.shape(internal)[:-1], len(self.law.parameters)))
        every[..., self._free] = internal
        for column, value in self._held.items():
            natural = np.zeros(len(self.law.parameters))
            natural[column] = value
            every[..., column] = self.law.plain(natural)[column]
        for column, target in self._tied.items():
            every[..., column] = every[..., target]
        return every

    def whole_natural(self, natural: Floats) -> Floats:
        """The other law's published parameters of these: (..., q) -> (..., p)."""
        every = self.whole(np.asarray(natural, dtype=np.float64))
        for column, value in self._held.items():
            every[..., column] = value
        return every

    def evaluate(self, internal: Floats, logs: Floats) -> tuple[Floats, Floats]:
        """See `Law`. A tied parameter's derivative adds to that of the one it equals."""
        value, derivative = self.law.evaluate(self.whole(internal), logs)
        for column, target in self._tied.items():
            derivative[:, target] += derivative[:, column]
        return value, derivative[:, self._free]

    def slopes(self, internal: Floats, logs: Floats) -> Floats:
        """See `Law`."""
        return self.law.slopes(self.whole(internal), logs)

    def starts(self, logs: Floats, response: Floats) -> Floats:
        """The other law's starts, without what is held."""
        return np.unique(self.law.starts(logs, response)[:, self._free], axis=0)

    def center(self, logs: Floats) -> Floats:
        """See `Law`."""
        return self.law.center(logs)

    def uncentered(self, internal: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return self.law.uncentered(self.whole(internal), center)[..., self._free]

    def centered(self, plain: Floats, center: Floats) -> Floats:
        """See `Law`."""
        return self.law.centered(self.whole(plain), center)[..., self._free]


def _moves(law: Law, column: int) -> bool:
    """Whether centring changes the parameter."""
    some = np.linspace(0.3, 0.7, len(law.parameters))
    shifted = law.uncentered(some, np.linspace(1.0, 2.0, len(law.inputs)))
    return bool(abs(shifted[column] - some[column]) > 1e-12)
