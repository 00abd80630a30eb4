"""Settings of PPO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from reference_impl.alignment.settings.learning import refuse_other_words
from reference_impl.alignment.settings.rollouts import RolloutSettings

Averaging = Literal["tokens", "responses", "sums", "longest"]
"""How tokens make a loss (`token_weights`)."""


CriticTrunk = Literal["shared", "own"]


@dataclass(frozen=True)
class PPOSettings(RolloutSettings):
    """PPO's own settings, after those that all algorithms with rollouts share. Defaults: lm-human-preferences, but that
    rewards aren't whitened: divided by what they scatter by, they are another objective in each rollout."""

    epochs: int = 4
    epsilon: float = 1e-5
    tensorflow_adam: bool = True
    """epsilon stands where TensorFlow's Adam has it (`set_tensorflow_epsilon`)."""
    kl_coefficient: float = 0.15
    """beta: nats of KL cost so much score. With a target it is where the coefficient begins."""
    kl_target: float | None = None
    """KL per response that an adaptive coefficient steers towards; None keeps it fixed."""
    kl_horizon: float = 10_000.0
    """Responses over which the adaptive coefficient changes by at most 20 %."""
    gamma: float = 1.0
    """Discount per token."""
    lam: float = 0.95
    """lambda of generalized advantage estimation: 1 trusts rewards alone, 0 the value of the next token."""
    whiten_rewards: bool = False
    """Rewards of tokens to standard deviation 1, their mean kept."""
    whiten_advantages: bool = True
    """Advantages of a rollout to mean 0 and standard deviation 1."""
    clip: float = 0.2
    """The ratio's gradient ends at 1 plus and minus it."""
    value_clip: float = 0.2
    """Values learn no further than this from what they were at the rollout."""
    value_coefficient: float = 0.1
    """Weight of the value loss."""
    critic: CriticTrunk = "shared"
    """Whether values are read from the policy's own states (one forward pass, one gradient), or from a trunk of their
    own, which begins as a copy."""
    averaging: Averaging = "tokens"
    """How tokens make a loss (`policy_loss.token_weights`); `sums` is the policy gradient itself."""

    at_least_zero: ClassVar[tuple[str, ...]] = (
        *RolloutSettings.at_least_zero, "kl_coefficient", "gamma", "lam", "value_coefficient"
    )  # fmt: skip
    above_zero: ClassVar[tuple[str, ...]] = (*RolloutSettings.above_zero, "kl_horizon", "clip", "value_clip")

    def __post_init__(self) -> None:
        """Refuse what is no PPO."""
        super().__post_init__()
        refuse_other_words(self, "averaging", get_args(Averaging))
        for name in ("gamma", "lam"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} must be at most 1, not {getattr(self, name)}.")
        if self.kl_target is not None and not self.kl_target > 0:
            raise ValueError(f"kl_target must be above 0 nats per response, not {self.kl_target}.")
        if self.averaging == "longest":
            raise ValueError("PPO doesn't know the longest response: average over tokens, responses or sums.")
