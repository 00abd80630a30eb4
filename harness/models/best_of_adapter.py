"""The adapter `best_of`: the best of n answers of one model of the suite by a reward model, as a model that writes.

    judge: {from: sft, train: {reward: {data: microworld}}}
    best:  {best_of: sft, reward: judge, n: 16}

What every method that learns from a reward has to beat: nothing is trained. It writes texts and no more.
"""

from __future__ import annotations

from pydantic import Field

from harness import strict_json
from harness.errors import UserError
from harness.models.adapter import Adapter, ModelSettings, Opening, Point
from harness.models.contract import ModelSource
from harness.models.digest import hash_of
from harness.models.resolved import Resolved
from harness.models.size import ModelSize
from harness.models.stage_checks import TRAINABLE, check_reward_model
from harness.strict_entry import PathText

KIND = "best_of"


class BestOfSettings(ModelSettings):
    """What an entry says under `best_of`."""

    reward: PathText
    """The reward model of this suite that says which answer is the best, by its name."""
    n: int = Field(16, ge=1, le=4096)
    """Answers to each prompt, of which the best is given: at most log n - (n - 1)/n nats of KL from the model."""
    sampled_at: float = Field(1.0, gt=0)
    """Temperature that they are drawn at, whatever temperature is asked for."""


def resolve(name: str, settings: BestOfSettings, point: Point) -> Resolved:
    """The model that writes and the one that judges, each of the suite. Raises UserError where one of them can't."""
    asked: list[tuple[str, Resolved]] = []
    for what, other in (("of", settings.model), ("reward", settings.reward)):
        place = f"models.{name}.{KIND if what == 'of' else what}"
        try:
            model = point.other(other)
            if what == "reward":
                check_reward_model(other, model, asked[0][1])
            elif model.source.kind not in TRAINABLE:
                raise UserError(f"{other} is a model of `{model.source.kind}`; give one that a stage could train")
        except UserError as error:
            raise UserError(error.message, place=error.place or place) from None
        asked.append((what, model))
    told = {what: model.source.path for what, model in asked} | {"n": settings.n, "sampled_at": settings.sampled_at}
    told["name"] = settings.model
    code = point.training_code(KIND)  # what it writes is alignment's, which the keys of other cells don't have
    digest = hash_of([KIND, code, settings.n, settings.sampled_at, [model.source.digest for _, model in asked]])
    path = asked[0][1].source.path
    return Resolved(ModelSource(name, KIND, path, digest, settings=strict_json.dumps(told)), asked=tuple(asked))


def _size(resolved: Resolved) -> ModelSize | None:
    from harness.models.registry import adapter_of  # which knows this one

    models = [adapter_of(model.source.kind).size(model) for _, model in resolved.asked]
    if any(size is None for size in models):
        return None
    total = sum(size.parameters for size in models if size is not None)
    return ModelSize(total, total)


BEST_OF = Adapter(
    name=KIND,
    of_suite=True,
    about="Of another model of the suite, by its name: the best of its `n` answers by the reward model `reward`.",
    settings=BestOfSettings,
    resolve=resolve,
    openings=(
        Opening(kind=KIND, module="harness.models.best_of", start=7.0, libraries=400e6, packages=("transformers",)),
    ),
    capabilities=frozenset({"generates"}),
    precisions=("fp32",),
    size=_size,
)
