from typing import Any

import pytest

from reference_impl.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tokens": 0}, "tokens must be at least 1"),
        ({"batch": 8, "accumulation": 3}, "can't be cut into 3 equal micro-batches"),
        ({"sequence": 0}, "sequence must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"schedule": "sine"}, "schedule must be one of constant, linear, cosine, wsd, not 'sine'"),
        ({"optimizer": "adam"}, "optimizer must be one of adamw, sgd, not 'adam'"),
        ({"decay": 0.0}, "decay must be above 0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"epsilon": 0.0}, "epsilon must be above 0"),
        ({"blow_up": 1.0}, "blow_up must be above 1"),
        ({"gradient_clip": 0.0}, "gradient_clip must be above 0"),
        ({"warmup": 1.5}, "warmup must be between 0 and 1"),
        ({"betas": (0.9, 1.0)}, "betas must be at least 0 and below 1"),
        ({"validations": 0}, "validations must be at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**wrong)
