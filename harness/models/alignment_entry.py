"""A stage of alignment, as a suite writes it: `sft: {data: microworld, epochs: 2}`.

What a method may be told is what its settings in `reference_impl.alignment.settings` have: they are not repeated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from harness.models.alignment import Alignment
from harness.models.training_entry import Train
from harness.strict_entry import Composed, PathText
from reference_impl.alignment.settings.described import described
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import METHODS, Method

ANSWERS = "answers"
"""The reward that needs no model: 1 for the right answer that a prompt says."""
SEED = "seed"


class _MethodEntry(Composed):
    """What stands under a method's name."""

    @model_validator(mode="after")
    def _possible(self) -> _MethodEntry:
        name = type(self).__name__
        try:
            METHODS[name].made(self.of(METHODS[name].settings))
            DataSettings(**self.of(DataSettings))
            if (lora := getattr(self, "lora", None)) is not None:
                lora.made()
        except ValueError as error:
            raise PydanticCustomError("setting", "{why}", {"why": str(error).rstrip(".")}) from None
        return self

    def of(self, settings: type) -> dict[str, Any]:
        """Those of its keys that are fields of a dataclass, without those that are left out."""
        return self.given(*(one.name for one in fields(settings)))


def _optional(settings: type, **defaults: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass as ones that may be left out, with what is said of them."""
    for name, kind, default, about in described(settings, **defaults):
        left_out = "" if default is None else f" Left out, {default}."
        yield name, (kind | None, Field(None, description=about + left_out))


def _entry(name: str, method: Method) -> type[_MethodEntry]:
    own: dict[str, Any] = dict(_optional(DataSettings)) | dict(_optional(method.settings, **method.preset))
    own["lora"] = (_Lora | None, Field(None, description="Of a `transformers` model only an adapter learns."))
    if method.rewarded:
        about = (
            f"What scores responses: a reward model of this suite, by its name, or `{ANSWERS}` (1 for the right one)."
        )
        own["reward"] = (PathText, Field(description=about))
    made: type[_MethodEntry] = create_model(name, __base__=_MethodEntry, __doc__=method.about, **own)
    return made


class _LoraBase(Composed):
    """An adapter."""

    def made(self) -> LoRA:
        """Its settings."""
        return LoRA(**self.given())


_Lora = create_model("Lora", __base__=_LoraBase, __doc__="An adapter.", **dict(_optional(LoRA)))


class _Aligning(Composed):
    """A stage under the name of its method."""

    if TYPE_CHECKING:
        pretrain: Train | None = None

    @model_validator(mode="after")
    def _one_method(self) -> _Aligning:
        given = self.given()
        if len(given) != 1:
            told = {"names": ", ".join(type(self).model_fields), "given": " and ".join(f"`{name}`" for name in given)}
            raise PydanticCustomError("stage", "a stage has one method, and here are {given}; make each a stage", told)
        return self

    @property
    def method(self) -> str:
        """Its name."""
        return next(iter(self.given()))

    @property
    def asked(self) -> dict[str, str]:
        """Models of the suite that are asked, by what they are asked for."""
        reward = getattr(getattr(self, self.method), "reward", ANSWERS)
        return {} if reward == ANSWERS else {"reward": reward}

    def alignment(self, seed: int | None) -> Alignment:
        """The stage as data. seed: of the axis, in place of its own."""
        name, told = self.method, getattr(self, self.method)
        recipe = told.of(METHODS[name].settings)
        if seed is not None:
            recipe[SEED] = seed
        return Alignment(
            method=name,
            data=told.of(DataSettings),
            recipe=recipe,
            lora=None if told.lora is None else told.lora.given(),
            reward=getattr(told, "reward", None),
        )


def _with_methods() -> type[_Aligning]:
    entries: dict[str, Any] = {
        name: (_entry(name, method) | None, Field(None, description=method.about)) for name, method in METHODS.items()
    }
    entries["pretrain"] = (
        Train | None,
        Field(None, description="Pretraining; its keys may stand in the stage itself."),
    )
    made: type[_Aligning] = create_model("Aligning", __base__=_Aligning, __doc__=_Aligning.__doc__, **entries)
    return made


if TYPE_CHECKING:
    Aligning = _Aligning
else:
    Aligning = _with_methods()
STAGES = (*METHODS, "pretrain")
"""Names that a stage may have."""
