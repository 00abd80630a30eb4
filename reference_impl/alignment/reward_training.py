"""Training reward models on pairs: Bradley-Terry with margins and ties, several seeds in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.answered_tensors import digest
from reference_impl.alignment.calibration import Calibration, accuracy, calibration
from reference_impl.alignment.data.batches import Order
from reference_impl.alignment.learning_from_examples import learn_from_examples
from reference_impl.alignment.learning_settings import stepping
from reference_impl.alignment.pair import Pair, not_identical
from reference_impl.alignment.preference_losses import reward_loss
from reference_impl.alignment.reward_ensemble import RewardEnsemble, combined
from reference_impl.alignment.reward_model import RewardModel, normalize
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving


@dataclass(frozen=True)
class Trained:
    """What a reward model is worth on held-out pairs."""

    accuracy: float
    """Share of the pairs whose chosen response has the higher reward; an equal one is half. Ties are left out."""
    calibration: Calibration
    """By clusters of equal prompts."""


def train_reward_models(
    models: Sequence[RewardModel],
    pairs: Sequence[Pair],
    settings: RewardSettings,
    *,
    references: Sequence[Answered] = (),
    validation: Sequence[Pair] = (),
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains all models in place, each with an order of its own, and returns the reports: means and each model's.

    models: one for each seed, whose trunks don't share weights (`RewardHead(width, seed)`). references: responses
    of the reference policy, on which scores get mean 0 and standard deviation 1 before and after. Pairs of identical
    responses are left out and counted. No dropout acts.
    """
    places, identical = not_identical(pairs)
    kept = [pairs[place] for place in places]
    modules = {f"reward_{seed}": model.module.eval() for seed, model in enumerate(models)}
    _refuse_shared(modules)
    if references and not resume:
        for model in models:
            normalize(model, references)
            model.head.log_odds.fill_(1.0)  # what is trained is the normalized score
    steps = settings.steps(len(kept))
    state = TrainingState(modules, {name: stepping([module], settings, steps) for name, module in modules.items()})

    def objective(first: Sequence[int]) -> dict[str, Tensor]:
        found = []
        for seed, model in enumerate(models):
            indices = first
            if seed:
                indices = Order(len(kept), settings.batch, settings.seed + 7919 * seed).places(state.step)
            parts = [[kept[i] for i in part] for part in settings.parts(indices)]
            found.append(reward_gradients(model, parts, settings))
        values = {name: torch.stack([one[name] for one in found]).mean() for name in found[0]}
        if len(models) > 1:
            values |= {f"{name}_{seed}": one[name] for seed, one in enumerate(found) for name in ("loss", "accuracy")}
        return values | {"identical": torch.full_like(values["loss"], identical)}

    def evaluate() -> Mapping[str, float]:
        if not validation:
            return {}
        found = [judged(model, validation, settings.batch) for model in models]
        values = {
            "validation_accuracy": sum(one.accuracy for one in found) / len(found),
            "validation_calibration_error": sum(one.calibration.error for one in found) / len(found),
        }
        return values | (of_ensemble(models, validation, settings) if len(models) > 1 else {})

    reports = learn_from_examples(
        objective,
        state,
        settings,
        algorithm="reward",
        examples=len(kept),
        digests={"pairs": digest(kept), "references": digest(references)},
        evaluate=evaluate,
        on_report=on_report,
        saving=saving,
        resume=resume,
    )
    if references:
        for model in models:
            normalize(model, references)
    return reports


def reward_gradients(
    model: RewardModel, parts: Sequence[Sequence[Pair]], settings: RewardSettings
) -> dict[str, Tensor]:
    """Adds the gradient of the mean over all pairs of all micro-batches; returns what is recorded of them."""
    count = sum(len(part) for part in parts)
    recorded: dict[str, Tensor] = {}
    for whole in parts:
        part = [whole[place] for place in processes.own_share(len(whole))]
        scores = model.scores([item for pair in part for item in (pair.chosen, pair.rejected)]).view(-1, 2)
        chosen, rejected = scores.unbind(1)
        losses = reward_loss(
            chosen,
            rejected,
            probability=torch.tensor([pair.label for pair in part]).to(chosen),
            margin=torch.tensor([pair.margin or 0.0 for pair in part]).to(chosen),
            ties=torch.tensor([pair.label == 0.5 for pair in part], device=chosen.device),
            tie_threshold=settings.tie_threshold,
        )
        loss = (losses + settings.center * scores.sum(1).square()).sum() / count
        loss.backward()  # type: ignore[no-untyped-call]
        margin = (chosen - rejected).detach()
        found = {
            "loss": loss.detach(),
            "accuracy": torch.where(margin == 0, 0.5, (margin > 0).float()).sum() / count,
            "margin": margin.sum() / count,
            "reward": scores.detach().sum() / (2 * count),
        }
        recorded = {name: value + recorded.get(name, 0.0) for name, value in found.items()}
    return processes.add_up([model.module], recorded)


def judged(model: RewardModel, pairs: Sequence[Pair], batch: int = 16) -> Trained:
    """Accuracy and calibration on pairs that it didn't learn from; ties and identical responses are left out."""
    told = [pairs[place] for place in not_identical(pairs).places if pairs[place].label != 0.5]
    if not told:
        raise ValueError("all pairs to judge by are ties: give one at least that has a winner.")
    scores = model.raw_scores([item for pair in told for item in (pair.chosen, pair.rejected)], batch).view(-1, 2)
    differences = (scores[:, 0] - scores[:, 1]) * model.head.log_odds
    probabilities = torch.tensor([pair.label for pair in told], dtype=torch.float64)
    clusters = [pair.chosen.prompt for pair in told]
    return Trained(
        accuracy(differences, probabilities.to(differences)),
        calibration(differences, clusters, probabilities=probabilities),
    )


@torch.no_grad()
def of_ensemble(models: Sequence[RewardModel], pairs: Sequence[Pair], settings: RewardSettings) -> dict[str, float]:
    """What several models together are worth: accuracy of their combined scores, and how far they differ: the standard
    deviation of a response's scores over models, averaged over responses."""
    told = [pairs[place] for place in not_identical(pairs).places if pairs[place].label != 0.5]
    items = [item for pair in told for item in (pair.chosen, pair.rejected)]
    each = RewardEnsemble(tuple(models), settings.combine).each(items, settings.batch)
    both = combined(each, settings.combine).view(-1, 2)
    labels = torch.tensor([pair.label for pair in told]).to(both)
    return {
        "validation_ensemble_accuracy": accuracy(both[:, 0] - both[:, 1], labels),
        "validation_spread": float(each.std(0).mean()),
    }


def _refuse_shared(modules: Mapping[str, torch.nn.Module]) -> None:
    """Two seeds on one trunk would train it twice and say they are independent."""
    seen: dict[int, str] = {}
    for name, module in modules.items():
        for parameter in module.parameters():
            if parameter.requires_grad and seen.setdefault(id(parameter), name) != name:
                raise ValueError(
                    f"{seen[id(parameter)]} and {name} share weights that learn: give every seed a copy of the trunk."
                )
