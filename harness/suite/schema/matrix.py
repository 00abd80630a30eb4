"""The axes of a suite, of a model and of a measure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.limits import LARGEST, LARGEST_SEED
from harness.models.contract import Precision
from harness.strict_entry import Strict, as_list, not_empty_not_twice

MOST_THREADS = 100_000
"""More than any machine has."""


class Matrix(Strict):
    """The axes. Each takes one value or a list."""

    precision: Annotated[list[Precision], BeforeValidator(as_list)] | None = None
    """fp32, bf16, fp16, int8, int8-dynamic, int4, int4-gptq, nf4, fp4."""
    device: Annotated[list[Literal["auto", "cpu", "cuda"]], BeforeValidator(as_list)] | None = None
    """auto takes the GPU where there is one."""
    seed: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]], BeforeValidator(as_list)] | None = None
    """Seed of the training of a reference model: each seed is a model of its own."""
    compute: (
        Annotated[list[Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]], BeforeValidator(as_list)] | None
    ) = None
    """Training budget of a reference model in FLOPs: it is trained on compute / (6 · parameters) tokens, all parameters
    counted, in whole steps. Each budget is a model of its own."""
    threads: Annotated[list[Annotated[int, Field(ge=1, le=MOST_THREADS)]], BeforeValidator(as_list)] | None = None
    """Threads of the worker process; left out, as many as there are cores."""

    @model_validator(mode="after")
    def _values(self) -> Matrix:
        for name in type(self).model_fields:
            if name in self.model_fields_set:
                not_empty_not_twice(getattr(self, name), name)
        return self

    def axes(self) -> dict[str, list[Any]]:
        """The axes that are given, in order."""
        return {name: values for name in type(self).model_fields if (values := getattr(self, name)) is not None}
