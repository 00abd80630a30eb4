"""What the cache saves: positions exactly, seconds, and a cache that is wrong is seen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Unsupported, UserError
from harness.measures.kv_cache import (
    KV_CACHE,
    KVCacheSettings,
    collect,
    positions_with_cache,
    positions_without_cache,
    summarize,
)
from harness.measures.measure import Facts
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    folder: Path = request.getfixturevalue(f"{request.param}_folder")
    return open_model(ModelSource("m", "transformers", str(folder), "d"))


def by_name(rows: Any, model: LanguageModel, **given: Any) -> dict[str, Measurement]:
    return {m.metric.name: m for m in summarize(pd.DataFrame(rows), KVCacheSettings(**given), Facts(model.identity))}


@given(st.integers(1, 300))
def test_positions_are_the_sum_over_the_passes(tokens: int) -> None:
    assert positions_without_cache(tokens) == sum(range(1, tokens + 1))
    assert positions_with_cache(tokens) == sum(1 for _ in range(tokens))


def test_the_guides_thousand_tokens() -> None:
    assert (positions_with_cache(1000), positions_without_cache(1000)) == (1000, 500_500)


def test_what_went_through_the_model_is_what_the_formulas_say(model: LanguageModel) -> None:
    rows = collect(lambda: model, KVCacheSettings(generate=20, iterations=2))
    assert 1.5e9 < rows[0]["time"] <= rows[1]["time"], "when each iteration began"
    found = by_name(rows, model)
    assert found["positions_cached"].value == positions_with_cache(20)
    assert found["positions_uncached"].value == positions_without_cache(20)
    assert 0 <= found["cache_error"].value < 1e-4
    assert set(found) == {metric.name for metric in KV_CACHE.metrics}


def test_the_whole_context_may_be_generated_and_no_more(model: LanguageModel) -> None:
    context = model.identity.context
    assert len(collect(lambda: model, KVCacheSettings(generate=context, iterations=1))) == 1
    with pytest.raises(Unsupported, match=f"{context + 1} tokens from one start token do not fit"):
        collect(lambda: model, KVCacheSettings(generate=context + 1))


class Bad:
    """The model with another forward pass."""

    def __init__(self, model: LanguageModel, forward: Any) -> None:
        self._model, self.forward = model, forward

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def test_known_bad_a_cache_whose_positions_are_off_by_one(model: LanguageModel) -> None:
    import torch

    def late(tokens: Any, cache: Any = None, positions: Any = None, *rest: Any, **given: Any) -> Any:
        if cache is not None and cache.length:
            positions = torch.full_like(tokens, cache.length - 1)  # one too few
            if tokens.shape[1] > 1:
                positions = positions + torch.arange(tokens.shape[1])
        return model.forward(tokens, cache, positions, *rest, **given)

    sound, bad = (
        by_name(collect(lambda m=m: m, KVCacheSettings(generate=20, iterations=1)), model)["cache_error"].value
        for m in (model, Bad(model, late))
    )
    assert sound < 1e-4
    assert bad > 1e-2


def test_intervals_by_hand() -> None:
    class Nobody:
        identity: Any = None

    rows = [
        {"iteration": i, "error": e, "seconds_cached": 1.0, "seconds_uncached": math.exp(i), "launch": i}
        | {"positions_cached": 3, "positions_uncached": 6}
        for i, e in enumerate((0.1, 0.3, 0.2))
    ]
    found = by_name(rows, Nobody())  # type: ignore[arg-type]
    speedup = found["cache_speedup"]
    assert speedup.value == pytest.approx(math.e)
    assert speedup.high == pytest.approx(math.exp(1 + 4.302653 / math.sqrt(3)), rel=1e-6)
    assert (speedup.n, speedup.n_unit) == (3, "launches")
    assert found["cache_error"].value == 0.3
    assert by_name([rows[0]], Nobody())["cache_speedup"].interval == "none: one of iterations"  # type: ignore[arg-type]


def test_not_a_number_is_an_error(model: LanguageModel) -> None:
    def broken(*given: Any, **named: Any) -> Any:
        return model.forward(*given, **named) * math.nan

    with pytest.raises(UserError, match="not numbers"):
        collect(lambda: Bad(model, broken), KVCacheSettings(generate=4))  # type: ignore[arg-type, return-value]
