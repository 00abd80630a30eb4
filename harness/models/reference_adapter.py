"""The adapter `reference`: the GPT of `reference_impl`, trained here or opened from a checkpoint.

It opens models in two ways: a checkpoint of its own, and a `transformers` folder of a GPT-2 or a Llama (`converted`).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.cache import cache_folder
from harness.corpora.training import training_digest
from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Opening, Point
from harness.models.checkpoint_files import refuse_file
from harness.models.compute_budget import with_compute
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest, hash_of
from harness.models.near_folder import why_no_folder
from harness.models.resolved import Resolved, of_asset
from harness.models.shape import ModelShape, folder_shape, gpt_shape
from harness.models.size import ModelSize, check_preset, config_size, preset_names, stored_size
from harness.models.training import Training
from harness.models.training_entry import FIRST_STAGE, RECIPE, ShapeChanges, Train
from harness.strict_entry import as_list

MOST_PARAMETERS = 10**12
"""Of a model that is trained here."""


class ReferenceSettings(ModelSettings):
    """What an entry says under `reference`."""

    shape: ShapeChanges = ShapeChanges()
    """What a preset that is trained here has other than its table says."""
    train: (
        Annotated[
            list[Train], Field(min_length=1), BeforeValidator(as_list, json_schema_input_type=Train | list[Train])
        ]
        | None
    ) = None
    """How the preset is trained: a mapping, or a list of stages, each of which starts from the weights of the one
    before."""

    @property
    def is_trained_here(self) -> bool:
        """See `ModelSettings.is_trained_here`."""
        return self.train is not None

    @property
    def has_budget(self) -> bool:
        """See `ModelSettings.has_budget`."""
        return self.train is not None and self.train[0].has_budget  # of several stages each has one

    def parameters(self) -> int | None:
        """See `ModelSettings.parameters`."""
        if self.train is None:
            return None
        first = self.train[0]
        training = Training(
            preset=self.model,
            corpus=first.corpus,
            vocabulary=first.vocabulary,
            context=first.context,
            seed=0,
            tokenizer=first.tokenizer,
            shape=self.shape.given(),
        )
        try:
            return config_size(training.config()).parameters
        except ValueError:  # no such preset, or no such shape: said where the model is resolved
            return None

    @model_validator(mode="after")
    def _shape_of_a_training(self) -> ReferenceSettings:
        if self.train is None and self.shape.given():
            raise PydanticCustomError("train", ELSEWHERE["shape"])
        return self

    @model_validator(mode="after")
    def _stages(self) -> ReferenceSettings:
        """The first stage settles what a model keeps; each of several says how long it goes on."""
        for number, stage in enumerate(self.train or []):
            settled = [name for name in FIRST_STAGE if name in stage.model_fields_set]
            if number and settled:
                raise PydanticCustomError(
                    "stage",
                    "stage {number} keeps the {name} of the first; remove `{name}` here",
                    {"number": number + 1, "name": settled[0], "key_path": ("train", number, settled[0])},
                )
            if len(self.train or []) > 1 and not stage.has_budget:
                raise PydanticCustomError(
                    "stage",
                    "stage {number} of a training needs `tokens` or `steps` (the axis `compute` is for a training of "
                    "one stage)",
                    {"number": number + 1, "key_path": ("train", number)},
                )
        return self

    @model_validator(mode="after")
    def _of_a_size(self) -> ReferenceSettings:
        """No more parameters than anyone trains: counted before anything is made of them."""
        parameters = self.parameters()
        if parameters is not None and parameters > MOST_PARAMETERS:
            raise PydanticCustomError(
                "size",
                "this model has {count} parameters, and {most} is the most; make layers, width, vocabulary or context "
                "smaller",
                {"count": f"{parameters:,}", "most": f"{MOST_PARAMETERS:,}"},
            )
        return self


ELSEWHERE = {
    "train": "only a reference model can be trained; remove `train`",
    "shape": "a `shape` needs `train`: only a model that is trained here has one",
}


def resolve(name: str, settings: ReferenceSettings, point: Point) -> Resolved:
    """A preset that is trained, an asset, or a folder. Raises UserError where there is none, and for a budget that
    can't be."""
    where, place = settings.model, f"models.{name}.reference"
    if settings.train is not None:
        return _trained(name, settings, settings.train, point)
    if where.startswith("asset:"):
        return of_asset(name, "converted", where.removeprefix("asset:"), place=place)
    folder = Path(where).expanduser()
    refuse_file(where, place)
    if not folder.is_dir():
        if where in preset_names():
            raise UserError(f"'{where}' is a preset, and no folder: to train it, give it `train: ...`", place=place)
        train = "" if "/" in where else "; to train a preset, give it `train: ...`"
        raise UserError(why_no_folder(where) + train, place=place)
    kind = "reference" if (folder / "checkpoint.json").is_file() else "converted"
    digest = folder_digest(folder)
    return Resolved(ModelSource(name, kind, str(folder), digest, files=digest))


def _trained(name: str, settings: ReferenceSettings, stages: list[Train], point: Point) -> Resolved:
    check_preset(settings.model, place=f"models.{name}.reference")
    found: Resolved | None = None
    for number, train in enumerate(stages):
        place = f"models.{name}.train" if len(stages) == 1 else f"models.{name}.train.{number}"
        first = stages[0]
        training = Training(
            preset=settings.model,
            corpus=train.corpus,
            vocabulary=first.vocabulary,
            context=first.context,
            seed=train.seed if point.seed is None else point.seed,
            tokenizer=first.tokenizer,
            held_out=train.held_out,
            shape=settings.shape.given() | train.given("dropout"),
            recipe=train.given(*RECIPE),
            after=None if found is None else found.training,
        )
        training.check(place=place)
        if point.compute is not None:
            training = with_compute(training, point.compute, place=place)
        try:
            found = _stage(name, training, found, point.training_code)
        except UserError as error:
            told = error.message if training.corpus in error.message else f"{training.corpus}: {error.message}"
            raise UserError(told, place=f"{place}.corpus") from None
    assert found is not None
    return found


def _stage(name: str, training: Training, before: Resolved | None, code: str) -> Resolved:
    """One stage, kept under the digest of all that determines it: itself and the stages before it."""
    determined_by = asdict(replace(training, after=None)) | {
        "corpus_digest": training_digest(training.corpus),
        "code": code,
    }
    del determined_by["after"]
    if before is not None:
        determined_by["after"] = before.source.digest
    digest = hash_of(determined_by)
    folder = cache_folder("models") / f"{training.preset}-{digest[:24]}"
    return Resolved(ModelSource(name, "reference", str(folder), digest), training=training, before=before)


def _size(resolved: Resolved) -> ModelSize | None:
    return stored_size(resolved) if resolved.training is None else config_size(resolved.training.config())


def _shape(resolved: Resolved) -> ModelShape | None:
    training = resolved.training
    return folder_shape(resolved.source.path) if training is None else gpt_shape(training.config())


REFERENCE = Adapter(
    name="reference",
    about="A preset of reference_impl (`harness list models`) together with `train`, or a folder (a checkpoint, also a "
    "quantized one, or a GPT-2 or Llama of transformers, run by the reference's own engine), or `asset:NAME`.",
    settings=ReferenceSettings,
    resolve=resolve,
    openings=(
        Opening(kind="reference", module="harness.models.reference", start=3.0, libraries=260e6),
        Opening(
            kind="converted",
            module="harness.models.converted",
            start=6.0,
            libraries=400e6,
            packages=("transformers",),  # its tokenizer
        ),
    ),
    capabilities=frozenset({"logits", "blocks"}),
    size=_size,
    shape=_shape,
    elsewhere=ELSEWHERE,
)
