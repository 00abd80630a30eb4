"""The two bases of pydantic models: of what people write, and of what is kept in files.

A model's validator is built when it is first used (`defer_build`): a command uses few of them, and starts sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UserError
from harness.strict_json import STRICT


class Written(BaseModel):
    """Base of what people write, in suites, task files and settings: an unknown key is refused, and so is a number that
    is none (`true` too, which pydantic takes for 1); a field's docstring is its description in the editor schema and in
    `harness list`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_no_yes_or_no(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, dict) else ():
            given = next((one for one in _listed(value) if isinstance(one, bool)), None)
            if given is not None and key in (_lists_of_numbers(cls) if isinstance(value, list) else _numbers(cls)):
                told = {"key": key, "value": str(given).lower()}
                raise PydanticCustomError("number", "should be a number, not {value}", told)
        return data


@cache
def _numbers(part: type[BaseModel]) -> frozenset[str]:
    """Keys that take numbers and no yes or no: pydantic takes `true` for 1."""
    kinds = {name: set(_kinds(info.annotation)) for name, info in part.model_fields.items()}
    return frozenset(name for name, found in kinds.items() if found & {int, float} and bool not in found)


@cache
def _lists_of_numbers(part: type[BaseModel]) -> frozenset[str]:
    """Those of them whose lists hold nothing else: a list of anything may hold yes and no."""
    return frozenset(name for name in _numbers(part) if Any not in _kinds(part.model_fields[name].annotation))


def _kinds(annotation: Any) -> Iterator[Any]:
    """What a field's type is made of: of `int | list[float]`, int and float."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return
    if not arguments:
        yield annotation
    for one in arguments:
        if isinstance(one, type) or get_args(one):  # not what `Annotated` adds
            yield from _kinds(one)


def _listed(value: Any) -> list[Any]:
    """A value, or those of a list."""
    return value if isinstance(value, list) else [value]


M = TypeVar("M", bound=BaseModel)


def constructed(
    told: Callable[[type[BaseModel], dict[str, Any], ValidationError], str],
) -> Callable[[type[M]], type[M]]:
    """A decorator of a model that people construct themselves: what is wrong raises UserError with what `told` says.
    Validation of data, its own and as a part of others, stays pydantic's."""

    def decorated(kind: type[M]) -> type[M]:
        def init(self: BaseModel, **data: Any) -> None:
            try:
                BaseModel.__init__(self, **data)
            except ValidationError as error:
                raise UserError(told(type(self), data, error)) from None

        init.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # as BaseModel's own: no part of validation
        kind.__init__ = init  # type: ignore[method-assign,assignment]
        return kind

    return decorated


def first_mistake(kind: type[BaseModel], data: dict[str, Any], error: ValidationError) -> str:
    """`Move: run: Field required`, of a model whose values code makes; several with semicolons."""
    told = (f"{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}" for one in error.errors(include_url=False)[:5])
    return f"{kind.__name__}: {'; '.join(told)}"


class Kept(BaseModel):
    """Base of what a run or a cache keeps: a float that is no number is strict JSON too, and the same when it is read.
    Keys that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan=STRICT, defer_build=True)
