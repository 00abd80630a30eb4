"""An entry of a suite's `gate:`, as it is written: a metric of some cells that a change must not make worse."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from harness.comparison.expectation import in_brackets
from harness.results.record import Scalar
from harness.strict_models import Written

MOST_PAIRS = 10
"""Metrics of cells that a gate judges: each more makes all of them harder to decide."""


def has_values(where: dict[str, Any]) -> dict[str, Any]:
    """`where`, each of its lists with a value at least."""
    for name, value in where.items():
        if value == []:
            raise PydanticCustomError("where", "`where` has no value for {name}", {"name": name})
    return where


class Guard(Written):
    """The quality that a speed counts with: a metric of cells of the same model and axes, under another measure."""

    metric: str
    """Name of a metric of quality, such as `bits_per_byte`."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which of its cells, where there are several: `{text: microworld/test}`."""
    margin: float | None = Field(default=None, ge=0)
    """See `GateEntry.margin`."""

    @field_validator("where")
    @classmethod
    def _values(cls, where: dict[str, Any]) -> dict[str, Any]:
        return has_values(where)


class GateEntry(Written):
    """What must not become worse: `{metric: bits_per_byte, where: {precision: int8}, margin: 0.01}`."""

    metric: str
    """Name of a metric, such as `bits_per_byte` (or with its version, `bits_per_byte@1`)."""
    where: dict[str, Scalar | list[Scalar]] = Field(default={})
    """Which cells: model, axes and settings with the value, or a list of values. Left out: every cell."""
    measure: str | None = None
    """The measure, where several emit the metric."""
    margin: float | None = Field(default=None, ge=0)
    """The smallest change for the worse that is of interest. Of times, bytes and losses as a share (0.01 is 1 %), of
    accuracies absolute (0.02 is two points). Left out: the default of its kind."""
    kl_margin: float | None = Field(default=None, gt=0)
    """Of a probe: the mean divergence from the base, in nats per token, above which it is a FAIL whatever its loss. Any
    is allowed where it is left out."""
    bitwise: bool = False
    """Whether outputs must be the same to the bit: anything else is a FAIL."""
    guarded_by: list[Annotated[str | Guard, Field(union_mode="left_to_right")]] = Field(default=[])
    """Of a speed: the metrics of quality without which it does not count."""

    @field_validator("where")
    @classmethod
    def _values(cls, where: dict[str, Any]) -> dict[str, Any]:
        return has_values(where)

    @model_validator(mode="after")
    def _one_rule(self) -> GateEntry:
        if self.bitwise and self.margin:
            raise PydanticCustomError("bitwise", "`bitwise` allows no change, so leave out `margin`", {"key": "margin"})
        return self

    @property
    def guards(self) -> list[Guard]:
        """`guarded_by`, each as a guard."""
        return [Guard(metric=guard) if isinstance(guard, str) else guard for guard in self.guarded_by]

    @property
    def sentence(self) -> str:
        """`bits_per_byte (int8)`."""
        return f"{self.metric}{in_brackets(self.where)}"
