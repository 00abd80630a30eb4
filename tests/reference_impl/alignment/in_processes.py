"""What several processes learn, started by a launcher: `in_processes.py OUT [a planted defect]`. The first process
writes the weights of every algorithm to OUT."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import accelerate.utils
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reference_impl.alignment import processes
from reference_impl.alignment import sft as sft_module
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt
from reference_impl.alignment.dpo import dpo, reference_log_probs
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.policy_gradient import policy_gradient
from reference_impl.alignment.ppo import Critic, ppo
from reference_impl.alignment.reference_policy import FrozenCopy
from reference_impl.alignment.rejection_sampling import rejection_sampling
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_training import train_reward_models
from reference_impl.alignment.rollout import Rolled, draw
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.policy_gradient import named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.value_head import RewardHead, ValueHead
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT

EOS = 0
CONFIG = GPTConfig(vocabulary=11, context=24, layers=1, heads=2, width=16)
PROMPTS: list[Prompt] = [(1, 2), (3,), (4, 5, 6), (2, 2), (1, 2), (7, 8)]
"""One of them twice: its samples must not be drawn from the same random numbers."""
STEPPED: dict[str, Any] = {"learning_rate": 3e-2, "epsilon": 1e-2, "gradient_clip": 1e3}
"""Steps that feel the size of a gradient: Adam divides it out, and clipping too. And with Adam's own epsilon a weight
whose gradient is 0 but for rounding (the bias of keys) walks at full speed."""
ROLLED: dict[str, Any] = STEPPED | {"rollouts": 3, "prompts": 6, "samples": 2, "epochs": 2, "minibatches": 2}


def policy() -> GPTPolicy:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GPTPolicy(GPT(CONFIG).eval(), CONFIG.vocabulary)


def answers() -> list[Answered]:
    """Of very different lengths, so that a count of one process is not half of the whole."""
    lengths = [1, 9, 2, 8, 1, 7, 3, 9, 1, 1, 8, 2]
    return [
        Answered(PROMPTS[i % 4], (*((3 * i + j) % 10 + 1 for j in range(n - 1)), EOS), True)
        for i, n in enumerate(lengths)
    ]


def pairs() -> list[Pair]:
    return [
        Pair(one, Answered(one.prompt, (*one.response[:-1], 1 + i % 9, EOS), True)) for i, one in enumerate(answers())
    ]


def liked(answered: Sequence[Answered]) -> Tensor:
    return torch.tensor([sum(t % 2 for t in one.response) / len(one.response) for one in answered])


def sampler(learning: GPTPolicy) -> Callable[[Sequence[Prompt], int], Sequence[Rolled]]:
    return lambda prompts, number: draw(learning, prompts, max_new=6, eos=EOS, seed=3, step=number)


def learn_sft() -> list[nn.Module]:
    learning = policy()
    sft_module.sft(learning, answers(), SFTSettings(epochs=3, batch=8, micro_batches=2, **STEPPED))
    return [learning.module]


def learn_dpo() -> list[nn.Module]:
    learning = policy()
    known = reference_log_probs(learning, pairs(), 5)
    dpo(learning, known, pairs(), DPOSettings(epochs=3, batch=6, **STEPPED))
    return [learning.module]


def learn_reward() -> list[nn.Module]:
    model = RewardModel(policy(), RewardHead(CONFIG.width, 1))
    train_reward_models([model], pairs(), RewardSettings(epochs=3, batch=6, **STEPPED), references=answers())
    return [model.module]


def learn_ppo() -> list[nn.Module]:
    learning, head = policy(), ValueHead(CONFIG.width)
    settings = PPOSettings(**ROLLED, micro_batches=3)
    ppo(learning, FrozenCopy(learning), Critic(head), PROMPTS, sampler(learning), liked, settings)
    return [learning.module, head]


def learn_grpo() -> list[nn.Module]:
    learning = policy()
    settings = named("grpo", **{**ROLLED, "samples": 4})
    policy_gradient(learning, FrozenCopy(learning), PROMPTS, sampler(learning), liked, settings)
    return [learning.module]


def learn_rejection() -> list[nn.Module]:
    learning = policy()
    settings = RejectionSettings(rounds=3, n=4, batch=3, epochs=2, **STEPPED)
    rejection_sampling(learning, PROMPTS, sampler(learning), liked, settings)
    return [learning.module]


LEARNED = {
    "sft": learn_sft,
    "dpo": learn_dpo,
    "reward": learn_reward,
    "ppo": learn_ppo,
    "grpo": learn_grpo,
    "rejection": learn_rejection,
}


def learned() -> dict[str, Tensor]:
    """All weights by algorithm and name."""
    return {
        f"{algorithm}.{place}.{name}": tensor.detach().clone()
        for algorithm, learn in LEARNED.items()
        for place, module in enumerate(learn())
        for name, tensor in module.state_dict().items()
    }


def plant(defect: str) -> None:
    """One that the comparison must find."""
    if defect == "averaged":
        whole = accelerate.utils.reduce
        accelerate.utils.reduce = lambda tensor, how: whole(tensor, "mean")
    if defect == "own counts":
        of_all, share = sft_module.sft_gradients, processes.own_share

        def of_own(learning: Any, parts: Any) -> dict[str, Tensor]:
            own = [[part[place] for place in share(len(part))] for part in parts]
            processes.own_share = range
            try:
                return of_all(learning, own)
            finally:
                processes.own_share = share

        sft_module.sft_gradients = of_own  # type: ignore[assignment]


def main(out: str, defect: str = "") -> None:
    processes.start()
    assert processes.count() == 2
    plant(defect)
    found = learned()
    if processes.number() == 0:
        save_file(found, out)
    processes.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
