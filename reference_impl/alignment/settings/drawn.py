"""Settings of pairs that a model draws and something scores, in the place of pairs from data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from reference_impl.alignment.settings.learning import refuse_other_words

DrawnLabels = Literal["bernoulli", "bradley_terry", "certain"]
"""What is said of two scores."""


@dataclass(frozen=True)
class DrawnPairSettings:
    """Both responses of a pair are drawn from one model; the data give the prompts alone."""

    reward: str
    """What scores them: a reward model, or a name of `SCORERS`."""
    model: str | None = None
    """Which model draws them; left out, the one that the stage starts from."""
    pairs: int = 512
    """How many are learned from. Pairs of equal scores are left out, counted, and others drawn in their place."""
    labels: DrawnLabels = "bernoulli"
    """bernoulli: which one wins is drawn, with the probability sigmoid(difference of scores). bradley_terry: that
    probability itself is the label. certain: the higher score wins."""
    flipped: float = 0.0
    """Share of the pairs in which winner and loser are exchanged afterwards; 0.5 leaves no meaning to labels."""
    temperature: float = 1.0
    """What responses are drawn at."""
    seed: int = 0
    """Of the prompts, the draws and the labels."""

    def __post_init__(self) -> None:
        """Refuse what gives no pairs."""
        refuse_other_words(self, "labels", get_args(DrawnLabels))
        if self.pairs < 1:
            raise ValueError(f"pairs must be at least 1, not {self.pairs}.")
        if not 0 <= self.flipped <= 1:
            raise ValueError(f"flipped must be a share, 0 to 1, not {self.flipped}.")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}.")
        if not self.reward:
            raise ValueError("reward is empty: name what scores the responses.")
