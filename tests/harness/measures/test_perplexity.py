"""Perplexity from documents to measurements: against transformers' own loss, by hand, and where it must refuse."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from harness import corpora
from harness.errors import Unsupported, UserError
from harness.measures import perplexity
from harness.measures.measure import Facts, notes_of
from harness.measures.perplexity import (
    PERPLEXITY,
    PerplexitySettings,
    collect,
    summarize,
)
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.results.record import Measurement, Missing, Status
from tests.harness.loaded_model import Loaded

DOCUMENTS = [
    "The cat sat on the mat, and the dog sat on the cat. " * 6,
    "",
    "Ünïcödé: «naïve café», 東京, 🙂.",
    "a",
    "def add(a, b):\n    return a + b\n",
]


@pytest.fixture(scope="module")
def model(llama_folder: Path) -> LanguageModel:
    return open_model(ModelSource("m", "transformers", str(llama_folder), "d"))


@pytest.fixture(autouse=True)
def text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "documents", lambda spec: DOCUMENTS)


def settings(**given: Any) -> PerplexitySettings:
    return PerplexitySettings(text="fixture", **given)


def by_name(rows: list[dict[str, Any]], chosen: PerplexitySettings, model: LanguageModel) -> dict[str, Measurement]:
    told = summarize(pd.DataFrame(rows), chosen, Facts(model.identity))
    return {m.metric.name: m for m in told if isinstance(m, Measurement)}


def test_same_as_transformers_on_whole_documents(model: LanguageModel, llama_folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    theirs = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(llama_folder)
    nll, tokens = 0.0, 0
    for document in DOCUMENTS:
        ids = tokenizer(document[:50], return_tensors="pt").input_ids.long()
        if ids.shape[1] > 1:
            with torch.no_grad():
                nll += float(theirs(ids, labels=ids).loss) * (ids.shape[1] - 1)
            tokens += ids.shape[1] - 1
    chosen = settings(document_bytes=50)
    found = by_name(collect(lambda: model, chosen), chosen, model)
    assert found["tokens_scored"].value == tokens
    assert found["perplexity"].value == pytest.approx(math.exp(nll / tokens), rel=1e-5)
    assert found["loss"].value == pytest.approx(nll / tokens, rel=1e-5)


@pytest.mark.parametrize("bos", ["auto", "add"])
def test_bytes_are_those_of_the_scored_text(model: LanguageModel, bos: Any) -> None:
    chosen = settings(window=16, bos=bos)
    rows = collect(lambda: model, chosen)
    for row, document in zip(rows, DOCUMENTS, strict=True):
        ids = model.tokenizer.encode(document)
        first = 0 if bos == "add" or not ids else model.tokenizer.token_bytes(ids[:1])[0]
        scored = len(ids) - (bos == "auto" and bool(ids))
        assert row["tokens"] == scored
        assert row["bytes"] == (len(document.encode()) - first if scored else 0)
    bits = sum(row["nll"] for row in rows) / math.log(2) / sum(row["bytes"] for row in rows)
    assert by_name(rows, chosen, model)["bits_per_byte"].value == pytest.approx(bits)


def test_known_bad_characters_are_not_bytes(model: LanguageModel) -> None:
    """Counting characters would flatter text beyond ASCII."""
    row = collect(lambda: model, settings(bos="add"))[2]
    assert row["bytes"] == len(DOCUMENTS[2].encode()) > len(DOCUMENTS[2])


def test_an_empty_document_scores_nothing_and_harms_nothing(model: LanguageModel) -> None:
    chosen = settings()
    rows = collect(lambda: model, chosen)
    assert (rows[1]["tokens"], rows[1]["nll"], rows[1]["bytes"]) == (0, 0.0, 0)
    found = by_name(rows, chosen, model)["loss"]
    assert found == by_name([rows[0], *rows[2:]], chosen, model)["loss"]
    assert (found.n, found.n_unit) == (3, "documents"), "the empty and the one-token document are no clusters"


def test_the_text_as_it_was_cut_is_known_by_its_digest(model: LanguageModel) -> None:
    whole, cut = (
        [row["text_digest"] for row in collect(lambda: model, s)] for s in (settings(), settings(document_bytes=9))
    )
    short = [hashlib.sha256(document.encode()[:9].decode(errors="ignore").encode()) for document in DOCUMENTS]
    assert cut == [digest.hexdigest()[:16] for digest in short]
    assert whole != cut and whole[1] == cut[1], "an empty document stays what it is"


def test_text_that_is_all_empty_is_an_error(model: LanguageModel) -> None:
    rows = [row for row in collect(lambda: model, settings()) if row["tokens"] == 0]
    with pytest.raises(UserError, match="no document of fixture has a token to score"):
        summarize(pd.DataFrame(rows), settings(), Facts(model.identity))


def test_interval_by_hand(model: LanguageModel) -> None:
    # as in tests of ratio_of_sums: R = 2, half-width 4.302653 · sqrt(3)/6
    rows = pd.DataFrame({"nll": [2.0, 3.0, 7.0], "tokens": [1, 2, 3], "bytes": [4, 8, 12]})
    found = {m.metric.name: m for m in summarize(rows, settings(), Facts(model.identity))}
    half = 4.302653 * math.sqrt(3) / 6
    assert found["loss"].high == pytest.approx(2 + half)
    assert found["perplexity"].value == pytest.approx(math.exp(2))
    assert found["perplexity"].low == pytest.approx(math.exp(2 - half))
    assert found["bits_per_byte"].high == pytest.approx((2 + half) / 4 / math.log(2))
    assert found["perplexity"].interval == "t over documents (ratio estimator)"


def test_one_document_falls_back_to_its_windows_and_says_so(model: LanguageModel) -> None:
    chosen = settings(window=16, stride=8, documents=1)
    found = by_name(collect(lambda: model, chosen), chosen, model)
    loss, bits = found["loss"], found["bits_per_byte"]
    assert loss.n_unit == "windows"
    assert loss.n > 3
    assert "takes them as independent" in loss.interval
    assert loss.low is not None and bits.low is not None
    assert bits.low / bits.value == pytest.approx(loss.low / loss.value)


def test_one_window_of_one_document_has_no_interval(model: LanguageModel) -> None:
    chosen = settings(documents=1, document_bytes=40)
    found = by_name(collect(lambda: model, chosen), chosen, model)["perplexity"]
    assert (found.low, found.high) == (None, None)
    assert found.interval.startswith("none")


def test_more_context_is_what_the_stride_buys(model: LanguageModel) -> None:
    """Both score each token once; only the context differs."""
    wide, narrow = (by_name(collect(lambda: model, s), s, model) for s in (settings(), settings(window=4, stride=3)))
    assert wide["tokens_scored"] == narrow["tokens_scored"]
    assert wide["loss"].value != narrow["loss"].value


def test_defaults_are_the_context_and_half_of_it(model: LanguageModel) -> None:
    assert perplexity.window_and_stride(settings(), 64) == (64, 32)
    assert perplexity.window_and_stride(settings(window=3), 64) == (3, 1)


def test_what_does_not_fit_is_unsupported(model: LanguageModel) -> None:
    with pytest.raises(Unsupported, match="window of 65 tokens"):
        collect(lambda: model, settings(window=65))
    with pytest.raises(ValueError, match="stride 64 must lie between 1 and window - 1 = 63"):
        collect(lambda: model, settings(stride=64))


@pytest.mark.parametrize("stride", [16, 17])
def test_known_bad_a_stride_that_skips_tokens_is_refused_with_the_suite(stride: int) -> None:
    with pytest.raises(ValidationError, match=f"`stride: {stride}` needs a window of more than .* at most 15"):
        settings(window=16, stride=stride)
    assert settings(window=16, stride=15).stride == 15


def test_a_text_has_a_name() -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        PerplexitySettings(text="")


def test_not_a_number_is_an_error_not_a_perplexity(model: LanguageModel) -> None:
    class Broken:
        identity, tokenizer = model.identity, model.tokenizer

        def forward(self, tokens: Any, **kwargs: Any) -> Any:
            return model.forward(tokens, **kwargs) * math.nan

    with pytest.raises(UserError, match="document 0 of fixture"):
        collect(lambda: Broken(), settings())  # type: ignore[arg-type, return-value]


def test_a_hopeless_model_has_infinite_perplexity_not_a_crash(model: LanguageModel) -> None:
    rows = pd.DataFrame({"nll": [9e3, 8e3], "tokens": [1, 1], "bytes": [1, 1]})
    assert summarize(rows, settings(), Facts(model.identity))[0].value == math.inf


def test_samples_survive_parquet(model: LanguageModel, tmp_path: Path) -> None:
    chosen = settings(window=16, documents=1)
    rows = pd.DataFrame(collect(lambda: model, chosen))
    rows.to_parquet(tmp_path / "samples.parquet")
    again = pd.read_parquet(tmp_path / "samples.parquet")
    assert summarize(again, chosen, Facts(model.identity)) == summarize(rows, chosen, Facts(model.identity))


def test_the_measure_declares_what_it_gives(model: LanguageModel) -> None:
    chosen = settings()
    assert set(by_name(collect(lambda: model, chosen), chosen, model)) == {m.name for m in PERPLEXITY.metrics}
    assert PERPLEXITY.texts(chosen) == ("fixture",)
    assert np.isfinite([row["nll"] for row in collect(lambda: model, chosen)]).all()


def test_the_window_that_was_used_is_told(model: LanguageModel) -> None:
    told = PERPLEXITY.resolved(pd.DataFrame(collect(lambda: model, settings())))
    assert told == {"window": 64, "stride": 32, "whole_documents": False, "first_token": "given"}
    told = PERPLEXITY.resolved(pd.DataFrame(collect(lambda: model, settings(document_bytes=9, bos="add"))))
    assert told == {"window": 64, "stride": 32, "whole_documents": True, "first_token": "scored"}


class Changing:
    """The model's tokenizer, which reads another text than it is given."""

    def __init__(self, inner: Any, change: Any) -> None:
        self.inner, self.change = inner, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.inner.encode(self.change(text))
        return ids


class Beside:
    """The model with another tokenizer."""

    def __init__(self, model: LanguageModel, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def test_numbers_per_byte_are_withheld_where_the_tokenizer_loses_bytes(model: LanguageModel) -> None:
    lossy: Any = Beside(model, Changing(model.tokenizer, str.lower))
    rows = collect(lambda: lossy, settings())
    assert [row["lost_bytes"] for row in rows] == [6, 0, 2, 0, 0], "a capital in each sentence, and Ü is two bytes"
    told = summarize(pd.DataFrame(rows), settings(), Facts(model.identity))
    [missing] = [one for one in told if isinstance(one, Missing)]
    assert missing.status is Status.SKIPPED and missing.reason.startswith("no bits_per_byte: the tokenizer loses 8 of")
    found = {one.metric.name: one.value for one in told if isinstance(one, Measurement)}
    assert found["lost_bytes"] == 8 and found["perplexity"] > 0, "what is per token stands"
    assert any("comes back as" in note for note in notes_of(pd.DataFrame(rows)))


def test_numbers_per_byte_are_marked_where_it_loses_a_few(model: LanguageModel) -> None:
    lossy: Any = Beside(model, Changing(model.tokenizer, lambda text: text.replace("\n    ", "\n ")))
    rows = collect(lambda: lossy, settings())
    told = summarize(pd.DataFrame(rows), settings(), Facts(model.identity))
    found = {one.metric.name: one.value for one in told if isinstance(one, Measurement)}
    assert found["lost_bytes"] == 3 and "bits_per_byte" in found
    assert any("loses 3 of" in note for note in notes_of(pd.DataFrame(rows)))


def test_a_token_that_the_model_has_not_is_named(model: LanguageModel) -> None:
    class Adding(Changing):
        def encode(self, text: str) -> list[int]:
            return [*self.inner.encode(text), *([320] if text.startswith("def") else [])]

    wrong: Any = Beside(model, Adding(model.tokenizer, None))
    with pytest.raises(UserError, match=r"^fixture: document 4: token id 320 .*which are 0 to 319: use the tokenizer"):
        collect(lambda: wrong, settings())


def test_it_says_how_many_tokens_are_scored_and_the_perplexity_so_far(model: LanguageModel, tmp_path: Path) -> None:
    load = Loaded(model, tmp_path)
    rows = collect(load, settings(window=16))
    told = [int(text.partition(" of ")[0].replace(",", "")) for text in load.told]
    tokens = sum(row["tokens"] for row in rows)
    assert len(told) > 2 and told == sorted(told) and told[-1] == tokens
    whole = math.exp(sum(row["nll"] for row in rows) / tokens)
    assert f"perplexity {whole:.4g} so far" in load.told[-1]
