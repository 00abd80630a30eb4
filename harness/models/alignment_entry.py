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
from reference_impl.alignment.settings.checkpoints import CheckpointSettings
from reference_impl.alignment.settings.described import described
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.settings.scorers import SCORERS, scorers_in_words
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.method import METHODS, Method, check_moments

SEED = "seed"


class _MethodEntry(Composed):
    """What stands under a method's name."""

    @model_validator(mode="after")
    def _possible(self) -> _MethodEntry:
        name = type(self).__name__
        try:
            settings = METHODS[name].made(self.of(METHODS[name].settings))
            DataSettings(**self.of(DataSettings))
            for part in ("lora", "drawn", "checkpoints"):
                if (given := getattr(self, part, None)) is not None:
                    made = given.made()
                    if part == "checkpoints":
                        check_moments(name, settings, made)
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
        own["reward"] = (PathText, Field(description=_REWARD))
    if method.drawable:
        about = "Learn from pairs that a model draws and something scores; the data give the prompts alone."
        own["drawn"] = (_Drawn | None, Field(None, description=about))
    if method.keeps_checkpoints:
        about = "Moments at which the weights are kept, each a model of its own: `{from: NAME, at: kl=0.5}`."
        own["checkpoints"] = (_Checkpoints | None, Field(None, description=about))
    made: type[_MethodEntry] = create_model(name, __base__=_MethodEntry, __doc__=method.about, **own)
    return made


class _LoraBase(Composed):
    """An adapter."""

    def made(self) -> LoRA:
        """Its settings."""
        return LoRA(**self.given())


_Lora = create_model("Lora", __base__=_LoraBase, __doc__="An adapter.", **dict(_optional(LoRA)))


class _DrawnBase(Composed):
    """Pairs that a model draws."""

    def made(self) -> DrawnPairSettings:
        """Its settings."""
        return DrawnPairSettings(**self.given())


_REWARD = f"What scores responses: a reward model of this suite, by its name, or {scorers_in_words()}."
_Drawn = create_model(
    "Drawn",
    __base__=_DrawnBase,
    __doc__="Pairs that a model draws and something scores.",
    **dict(_optional(DrawnPairSettings))
    | {
        "reward": (PathText, Field(description=_REWARD)),
        "model": (
            PathText | None,
            Field(None, description="The model of this suite that draws them. Left out, the one that learns."),
        ),
    },
)


class _CheckpointsBase(Composed):
    """Moments of a stage."""

    def made(self) -> CheckpointSettings:
        """Its settings."""
        return CheckpointSettings(**self.given())


_Checkpoints = create_model(
    "Checkpoints",
    __base__=_CheckpointsBase,
    __doc__="Moments of a stage at which its weights are kept.",
    **dict(_optional(CheckpointSettings)),
)


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
        told = getattr(self, self.method)
        drawn = getattr(told, "drawn", None)
        named = {"reward": getattr(told, "reward", None)}
        if drawn is not None:
            named |= {"drawn.reward": drawn.reward, "drawn.model": drawn.model}
        return {what: name for what, name in named.items() if name is not None and name not in SCORERS}

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
            checkpoints=None if getattr(told, "checkpoints", None) is None else told.checkpoints.given(),
            drawn=None if getattr(told, "drawn", None) is None else told.drawn.given(),
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
