"""Supervised fine-tuning: the mean negative log-likelihood of response tokens, prompts only being read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from reference_impl.alignment import processes
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.answered_tensors import digest
from reference_impl.alignment.learning_from_examples import learn_from_examples
from reference_impl.alignment.learning_settings import stepping
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.training.state import Report, TrainingState
from reference_impl.training.state_file import Saving


def sft(
    policy: Policy,
    demonstrations: Sequence[Answered],
    settings: SFTSettings,
    *,
    validation: Sequence[Answered] = (),
    evaluations: int = 1,
    on_report: Callable[[Report], None] = lambda report: None,
    saving: Saving | None = None,
    resume: bool = False,
) -> tuple[Report, ...]:
    """Trains the policy in place and returns the reports; `validation_loss` is in those where it was evaluated.

    Policies of ours stay in evaluation mode, without dropout (`GPTPolicy`). Loss: nats per response token,
    the mean over all of a step's tokens.
    """
    if not demonstrations:
        raise ValueError("there are no demonstrations to learn from: give one at least.")
    state = TrainingState(
        {"policy": policy.module},
        {"policy": stepping([policy.module], settings, settings.steps(len(demonstrations)))},
    )
    policy.module.train()

    def objective(indices: Sequence[int]) -> dict[str, Tensor]:
        parts = [[demonstrations[index] for index in part] for part in settings.parts(indices)]
        return sft_gradients(policy, parts)

    def evaluate() -> Mapping[str, float]:
        if not validation:
            return {}
        policy.module.eval()
        found = response_loss(policy, validation, settings.batch)
        policy.module.train()
        return {"validation_loss": found}

    try:
        return learn_from_examples(
            objective,
            state,
            settings,
            algorithm="sft",
            examples=len(demonstrations),
            digests={"demonstrations": digest(demonstrations)},
            evaluate=evaluate,
            evaluations=evaluations,
            on_report=on_report,
            saving=saving,
            resume=resume,
        )
    finally:
        policy.module.eval()


def sft_gradients(policy: Policy, parts: Sequence[Sequence[Answered]]) -> dict[str, Tensor]:
    """Adds the gradient of the mean over all response tokens of all micro-batches, and returns that loss."""
    count = sum(len(item.response) for part in parts for item in part)
    losses = []
    for part in parts:
        own = [part[place] for place in processes.own_share(len(part))]
        loss = -token_log_probs(policy, own).log_probs.sum() / count
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    total = processes.add_up([policy.module], {"loss": torch.stack(losses).sum()})["loss"]
    return {"loss": total, "tokens": torch.full_like(total, count)}


@torch.no_grad()
def response_loss(policy: Policy, answered: Sequence[Answered], batch: int = 16) -> float:
    """Mean negative log-likelihood of all response tokens, nats per token."""
    batches = [answered[start : start + batch] for start in range(0, len(answered), batch)]
    losses = processes.in_order(lambda one: -float(token_log_probs(policy, one).log_probs.double().sum()), batches)
    return sum(losses) / sum(len(item.response) for item in answered)
