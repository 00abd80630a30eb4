import pytest
import torch

from reference_impl.training import precision
from reference_impl.training.precision import autocast, training_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("parameters", "has_bf16", "expected"),
    [(9_999_999, True, "fp32"), (10_000_000, True, "bf16"), (10_000_000, False, "fp32")],
)
def test_auto_is_bf16_only_for_big_models_on_a_cpu_that_multiplies_it(
    monkeypatch, parameters: int, has_bf16: bool, expected: str
) -> None:
    monkeypatch.setattr(precision, "cpu_multiplies_bf16", lambda: has_bf16)
    assert training_precision("auto", CPU, parameters) == expected


def test_what_is_asked_for_is_done() -> None:
    assert training_precision("bf16", CPU, 1) == "bf16"
    assert training_precision("fp32", CPU, 10**9) == "fp32"


def test_autocast_multiplies_in_the_chosen_type() -> None:
    weights = torch.ones(2, 2)
    with autocast("bf16", CPU):
        assert (weights @ weights).dtype == torch.bfloat16
    with autocast("fp32", CPU):
        assert (weights @ weights).dtype == torch.float32
