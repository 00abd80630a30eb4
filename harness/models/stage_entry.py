"""One stage of `train:`, as a suite writes it: of pretraining, or under the name of a method.

train: {corpus: microworld, tokens: 500_000}
train: [{corpus: microworld, tokens: 500_000}, {sft: {data: microworld}}]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from harness.models.alignment_entry import STAGES, Aligning
from harness.models.training_entry import Train
from harness.strict_entry import as_list


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        misspelled = not any(key in Train.model_fields for key in value) and any(
            isinstance(part, Mapping) for part in value.values()
        )
        return "alignment" if misspelled or any(key in STAGES for key in value) else "pretraining"
    return "alignment" if isinstance(value, Aligning) else "pretraining"


StageEntry = Annotated[
    Annotated[Train, Tag("pretraining")] | Annotated[Aligning, Tag("alignment")], Discriminator(_kind)
]
Stages = Annotated[
    list[StageEntry],
    Field(min_length=1),
    BeforeValidator(as_list, json_schema_input_type=StageEntry | list[StageEntry]),
]
"""One stage, or a list of them."""
