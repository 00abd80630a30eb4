"""A stage of alignment, as a suite writes it: `sft: {data: microworld, epochs: 2}`."""

from __future__ import annotations

from harness.models.alignment import Alignment
from harness.models.training_entry import Train
from harness.strict_entry import Strict

METHODS = ("pretrain",)


class Aligning(Strict):
    """A stage under the name of its method."""

    pretrain: Train | None = None
    """Pretraining: what stands here may stand in the stage itself."""

    @property
    def asked(self) -> dict[str, str]:
        """Models of the suite that are asked, by what they are asked for."""
        return {}

    def alignment(self, seed: int | None) -> Alignment:
        """The stage as data."""
        raise NotImplementedError
