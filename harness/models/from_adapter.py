"""The adapter `from`: another model of the suite, trained further.

    base: {reference: nano, train: {corpus: microworld, tokens: 500_000}}
    sft:  {from: base, train: {sft: {data: microworld}}}

    early: {from: ppo, at: kl=0.5}

It opens nothing itself: what comes of it is opened as the model that it comes from.
"""

from __future__ import annotations

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Point
from harness.models.resolved import Resolved
from harness.models.stage_entry import Stages
from harness.models.training_entry import FIRST_STAGE, Train
from harness.models.training_stages import checkpoint_of, with_stages


class FromSettings(ModelSettings):
    """What an entry says under `from`."""

    at: str | None = None
    """At which of the checkpoints that its last stage keeps it is taken: `kl=0.5`, `after=20`. Left out, at its end."""
    train: Stages | None = None
    """How it is trained further: a stage, or a list of stages, each of which starts from the weights of the one before.
    A stage is one of pretraining, or has the name of a method of alignment: `sft: ...`."""

    @property
    def is_trained_here(self) -> bool:
        """See `ModelSettings.is_trained_here`."""
        return True

    @property
    def has_budget(self) -> bool:
        """See `ModelSettings.has_budget`: each stage has its own."""
        return True

    @model_validator(mode="after")
    def _stages(self) -> FromSettings:
        if self.train is None and self.at is None:
            raise PydanticCustomError(
                "stage", "a model that comes from another is trained further by `train`, or it is a checkpoint `at`"
            )
        for number, stage in enumerate(self.train or ()):
            if not isinstance(stage, Train):
                continue
            settled = next((name for name in FIRST_STAGE if name in stage.model_fields_set), None)
            if settled is not None:
                raise PydanticCustomError(
                    "stage",
                    "a model that is trained further keeps its {name}; remove `{name}` here",
                    {"name": settled, "key_path": ("train", number, settled)},
                )
            if not stage.has_budget:
                raise PydanticCustomError(
                    "stage",
                    "a stage of pretraining needs `tokens` or `steps` here (the axis `compute` is for trainings of one "
                    "stage)",
                    {"key_path": ("train", number)},
                )
        return self


def resolve(name: str, settings: FromSettings, point: Point) -> Resolved:
    """The model that comes of it. Raises UserError where there is none that it could come from."""
    try:
        before = point.other(settings.model)
    except UserError as error:
        raise UserError(error.message, place=error.place or f"models.{name}.from") from None
    if settings.at is not None:
        before = checkpoint_of(name, before, settings.at, f"models.{name}.at")
    return with_stages(name, before, settings.train or (), point)


FROM = Adapter(
    name="from",
    of_suite=True,
    about="Another model of the suite, by its name, which is trained further (`train`), or taken as it was on the way "
    "(`at`).",
    settings=FromSettings,
    resolve=resolve,
    openings=(),
    capabilities=frozenset({"logits"}),
)
