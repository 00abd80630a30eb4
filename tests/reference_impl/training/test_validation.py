"""Validation: the mean over every token, with the model as it was before."""

import numpy as np
import pytest
import torch

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT, next_token_loss
from reference_impl.training.validation import validate

NOISE = np.random.default_rng(0).integers(16, size=500).astype(np.uint16)


def a_model(dropout: float = 0.0) -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=16, context=16, layers=1, heads=2, width=32, dropout=dropout))


def test_validation_is_the_mean_over_every_token() -> None:
    model = a_model()
    tokens = NOISE[:101]
    nats = 0.0
    for start in range(0, 100, 16):  # one window at a time, without padding
        window = torch.from_numpy(tokens[start : start + 17].astype(np.int64))[None]
        nats += next_token_loss(model(window[:, :-1]), window[:, 1:]).item() * (window.size(1) - 1)
    for batch in (1, 3, 50):
        validation = validate(model, tokens, batch=batch, sequence=16)
        assert validation.targets == 100
        assert validation.loss == pytest.approx(nats / 100, rel=1e-6)


def test_validation_leaves_dropout_out_and_the_mode_as_it_was() -> None:
    model = a_model(dropout=0.5).train()
    first = validate(model, NOISE, batch=4, sequence=16)
    assert model.training
    assert first == validate(model, NOISE, batch=4, sequence=16)
