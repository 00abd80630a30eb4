"""Published totals from their own assumptions, and claims beside them."""

from __future__ import annotations

import pytest

from harness.analysis.scaling.suite.training_budget import Claims, TrainingBudgetSettings, training_budget
from harness.results.finding import Finding


def by_name(**settings: object) -> dict[str, Finding]:
    asked = TrainingBudgetSettings.model_validate({"training": "it", "parameters": 174.6e9, "tokens": 300e9} | settings)
    return {item.name: item for item in training_budget(asked)}


def test_gpt3_s_flops() -> None:
    """3.14e23, Brown et al. 2020, table D.1."""
    assert by_name()["flops"].value == pytest.approx(3.14e23, rel=0.002)
    assert by_name()["flops"].interval == "exact"


def test_days_on_1024_gpus() -> None:
    """34 days: Narayanan et al. 2021, 8 N D at 140 TFLOP/s on 1024 A100s."""
    found = by_name(flops_per_parameter_and_token=8, gpus=1024, gpu_flops=140e12)
    assert found["days"].value == pytest.approx(34, abs=0.5)


def test_lambda_s_price() -> None:
    """355 years of a V100 and 4.6 million dollars."""
    found = by_name(gpu_flops=28e12, price_per_gpu_hour=1.5, claims=Claims(cost=4.6e6, gpu_years=355))
    assert found["gpu_years"].value == pytest.approx(355, abs=2)
    assert found["cost"].value == pytest.approx(4.6e6, rel=0.03)
    assert found["cost_claim"].value == pytest.approx(1, abs=0.03)
    assert "claimed: 4.6e+06" in found["cost"].note


def test_what_lacks_an_assumption_is_not_computed() -> None:
    assert set(by_name()) == {"flops", "weight_bytes"}
    assert "days" not in by_name(gpu_flops=1e12)


def test_text_and_reading() -> None:
    found = by_name(bytes_per_token=4, tokens_per_word=1.25, words_per_year=1e6, gpu_bytes=80e9)
    assert found["text_bytes"].value == pytest.approx(1.2e12)
    assert found["reading_years"].value == pytest.approx(240_000)
    assert found["gpus_to_hold"].value == 9
