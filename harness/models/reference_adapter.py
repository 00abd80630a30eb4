"""The adapter `reference`: the GPT of `reference_impl`, trained here or opened from a checkpoint.

It opens models in two ways: a checkpoint of its own, and a `transformers` folder of a GPT-2 or a Llama (`converted`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Opening, Point
from harness.models.alignment_entry import Aligning
from harness.models.checkpoint_files import holds_reference, refuse_file
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest
from harness.models.near_folder import why_no_folder
from harness.models.resolved import Resolved, of_asset
from harness.models.shape import ModelShape, folder_shape, gpt_shape
from harness.models.size import ModelSize, check_preset, config_size, preset_names, stored_size
from harness.models.stage_entry import Stages
from harness.models.training import Training
from harness.models.training_entry import FIRST_STAGE, RECIPE, ShapeChanges, Train
from harness.models.training_stages import place_of_stage, pretrained, with_stages

MOST_PARAMETERS = 10**12
"""Of a model that is trained here."""


class ReferenceSettings(ModelSettings):
    """What an entry says under `reference`."""

    shape: ShapeChanges = ShapeChanges()
    """What a preset that is trained here has other than its table says."""
    train: Stages | None = None
    """How the preset is trained: a mapping, or a list of stages, each of which starts from the weights of the one
    before. A stage is one of pretraining, or has the name of a method of alignment: `sft: ...`."""

    @property
    def is_trained_here(self) -> bool:
        """See `ModelSettings.is_trained_here`."""
        return self.train is not None

    @property
    def has_budget(self) -> bool:
        """See `ModelSettings.has_budget`."""
        first = None if self.train is None else self.train[0]  # of several stages each has one
        return isinstance(first, Train) and first.has_budget

    def parameters(self) -> int | None:
        """See `ModelSettings.parameters`."""
        if self.train is None:
            return None
        first = self.train[0]
        if not isinstance(first, Train):
            return None
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
            if not isinstance(stage, Train):
                if number == 0:
                    raise PydanticCustomError(
                        "stage",
                        "a preset starts from nothing, so its first stage is one of pretraining (`corpus: ...`); to go "
                        "on with another model of the suite, write `from:` in place of `reference:`",
                        {"key_path": ("train", 0)},
                    )
                continue
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
    "train": "only a preset is trained from nothing; to train this model further, write a second "
    "one: `from:` this one's name, with this `train`",
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
    kind = "reference" if holds_reference(folder) else "converted"
    digest = folder_digest(folder)
    return Resolved(ModelSource(name, kind, str(folder), digest, files=digest))


def _trained(name: str, settings: ReferenceSettings, stages: Sequence[Train | Aligning], point: Point) -> Resolved:
    check_preset(settings.model, place=f"models.{name}.reference")
    first, place = stages[0], place_of_stage(name, 0, len(stages))
    assert isinstance(first, Train)
    training = Training(
        preset=settings.model,
        corpus=first.corpus,
        vocabulary=first.vocabulary,
        context=first.context,
        seed=first.seed if point.seed is None else point.seed,
        tokenizer=first.tokenizer,
        held_out=first.held_out,
        shape=settings.shape.given() | first.given("dropout"),
        recipe=first.given(*RECIPE),
    )
    return with_stages(name, pretrained(name, training, None, point, place), stages, point, done=1)


def _size(resolved: Resolved) -> ModelSize | None:
    first = resolved.first
    return config_size(first.training.config()) if isinstance(first.training, Training) else stored_size(first)


def _shape(resolved: Resolved) -> ModelShape | None:
    first = resolved.first
    return (
        gpt_shape(first.training.config()) if isinstance(first.training, Training) else folder_shape(first.source.path)
    )


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
