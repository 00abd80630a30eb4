"""Settings of DPO and its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from reference_impl.alignment.settings.examples import ExampleSettings
from reference_impl.alignment.settings.learning import refuse_other_words

Variant = Literal["dpo", "ipo", "ipo_mean", "simpo"]


@dataclass(frozen=True)
class DPOSettings(ExampleSettings):
    """Settings beyond those of every algorithm that learns from examples."""

    variant: Variant = "dpo"
    """ipo: Azar et al. 2023 as in the paper, by sums over tokens. ipo_mean: TRL's, by means over tokens (trl#1265).
    simpo: by means over tokens, without a reference."""
    beta: float = 0.1
    """DPO: what the log-ratio is multiplied by. IPO: its tau. SimPO: what the difference of means is multiplied by
    (2 to 10 there)."""
    label_smoothing: float = 0.0
    """So often a label is taken to be wrong (cDPO)."""
    simpo_margin: float = 0.5
    """gamma of SimPO."""

    above_zero: ClassVar[tuple[str, ...]] = (*ExampleSettings.above_zero, "beta")

    def __post_init__(self) -> None:
        """Refuse what no preference can be learned with."""
        super().__post_init__()
        refuse_other_words(self, "variant", get_args(Variant))
        if not 0 <= self.label_smoothing <= 0.5:
            raise ValueError(f"label_smoothing must be 0 to 0.5, not {self.label_smoothing}.")
