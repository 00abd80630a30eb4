"""What stands in the place of a model and reads in another way: called as the model is, under the model's own facts."""

from __future__ import annotations

from harness.models.contract import LanguageModel, ModelIdentity, Tokenizer


class StandIn:
    """The facts of the model that it stands for."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    @property
    def identity(self) -> ModelIdentity:
        """What it is."""
        return self._model.identity

    @property
    def config(self) -> ModelIdentity:
        """See `Logits.config`."""
        return self._model.identity

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return self._model.tokenizer
