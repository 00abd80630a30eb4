"""One model of a suite: an adapter's name and what that adapter's entries may say."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, create_model, model_validator
from pydantic_core import PydanticCustomError

from harness.models.adapter import Adapter, ModelSettings
from harness.models.registry import ADAPTERS
from harness.strict_entry import Composed, PathText
from harness.suite.schema.matrix import Matrix

LONGEST_NAME = 100


def _can_be_a_name(name: str, of: str) -> str:
    """A name is printed in tables, and a model's stands in names of files."""
    if not name.strip() or not name.isprintable() or name.strip() != name or len(name) > LONGEST_NAME:
        raise PydanticCustomError(
            "model_name",
            "{of}'s name is one line of 1 to {longest} printable characters, without spaces at its ends",
            {"longest": LONGEST_NAME, "of": of},
        )
    return name


ModelName = Annotated[str, AfterValidator(partial(_can_be_a_name, of="a model"))]
Name = Annotated[str, AfterValidator(partial(_can_be_a_name, of="a call"))]

OWNERS = {
    key: [adapter for adapter in ADAPTERS.values() if key in adapter.keys]
    for key in dict.fromkeys(key for adapter in ADAPTERS.values() for key in adapter.keys)
}
"""Whose each key of an entry is, beside the adapters' names and `matrix`. Those that share one mean the same by it."""


class _ModelEntry(Composed):
    """One model: under the name of the adapter that opens it."""

    if TYPE_CHECKING:
        matrix: Matrix = Matrix()

    @classmethod
    def keys_of_people(cls) -> list[str]:
        """Without adapters of models that only this process knows."""
        return [key for key in cls.model_fields if key not in ADAPTERS or not ADAPTERS[key].in_process]

    @model_validator(mode="after")
    def _one_adapter(self) -> _ModelEntry:
        given = [name for name in ADAPTERS if getattr(self, name) is not None]
        if len(given) != 1:
            # a person writes none of those that only this process can resolve
            *most, last = (f"`{name}: ...`" for name, adapter in ADAPTERS.items() if not adapter.in_process)
            which = f"either {most[0]}" if len(most) == 1 else ", ".join(most)
            both = f"both {' and '.join(f'`{name}`' for name in given)} are here: " if given else ""
            told = {"both": both, "which": which, "last": last}
            raise PydanticCustomError("kind", "{both}a model is {which} or {last}", told)
        for key, owners in OWNERS.items():
            if self.adapter not in owners and getattr(self, key) is not None and key in self.model_fields_set:
                why = owners[0].elsewhere.get(key, f"only `{owners[0].name}: ...` has a `{key}`; remove it")
                raise PydanticCustomError("kind", "{why}", {"why": why})
        try:
            _ = self.settings
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "missing":
                needs = {"adapter": self.adapter.name, "key": first["loc"][0]}
                raise PydanticCustomError("kind", "`{adapter}: ...` needs `{key}`", needs) from None
            told = {**first.get("ctx", {}), "message": first["msg"]}
            raise PydanticCustomError(first["type"], "{message}", told) from None
        return self

    @cached_property
    def adapter(self) -> Adapter:
        """What opens it."""
        return next(adapter for name, adapter in ADAPTERS.items() if getattr(self, name) is not None)

    @cached_property
    def settings(self) -> ModelSettings:
        """What it says under its adapter."""
        adapter = self.adapter
        told = {key: getattr(self, key) for key in adapter.keys if key in self.model_fields_set}
        return adapter.settings.model_validate({"model": getattr(self, adapter.name)} | told)


def _with_adapters() -> type[_ModelEntry]:
    fields: dict[str, Any] = {
        name: (PathText | None, Field(None, description=adapter.about)) for name, adapter in ADAPTERS.items()
    }
    for key, owners in OWNERS.items():
        info = owners[0].settings.model_fields[key]
        if info.is_required():  # of its own entries: `settings` says so there
            annotation: Any = info.annotation
            fields[key] = (annotation | None, Field(None, description=info.description))
        else:
            fields[key] = (info.annotation, info)
    fields["matrix"] = (Matrix, Field(Matrix(), description="Axes that differ for this model alone."))
    return create_model("ModelEntry", __base__=_ModelEntry, __doc__=_ModelEntry.__doc__, **fields)


if TYPE_CHECKING:
    ModelEntry = _ModelEntry
else:
    ModelEntry = _with_adapters()
