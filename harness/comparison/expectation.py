"""An expectation of a suite, as it is written: a bound on a metric, on its ratio to another cell, or on a finding."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from harness.evidence.selection import Where, describe
from harness.results.record import Scalar
from harness.strict_models import Written

RUN = "run"
"""The key of `against` that names a stored run."""


class Expectation(Written):
    """A bound that a suite declares: `{metric: perplexity, where: {precision: int8}, at_most: 20}`."""

    metric: str | None = None
    """Name of a metric, such as `perplexity` (or with its version, `perplexity@2`)."""
    finding: str | None = None
    """In place of a metric, the name of a finding of an analysis, such as `alpha`."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: model, axes and settings with the value, or a list of values. Left out: every cell. For a finding:
    `analysis` and what the finding is about."""
    against: dict[str, Scalar] | None = Field(default=None, min_length=1)
    """The bound holds for the ratio to the same cell with these replaced, such as `{precision: fp32}`; with `run`, to
    that of a stored run or a baseline: `{run: main}`."""
    by: Literal["ratio", "difference"] = "ratio"
    """What the bound of an `against` holds for: the ratio, or the difference in the metric's unit."""
    at_most: float | None = None
    """Upper bound, in the metric's unit or as a ratio."""
    at_least: float | None = None
    """Lower bound."""
    measure: str | None = None
    """The measure, where several emit the metric."""

    @field_validator("where")
    @classmethod
    def _values(cls, where: dict[str, Any]) -> dict[str, Any]:
        for name, value in where.items():
            if value == []:
                raise PydanticCustomError("where", "`where` has no value for {name}", {"name": name})
        return where

    @field_validator("against")
    @classmethod
    def _names_a_run(cls, against: dict[str, Any] | None) -> dict[str, Any] | None:
        if against is not None and RUN in against:
            name = against[RUN]
            if not isinstance(name, str) or not name.strip():
                raise PydanticCustomError("run", "`run` is the name of a run or of a baseline, such as baseline:ci")
            if name == "latest":
                raise PydanticCustomError(
                    "run", "`run: latest` would be another run each time, and this one in the end: name a baseline"
                )
        return against

    @model_validator(mode="after")
    def _bounded(self) -> Expectation:
        if (self.metric is None) == (self.finding is None):
            raise PydanticCustomError(
                "subject", "an expectation is of a `metric` or of a `finding`, and of one of them"
            )
        if self.finding is not None and (self.against is not None or self.measure is not None):
            raise PydanticCustomError("subject", "an expectation of a `finding` has no `against` and no `measure`")
        if self.by != "ratio" and self.against is None:
            raise PydanticCustomError("by", "`by: difference` says what of an `against` is bounded, and there is none")
        if self.at_most is None and self.at_least is None:
            raise PydanticCustomError("no_bound", "an expectation needs `at_most` or `at_least`")
        if self.at_most is not None and self.at_least is not None and self.at_most < self.at_least:
            raise PydanticCustomError("bounds", "`at_most` is less than `at_least`: nothing can be both")
        return self

    @property
    def stored(self) -> str | None:
        """The run or the baseline that it is held against; None for this run itself."""
        return None if self.against is None else str(self.against[RUN]) if RUN in self.against else None

    @property
    def replaced(self) -> dict[str, Scalar]:
        """What is replaced in the cell that it is held against."""
        return {name: value for name, value in (self.against or {}).items() if name != RUN}

    @property
    def bound(self) -> str:
        """`at least 1.2`, `at most 1.01`, or both."""
        parts = [
            f"{word} {value:,.10g}"
            for word, value in (("at least", self.at_least), ("at most", self.at_most))
            if value is not None
        ]
        return " and ".join(parts)

    @property
    def sentence(self) -> str:
        """`perplexity (int8) / perplexity (fp32) at most 1.01`."""
        subject = f"{self.metric or self.finding}{in_brackets(self.where)}"
        if self.against is not None:
            sign = "/" if self.by == "ratio" else "-"
            subject += f" {sign} {self.metric}{in_brackets(self.against)}"
        return f"{subject} {self.bound}"


def in_brackets(where: Where) -> str:
    """Which cells, as a sentence goes on with it; empty for all."""
    return f" ({describe(where)})" if where else ""
