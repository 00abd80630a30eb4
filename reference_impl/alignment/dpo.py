"""Direct preference optimization: DPO, IPO in its two forms, and SimPO, from pairs of responses.

DPO's reward of a response is beta (log policy - log reference) of its *sum* over tokens, so that with labels drawn by
Bradley-Terry from rewards r the optimum is reference * exp(r / beta) / Z, which RLHF's is (Rafailov et al. 2023).
Labels that always name the same winner have no optimum: the difference grows as long as it is trained, whatever beta.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered_tensors import digest
from reference_impl.alignment.learning_from_examples import learn_from_examples
from reference_impl.alignment.learning_settings import stepping
from reference_impl.alignment.pair import Pair, not_identical
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.preference_losses import dpo_loss, implied_reward, ipo_loss, simpo_loss
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.token_log_probs import per_response, token_log_probs
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving


class ReferenceLogProbs(NamedTuple):
    """What the reference makes of pairs, computed once: the reference need not stay in memory."""

    chosen: Tensor
    """(pairs,) sums over each response, nats."""
    rejected: Tensor


@torch.no_grad()
def reference_log_probs(reference: Policy, pairs: Sequence[Pair], batch: int = 16) -> ReferenceLogProbs:
    """Log-probabilities of both responses of every pair under the reference, in evaluation mode."""
    reference.module.eval()
    batches = [pairs[start : start + batch] for start in range(0, len(pairs), batch)]
    found = processes.in_order(lambda one: pair_log_probs(reference, one)[:2], batches)
    return ReferenceLogProbs(*(torch.cat(column) for column in zip(*found, strict=True)))


class PairLogProbs(NamedTuple):
    """Of a policy, with gradients: (pairs,) each."""

    chosen: Tensor
    """Sums over each response, nats."""
    rejected: Tensor
    chosen_lengths: Tensor
    """Tokens."""
    rejected_lengths: Tensor


def pair_log_probs(policy: Policy, pairs: Sequence[Pair]) -> PairLogProbs:
    """Chosen and rejected of one prompt side by side, so that a policy may read their prompt once."""
    scored = token_log_probs(policy, [item for pair in pairs for item in (pair.chosen, pair.rejected)])
    sums = per_response(scored.log_probs, scored.lengths).view(-1, 2)
    lengths = torch.tensor(scored.lengths, device=sums.device).view(-1, 2)
    return PairLogProbs(sums[:, 0], sums[:, 1], lengths[:, 0], lengths[:, 1])


def dpo(
    policy: Policy,
    reference: ReferenceLogProbs | None,
    pairs: Sequence[Pair],
    settings: DPOSettings,
    *,
    validation: Sequence[Pair] = (),
    validation_reference: ReferenceLogProbs | None = None,
    evaluations: int = 1,
    before_step: Callable[[int], None] = lambda step: None,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains the policy in place, in evaluation mode (no dropout), and returns the reports.

    reference: `reference_log_probs` of the same pairs; None for SimPO, which has none. Pairs may be of any origin;
    the KL of a policy is `implied_kl` only where it wrote the pairs itself (on-policy).
    Pairs of identical responses are left out and counted (`identical` in every report). before_step: hears how many
    steps are done.
    """
    places, identical = not_identical(pairs)
    kept = [pairs[place] for place in places]
    _refuse_other_references(settings, reference, pairs)
    _refuse_other_references(settings, validation_reference, validation)
    reference = _of(reference, places)
    batches = [range(at, min(at + settings.batch, len(validation))) for at in range(0, len(validation), settings.batch)]
    held_out = [([validation[i] for i in batch], _of(validation_reference, batch)) for batch in batches]
    policy.module.eval()
    state = TrainingState(
        {"policy": policy.module}, {"policy": stepping([policy.module], settings, settings.steps(len(kept)))}
    )

    def objective(indices: Sequence[int]) -> dict[str, Tensor]:
        parts = [([kept[i] for i in part], _of(reference, part)) for part in settings.parts(indices)]
        found = dpo_gradients(policy, parts, settings)
        return found | {"identical": torch.full_like(found["loss"], identical)}

    def evaluate() -> Mapping[str, float]:
        if not validation:
            return {}
        with torch.no_grad():
            found = _gathered(policy, held_out, settings, backward=False)
        return {f"validation_{name}": float(value) for name, value in found.items()}

    return learn_from_examples(
        objective,
        state,
        settings,
        algorithm="dpo",
        examples=len(kept),
        digests={
            "pairs": digest(kept),
            "reference": digest([] if reference is None else [x.tolist() for x in reference]),
        },
        evaluate=evaluate,
        evaluations=evaluations,
        before_step=before_step,
        on_report=on_report,
        saving=saving,
        resume=resume,
    )


def _of(reference: ReferenceLogProbs | None, places: Sequence[int]) -> ReferenceLogProbs | None:
    """Those of some pairs."""
    return None if reference is None else ReferenceLogProbs(*(column[list(places)] for column in reference))


def _refuse_other_references(settings: DPOSettings, reference: ReferenceLogProbs | None, pairs: Sequence[Pair]) -> None:
    if pairs and reference is None and settings.variant != "simpo":
        raise ValueError(f"{settings.variant} needs reference_log_probs of the pairs, and of those to validate on.")
    if reference is not None and settings.variant == "simpo":
        raise ValueError("simpo has no reference: leave it out.")
    if reference is not None and not len(reference.chosen) == len(reference.rejected) == len(pairs):
        raise ValueError(f"reference log-probabilities of {len(reference.chosen)} pairs, but {len(pairs)} pairs.")


Part = tuple[Sequence[Pair], ReferenceLogProbs | None]


def dpo_gradients(policy: Policy, parts: Sequence[Part], settings: DPOSettings) -> dict[str, Tensor]:
    """Adds the gradient of the mean over all pairs of all micro-batches; returns what is recorded of them."""
    return processes.add_up([policy.module], _gathered(policy, parts, settings, backward=True))


def _gathered(policy: Policy, parts: Sequence[Part], settings: DPOSettings, *, backward: bool) -> dict[str, Tensor]:
    """backward: of this process's share alone, and its gradients; otherwise all that is recorded."""
    count = sum(len(pairs) for pairs, _ in parts)
    recorded: dict[str, Tensor] = {}
    for pairs, reference in parts:
        if backward:
            own = processes.own_share(len(pairs))
            pairs, reference = [pairs[place] for place in own], _of(reference, own)
        found = _of_pairs(pair_log_probs(policy, pairs), reference, pairs, settings)
        if backward:
            (found["loss"].sum() / count).backward()  # type: ignore[no-untyped-call]
        for name, value in found.items():
            recorded[name] = value.detach().float().sum() / count + recorded.get(name, 0.0)
    return recorded


def _of_pairs(
    log_probs: PairLogProbs, reference: ReferenceLogProbs | None, pairs: Sequence[Pair], settings: DPOSettings
) -> dict[str, Tensor]:
    """Of every pair: loss (with gradients) and what is recorded."""
    chosen, rejected, chosen_lengths, rejected_lengths = log_probs
    told = torch.tensor([pair.label for pair in pairs]).to(chosen)
    probability = told * (1 - settings.label_smoothing) + (1 - told) * settings.label_smoothing
    if settings.variant == "simpo":
        means = chosen / chosen_lengths, rejected / rejected_lengths
        loss = simpo_loss(means[0] - means[1], settings.beta, settings.simpo_margin, probability)
        rewards = settings.beta * means[0], settings.beta * means[1]
        ratios = None
    else:
        assert reference is not None
        ratios = chosen - reference.chosen, rejected - reference.rejected
        rewards = tuple(implied_reward(a, b, settings.beta) for a, b in zip((chosen, rejected), reference, strict=True))  # type: ignore[assignment]
        if settings.variant == "ipo_mean":
            ratios = ratios[0] / chosen_lengths, ratios[1] / rejected_lengths
        price = dpo_loss if settings.variant == "dpo" else ipo_loss
        loss = price(ratios[0] - ratios[1], settings.beta, probability)
    margin = (rewards[0] - rewards[1]).detach()
    found = {
        "loss": loss,
        "chosen_log_prob": chosen,
        "rejected_log_prob": rejected,
        "chosen_reward": rewards[0],
        "rejected_reward": rewards[1],
        "margin": margin,
        "accuracy": torch.where(margin == 0, 0.5, (margin > 0).float()),
    }
    if reference is not None:
        # Of the data's responses: KL(policy || reference) only where the policy itself wrote them (on-policy pairs).
        found["implied_kl"] = 0.5 * (chosen - reference.chosen + rejected - reference.rejected)
    return found
