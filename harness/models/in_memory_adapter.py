"""The adapter `in_memory`: models that were given to a function of `harness` in the process that holds them."""

from __future__ import annotations

from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Opening, Point
from harness.models.contract import TYPES, ModelSource
from harness.models.in_memory import KEY, held
from harness.models.resolved import Resolved


def resolve(name: str, settings: ModelSettings, point: Point) -> Resolved:
    """The model of this process. Raises UserError where it is gone: a suite can't be run again with it."""
    found = held(settings.model)
    if found is None:
        raise UserError(
            "this model was in the memory of a process that measured it; save it and name its folder, or give it to "
            "`harness.run` in Python",
            place=f"models.{name}.{KEY}",
        )
    return Resolved(ModelSource(name, KEY, settings.model, found.digest))


IN_MEMORY = Adapter(
    name=KEY,
    about="A model of the Python process that runs the suite (`harness.InMemory`): written by the harness alone.",
    settings=ModelSettings,
    resolve=resolve,
    openings=(
        Opening(
            kind=KEY,
            module="harness.models.in_memory_opening",
            packages=("transformers",),
        ),
    ),
    capabilities=frozenset({"logits"}),
    precisions=TYPES,
    in_process=True,
)
