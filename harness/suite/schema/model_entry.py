"""One model of a suite."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.models.size import config_size
from harness.models.training import Training
from harness.suite.schema.matrix import Matrix
from harness.suite.schema.strict import PathText, Strict, as_list
from harness.suite.schema.training import FIRST_STAGE, Shape, Train

MOST_PARAMETERS = 10**12
"""Of a model that is trained here."""


class ModelEntry(Strict):
    """One model: `reference` (a preset to train, or a checkpoint folder) or `transformers`."""

    reference: PathText | None = None
    """A preset of reference_impl (`harness list models`) together with `train`, or a folder (a checkpoint, also a
    quantised one, or a GPT-2 or Llama of transformers, run by the reference's own engine), or `asset:NAME`."""
    transformers: PathText | None = None
    """What transformers loads: `asset:NAME`, a folder, or a hub id."""
    revision: PathText | None = None
    """Revision of a hub model."""
    shape: Shape = Shape()
    """What a preset that is trained here has other than its table says."""
    train: (
        Annotated[
            list[Train], Field(min_length=1), BeforeValidator(as_list, json_schema_input_type=Train | list[Train])
        ]
        | None
    ) = None
    """How the preset is trained: a mapping, or a list of stages, each of which starts from the weights of the one
    before."""
    matrix: Matrix = Matrix()
    """Axes that differ for this model alone."""

    @model_validator(mode="after")
    def _one_kind(self) -> ModelEntry:
        if (self.reference is None) == (self.transformers is None):
            raise PydanticCustomError("kind", "a model is either `reference: ...` or `transformers: ...`")
        if self.transformers is not None and self.train is not None:
            raise PydanticCustomError("train", "only a reference model can be trained; remove `train`")
        if self.reference is not None and self.revision is not None:
            raise PydanticCustomError("revision", "only a hub model has a `revision`")
        if self.train is None and self.shape.given():
            raise PydanticCustomError("shape", "a `shape` needs `train`: only a model that is trained here has one")
        return self

    def parameters(self) -> int | None:
        """Parameters of a model that is trained here; None of others, and where they aren't known yet."""
        if self.train is None or self.reference is None:
            return None
        first = self.train[0]
        training = Training(
            preset=self.reference,
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
    def _stages(self) -> ModelEntry:
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
    def _of_a_size(self) -> ModelEntry:
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
