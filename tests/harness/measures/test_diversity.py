"""Diversity: by hand, at the known values of a uniform model, and what a model that repeats one token must show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from harness import corpora
from harness.errors import Unsupported, UserError
from harness.measures.diversity import (
    DIVERSITY,
    DiversitySettings,
    collect,
    distinct_ngrams,
    repeated_share,
    summarize,
)
from harness.measures.measure import Facts
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement

DOCUMENTS = [f"the cat no. {n} sat on mat {n * n} and the dog ran to barn {n % 7}" for n in range(40)] + ["a", ""]


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("m", "transformers", str(llama_folder), "d"))


@pytest.fixture(autouse=True)
def text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "documents", lambda spec: iter(DOCUMENTS))


def settings(**given: Any) -> DiversitySettings:
    return DiversitySettings(**({"text": "fixture", "prompt": 4, "generate": 24, "stop_at_end": False} | given))


class Says:
    """The model with these logits at every position."""

    def __init__(self, model: LanguageModel, logits: Any) -> None:
        self._model, self._logits = model, logits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, tokens: Any, cache: Any = None, *rest: Any, **named: Any) -> Any:
        logits = self._model.forward(tokens, cache, *rest, **named)  # keeps the cache as it should be
        return self._logits.expand(logits.shape)


def measured(model: Any, chosen: DiversitySettings) -> dict[str, Measurement]:
    rows = pd.DataFrame(collect(lambda: model, chosen))
    return {m.metric.name: m for m in summarize(rows, chosen, Facts(model.identity))}


def test_a_uniform_model_is_at_the_known_values(model: LanguageModel) -> None:
    """The control. Entropy is ln V; of N draws from K kinds, K (1 - (1 - 1/K)^N) are different on average."""
    import torch

    size = model.identity.vocabulary
    found = measured(Says(model, torch.zeros(size)), settings())
    for name in ("entropy", "drawn_entropy"):
        assert found[name].value == pytest.approx(math.log(size))
    assert found["mean_log_prob"].value == pytest.approx(-math.log(size), rel=1e-5)
    draws = 40 * 24
    expected = size * (1 - (1 - 1 / size) ** draws) / draws
    assert found["distinct_1"].value == pytest.approx(expected, abs=0.02)
    assert found["distinct_1"].low is not None and found["distinct_1"].high is not None
    assert found["distinct_1"].low < expected < found["distinct_1"].high
    assert found["distinct_3"].value > 0.999
    assert found["repetition"].value == 0
    assert found["continuation_tokens"].value == 24


def test_known_bad_a_model_that_repeats_one_token(model: LanguageModel) -> None:
    import torch

    logits = torch.zeros(model.identity.vocabulary)
    logits[7] = 50
    found = measured(Says(model, logits), settings())
    assert found["repetition"].value == pytest.approx(1 - 1 / 21), "one 4-gram of 21"
    assert found["distinct_1"].value == pytest.approx(1 / (40 * 24))
    assert found["drawn_entropy"].value < 1e-9


def test_greedy_is_sure_and_temperature_raises_entropy(model: LanguageModel) -> None:
    drawn = [measured(model, settings(temperature=t))["drawn_entropy"].value for t in (0.0, 0.5, 1.0, 2.0)]
    assert drawn[0] == 0
    assert drawn == sorted(drawn) and len(set(drawn)) == 4
    cut = measured(model, settings(top_p=0.5))
    assert cut["drawn_entropy"].value < 0.8 * cut["entropy"].value


def test_repeated_share_by_hand() -> None:
    assert repeated_share([1, 2, 1, 2, 1, 2], 2) == pytest.approx(1 - 2 / 5)  # 12 21 12 21 12
    assert repeated_share([1, 2, 3], 2) == 0
    assert repeated_share([1, 2, 3], 4) is None


def test_distinct_ngrams_by_hand() -> None:
    found = distinct_ngrams([[1, 2, 3], [1, 2], [4]], 1)
    assert found is not None and found.value == pytest.approx(4 / 6)
    # left out in turn: {1,2,4} of 3, {1,2,3,4} of 4, {1,2,3} of 5
    without = np.array([1.0, 1.0, 0.6])
    half = 4.302653 * math.sqrt(2 / 3 * np.sum((without - without.mean()) ** 2))
    assert found.high == pytest.approx(4 / 6 + half)
    assert distinct_ngrams([[1], [2]], 2) is None
    only = distinct_ngrams([[1, 2, 1], [3]], 2)
    assert only is not None and (only.value, only.low) == (1.0, None), "one continuation has all the bigrams"


def test_documents_are_the_unit_and_short_ones_are_left_out(model: LanguageModel) -> None:
    rows = collect(lambda: model, settings(documents=None))
    assert [row["document"] for row in rows] == list(range(40)), "not 'a' and not ''"
    found = measured(model, settings(documents=10))
    assert all(m.n == 10 and m.n_unit == "documents" for m in found.values())
    assert measured(model, settings(documents=1))["entropy"].interval == "none: one document"


def test_a_seed_is_another_draw_and_the_same_seed_the_same(model: LanguageModel) -> None:
    def tokens(**given: Any) -> list[list[int]]:
        return [row["tokens"] for row in collect(lambda: model, settings(documents=6, **given))]

    assert tokens() == tokens() != tokens(sampling_seed=1)
    assert len({str(t) for t in tokens()}) == 6
    assert tokens()[0] == next(row["tokens"] for row in collect(lambda: model, settings(documents=1)))


def test_samples_survive_parquet(model: LanguageModel, tmp_path: Path) -> None:
    chosen = settings(documents=5)
    rows = pd.DataFrame(collect(lambda: model, chosen))
    rows.to_parquet(tmp_path / "samples.parquet")
    again = pd.read_parquet(tmp_path / "samples.parquet")
    assert summarize(again, chosen, Facts(model.identity)) == summarize(rows, chosen, Facts(model.identity))


def test_the_measure_declares_what_it_gives(model: LanguageModel) -> None:
    assert set(measured(model, settings(documents=4))) == {metric.name for metric in DIVERSITY.metrics}
    assert DIVERSITY.texts(settings()) == ("fixture",)


@pytest.mark.parametrize(
    "bad", [{"temperature": -1}, {"temperature": math.inf}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": 0}, {"min_p": 2}]
)
def test_impossible_settings_are_refused_with_the_suite(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        settings(**bad)


def test_what_does_not_fit_is_told(model: LanguageModel) -> None:
    with pytest.raises(Unsupported, match="prompt \\+ generate = 104 tokens do not fit in this model's context of 64"):
        collect(lambda: model, settings(generate=100))
    with pytest.raises(UserError, match="no document of fixture has 60 tokens"):
        collect(lambda: model, settings(prompt=60, generate=2))


def test_not_a_number_is_an_error(model: LanguageModel) -> None:
    import torch

    with pytest.raises(UserError, match="logits are not numbers"):
        collect(lambda: Says(model, torch.tensor(math.nan)), settings(documents=2))  # type: ignore[arg-type, return-value]
