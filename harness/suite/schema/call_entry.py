"""An entry of a suite's `calls:`: a function of the project whose speed and values a change must not make worse."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from harness.strict_entry import Strict

Function = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]
"""`module:function`."""


class CallEntry(Strict):
    """A function without a model: `harness ci` runs it as it was and as it is, turn by turn."""

    call: Function
    """What is timed, `module:function`."""
    setup: Function | None = None
    """Its value is what the call is given: a tuple, a mapping of named arguments, or one value."""
    arguments: Any = None
    """Given to `setup`, or to the call where there is none: a list, a mapping, or one value."""
    margin: float = Field(default=0.05, gt=0, lt=10)
    """The smallest slowdown of interest: 0.05 is 5 %."""
    tolerance: float | None = Field(default=None, ge=0)
    """By what share of its size a returned number may differ. Left out: values that differ are told of, and judged by
    nobody."""
    threads: int | None = Field(default=None, ge=1)
    """Left out: as many as there are cores."""

    @field_validator("arguments")
    @classmethod
    def _as_json(cls, arguments: Any) -> Any:
        """They go to another process as JSON, which has no dates and no NaN."""
        try:
            json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise PydanticCustomError(
                "arguments",
                "should be what JSON has: lists, mappings, text and finite numbers ({why})",
                {"why": str(error)},
            ) from None
        return arguments
