"""The strict base of every part of a suite, and checks that several parts share.

It is not of the suite language alone: an adapter declares what an entry of `models:` may have (`models/adapter.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import shown
from harness.input_file import why_no_path
from harness.plugins import why_not_loaded
from harness.spelling import nearest
from harness.strict_models import Written


def _refuse_unknown(known: Collection[str], told: Callable[[], list[str]]) -> Callable[[Any], Any]:
    """A check that runs before pydantic's own, so that an unknown key is answered with the nearest spelling. told: the
    keys that people write."""

    def check(data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key == "trust_remote_code":
                    raise PydanticCustomError(
                        "unknown_key",
                        "a suite can't turn on trust_remote_code; if you have read the model's code, "
                        "use `harness run --trust-remote-code`",
                        {"key": key},
                    )
                if key not in known:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'{hint}; allowed: {allowed}",
                        {
                            "key": key,
                            "hint": f" ({why})" if (why := why_not_loaded(str(key))) else nearest(str(key), told()),
                            "allowed": ", ".join(told()),
                        },
                    )
        return data

    return check


class Strict(Written):
    """Base of every part of a suite: unknown keys are refused with the nearest spelling."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        _refuse_unknown(cls.model_fields, cls.keys_of_people)(data)
        return data

    @classmethod
    def keys_of_people(cls) -> list[str]:
        """The keys that a person may write."""
        return list(cls.model_fields)

    def given(self, *names: str) -> dict[str, Any]:
        """The fields that are not left out; of all, or of those that are named."""
        chosen = names or tuple(type(self).model_fields)
        return {name: value for name in chosen if (value := getattr(self, name)) is not None}


class Composed(Strict):
    """Base of parts that are made of others' fields: those have their descriptions, and there is no source to read."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def as_list(value: Any) -> Any:
    """A check that takes one value for a list of one."""
    return value if isinstance(value, list) else [value]


def not_empty_not_twice(values: list[Any] | None, key: str) -> list[Any]:
    """A check of the axis `key`: it has values, each once."""
    if not values:
        raise PydanticCustomError(
            "empty_axis",
            "an axis needs at least one value: write one, such as `{key}: {example}`, or remove it",
            {"key": key, "example": {"precision": "fp32", "device": "auto"}.get(key, "1")},
        )
    return not_twice(values, key)


def not_twice(values: list[Any], key: str | None = None) -> list[Any]:
    """A check: no value stands twice."""
    seen: set[tuple[type, Any]] = set()
    for value in values:
        if (type(value), value) in seen:
            raise PydanticCustomError(
                "value_twice",
                "a value stands here twice, {value}; keep one",
                {"value": shown(value), **({} if key is None else {"key": key})},
            )
        seen.add((type(value), value))
    return values


def _can_be_a_path(text: str) -> str:
    if (why := why_no_path(text)) is not None:
        raise PydanticCustomError(
            "no_path", "this names a file, a folder or what is kept as one, and {why}", {"why": why}
        )
    return text


PathText = Annotated[str, AfterValidator(_can_be_a_path)]
"""What names a file, a folder, an asset or a repository of the hub."""
