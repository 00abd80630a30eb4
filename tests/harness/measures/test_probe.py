"""`probe`: its rows against full logits, its cuts, its continuations, and what it costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from harness import corpora
from harness.corpora.probe_text import DOCUMENTS
from harness.errors import UserError
from harness.measures.cost import Pace
from harness.measures.measure import Facts
from harness.measures.probe import CHAT, PROBE, TOP, ProbeSettings, collect, summarize
from harness.models.contract import LanguageModel, ModelSource
from harness.models.reference import as_language_model
from reference_impl.model.config import GPTConfig
from reference_impl.text.tokenizer import ByteBPE
from tests.harness.loaded_model import Loaded
from tests.tiny_models import sharp_gpt


def opened(context: int = 256) -> LanguageModel:
    tokenizer = ByteBPE.train(DOCUMENTS, 320)
    gpt = sharp_gpt(GPTConfig(vocabulary=320, context=context, layers=2, heads=2, width=16), sharpness=4.0)
    return as_language_model(gpt, tokenizer, ModelSource("m", "reference", "-", "d"))


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return opened()


def probed(model: Any, **settings: Any) -> pd.DataFrame:
    return pd.DataFrame(collect(Loaded(model, Path()), ProbeSettings(**settings)))


def values(frame: pd.DataFrame, model: LanguageModel) -> dict[str, float]:
    found = summarize(frame, ProbeSettings(), Facts(model.identity))
    return {one.metric.name: one.value for one in found if hasattr(one, "metric")}


def test_the_shipped_text_is_small_and_whole_under_a_tokenizer_of_bytes() -> None:
    sizes = [len(document.encode()) for document in corpora.documents("probe/text")]
    assert 8 <= len(sizes) <= 16 and max(sizes) <= 240 and 2_000 <= sum(sizes) <= 4_096
    assert any(document.startswith(" ") for document in DOCUMENTS) and any("\t" in document for document in DOCUMENTS)
    assert corpora.size_hint("probe/text") == sum(sizes)


def test_rows_against_all_logits_document_by_document(model: LanguageModel) -> None:
    frame = probed(model, generate=0)
    assert list(frame["document"]) == [str(n) for n in range(len(DOCUMENTS))]
    nll = size = tokens = 0.0
    for text, row in zip(DOCUMENTS, frame.to_dict("records"), strict=True):
        ids = [*model.identity.prefix, *model.tokenizer.encode(text)]
        with torch.inference_mode():
            log_probs = model.forward(torch.tensor([ids]))[0, :-1].double().log_softmax(-1)
        each = -log_probs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()
        assert row["ids"] == ids and row["token_nll"] == pytest.approx(each, abs=1e-4)
        assert np.asarray(row["top_ids"]).reshape(-1, TOP)[:, 0].tolist() == log_probs.argmax(-1).tolist()
        assert row["bytes"] == len(text.encode())
        nll, size, tokens = nll + each.sum(), size + row["bytes"], tokens + len(each)
    found = values(frame, model)
    assert found["probe_loss"] == pytest.approx(nll / tokens, rel=1e-5)
    assert found["probe_bits_per_byte"] == pytest.approx(nll / math.log(2) / size, rel=1e-5)


def test_it_survives_its_file_and_is_small(model: LanguageModel, tmp_path: Path) -> None:
    frame = probed(model)
    frame.to_parquet(tmp_path / "samples.parquet")
    back = pd.read_parquet(tmp_path / "samples.parquet")
    assert (back["top_log_probs"][0] == frame["top_log_probs"][0]).all()
    assert back["top_log_probs"][0].dtype == np.float32 and back["top_ids"][0].dtype == np.int32
    assert (tmp_path / "samples.parquet").stat().st_size < 600 * frame["tokens"].sum()


def test_a_short_context_cuts_and_says_so_in_the_digests(model: LanguageModel) -> None:
    whole, cut = probed(model, generate=0), probed(opened(32), generate=0)
    assert set(cut["window"]) == {32} and not cut["whole_documents"].any() and whole["whole_documents"].all()
    assert (cut["tokens"] < 32).all() and (cut["bytes"] < whole["bytes"]).all()
    assert not set(cut["text_digest"]) & set(whole["text_digest"])
    assert cut["ids"].map(len).max() == 32


def test_continuations_are_greedy_and_told(model: LanguageModel) -> None:
    frame = probed(model, continued=3, generate=8)
    written = frame.dropna(subset=["ended_by"])
    assert list(written["document"]) == ["0", "5", "10"] and CHAT not in set(frame["document"])
    for row in written.to_dict("records"):
        ids = list(row["prompt"])
        assert ids == row["ids"][: len(row["ids"]) // 2]
        for token in row["continuation"]:
            with torch.inference_mode():
                assert int(model.forward(torch.tensor([ids]))[0, -1].argmax()) == token
            ids.append(token)
        assert row["continuation_gap"] < 1e-3 and row["ended_by"] in ("end", "length")
    assert list(frame["end_ids"][0]) == list(model.identity.end_ids)


def test_a_text_of_ones_own(model: LanguageModel, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("The first line of my own text.", encoding="utf-8")
    frame = probed(model, text=str(file))
    assert len(frame) == 1
    (loss, bits) = summarize(frame, ProbeSettings(text=str(file)), Facts(model.identity))
    assert loss.low is None and loss.interval == "none: one document"  # type: ignore[union-attr]
    assert bits.metric.unit == "bits/byte"  # type: ignore[union-attr]


def test_numbers_that_are_none_are_refused(model: LanguageModel) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        head_is_apart = False

        def forward(self, *given: Any, **named: Any) -> torch.Tensor:
            return model.forward(*given, **named) * math.nan

    with pytest.raises(UserError, match="not numbers"):
        probed(Broken())


def test_what_it_costs_is_counted() -> None:
    pace = Pace(start=1.0, flops_per_token=1e9, rate=1e10, read=0.01)
    assert PROBE.seconds(ProbeSettings(generate=0), pace) == pytest.approx(1.0 + 2688 / 4 / 10, rel=0.1)
    with_text = PROBE.seconds(ProbeSettings(), pace)
    assert with_text is not None and with_text > 1.0 + 5 * 32 * 0.1
