"""Some optimizer steps of a training, for who times them: the same batches, from the same weights, every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from harness.models.encoded_corpus import encoded
from harness.models.training import Training

_TRAINING = TypeAdapter(Training)


def as_data(training: Training) -> dict[str, Any]:
    """A training as plain data."""
    data: dict[str, Any] = _TRAINING.dump_python(training, mode="json")
    return data


class TrainingSteps:
    """The beginning of a training of the reference: its first `steps`, by the trainer itself."""

    def __init__(self, told: Mapping[str, Any], steps: int, device: str) -> None:
        """told: see `as_data`. The texts are encoded here, which is cached."""
        training = _TRAINING.validate_python(dict(told))
        self._training, self._device = training, device
        self._tokenizer, self._train, validation, _ = encoded(training)
        settings = training.settings()
        sequence = settings.sequence or training.context
        # one window is validated at the end: the trainer wants one, and it should cost next to nothing
        self._validation = validation[: sequence + 1]
        self._settings = replace(settings, tokens=steps * settings.batch * sequence, validations=1)

    def fresh(self) -> Any:
        """A model with the weights that the training starts from."""
        import torch

        from reference_impl.model.gpt import GPT

        torch.manual_seed(self._training.seed)
        return GPT(self._training.config(self._tokenizer.size)).to(self._device)

    def __call__(self, model: Any) -> list[float]:
        """Train it; the mean loss of each step, in nats per token."""
        from reference_impl.training.pretraining import train

        result = train(model, self._train, self._validation, self._settings)
        return [float(point.loss) for point in result.curve]
