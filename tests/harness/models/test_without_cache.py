"""Models whose cache can't be used, or not for every length: what is scored, written and measured of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported
from harness.measures import diversity, inference, kv_cache, memory
from harness.measures.inference import InferenceSettings
from harness.measures.kv_cache import KVCacheSettings
from harness.measures.measure import Facts, notes_of
from harness.measures.memory import MemorySettings
from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import LanguageModel, ModelSource
from harness.models.decoding import complete, complete_by_beams, complete_speculatively, token_request
from harness.models.open import open_model
from harness.models.transformers import TransformersModel
from harness.results.record import Measurement, Missing
from harness.scoring.divergence import greedy
from harness.scoring.engine import score
from harness.scoring.loglikelihood import token_nlls
from harness.scoring.request import Scored
from reference_impl.decoding.request import Request
from tests.harness.models.architectures import ARCHITECTURES, VOCABULARY
from tests.harness.models.support import Plain, tokenizer_file

NEW = 8


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer_file(tmp_path_factory.mktemp("tokenizer"))


class Opened:
    """A random model of an architecture, and its oracle."""

    def __init__(self, name: str, folder: Path, tokenizer: Path) -> None:
        [architecture] = [one for one in ARCHITECTURES if one.name == name]
        architecture.save(folder, tokenizer, 0.3)
        self.model: LanguageModel = open_model(ModelSource("model", "transformers", str(folder), name))
        self.plain = Plain(folder, self.model)

    def greedy(self, prompt: list[int], steps: int = NEW) -> list[int]:
        ids = list(prompt)
        for _ in range(steps):
            ids.append(int(self.plain.log_probs(ids)[-1].argmax()))
        return ids[len(prompt) :]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> Any:
    known: dict[str, Opened] = {}

    def get(name: str) -> Opened:
        if name not in known:
            known[name] = Opened(name, tmp_path_factory.mktemp("model"), tokenizer)
        return known[name]

    return get


NAMES = (
    "openai-gpt",
    "mamba",
    "llama (longrope)",
    "llama (dynamic NTK)",
    "roberta (decoder)",
    "mistral (sliding window)",
)


@pytest.mark.parametrize("name", NAMES)
def test_every_way_to_decode_gives_the_greedy_text(name: str, opened: Any) -> None:
    """Across the seam too: beams of one, a draft that is the model itself, rows of one length, requests of several."""
    one = opened(name)
    text = one.plain.text
    for length in (5, 21, 40):
        prompt = text[:length]
        expected = one.greedy(prompt)
        assert list(complete(one.model, [Request(prompt, NEW)])[0].tokens) == expected
        found = complete_speculatively(one.model, one.model, Request(prompt, NEW))
        assert list(found.completion.tokens) == expected
        asked = token_request(
            one.model, prompt, NEW, temperature=0.0, top_p=1.0, top_k=None, min_p=0.0, repetition_penalty=1.0, seed=0,
            stop_ids=frozenset(), stop_strings=(), searched=None, ended_by=None,
        )  # fmt: skip
        beam = complete_by_beams(
            one.model, asked, beams=1, length_penalty=1.0, early_stopping=False, ends=lambda found: [False] * len(found)
        )
        assert list(beam.tokens) == expected
        rows = [prompt, text[50 : 50 + length]]
        assert greedy(one.model, rows, NEW).tolist() == [one.greedy(row) for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_beams_find_what_they_find_without_a_cache(name: str, opened: Any) -> None:
    one = opened(name)
    prompt = one.plain.text[:20]
    asked = token_request(
        one.model, prompt, 6, temperature=0.0, top_p=1.0, top_k=None, min_p=0.0, repetition_penalty=1.0, seed=0,
        stop_ids=frozenset(), stop_strings=(), searched=None, ended_by=None,
    )  # fmt: skip
    found = complete_by_beams(
        one.model, asked, beams=3, length_penalty=1.0, early_stopping=False, ends=lambda some: [False] * len(some)
    )
    grown: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(6):
        extended = [
            (total + float(log_prob), [*tokens, token])
            for total, tokens in grown
            for token, log_prob in enumerate(one.plain.log_probs([*prompt, *tokens])[-1])
        ]
        grown = sorted(extended, key=lambda item: -item[0])[:3]
    assert list(found.tokens) == grown[0][1]


def test_the_order_of_texts_changes_nothing_where_positions_are_scaled(opened: Any) -> None:
    """Known bad: `transformers` goes on with the frequencies of the longest text so far."""
    model, text = opened("llama (dynamic NTK)").model, opened("llama (dynamic NTK)").plain.text
    short, long = text[:40], text[:90]
    first = token_nlls(model, [short], 60, 30)[0]
    token_nlls(model, [long], 90, 45)
    again = token_nlls(model, [short], 60, 30)[0]
    assert (first == again).all()
    theirs = opened("llama (dynamic NTK)").plain.model
    with torch.no_grad():
        before = theirs(torch.tensor([short])).logits
        theirs(torch.tensor([long]))
        assert not torch.allclose(theirs(torch.tensor([short])).logits, before, atol=1e-3)


def test_choices_on_both_sides_of_a_seam(opened: Any) -> None:
    one = opened("llama (longrope)")
    text = one.plain.text
    asked = [Scored((*text[:length], *text[100 : 100 + size]), length) for length in (20, 23) for size in (1, 2, 3, 6)]
    for request, found in zip(asked, score(one.model, asked), strict=True):
        log_probs = one.plain.log_probs(request.read)[request.start - 1 :]
        expected = log_probs.gather(1, torch.tensor(request.ids[request.start :])[:, None])[:, 0]
        assert torch.allclose(torch.tensor(found.log_probs), expected, atol=1e-4)


def alone(model: Any) -> Any:
    """The same model, as one whose rows change each other."""
    identity = model.identity.model_copy(update={"cache": CacheBehavior(rows=False, divisible=False)})
    return TransformersModel(model.module, model.tokenizer, identity)


def test_a_model_that_is_right_alone_reads_one_text_at_a_time(opened: Any) -> None:
    one = opened("llama")
    seen: list[int] = []
    hook = one.model.module.register_forward_pre_hook(
        lambda module, given, named: seen.append(len(named["input_ids"])), with_kwargs=True
    )
    model, text = alone(one.model), one.plain.text
    try:
        together = token_nlls(one.model, [text[:20], text[20:40]], 20, 10)
        assert max(seen) == 2
        seen.clear()
        apart = token_nlls(model, [text[:20], text[20:40]], 20, 10)
        written = complete(model, [Request(text[:5], 4), Request(text[5:12], 4)])
        greedy(model, [text[:5], text[5:10]], 3)
        assert set(seen) == {1}
    finally:
        hook.remove()
    assert all(abs(ours - theirs).max() < 1e-5 for ours, theirs in zip(apart, together, strict=True))
    assert [list(each.tokens) for each in written] == [one.greedy(text[:5], 4), one.greedy(text[5:12], 4)]
    for collect, settings in (
        (inference.collect, InferenceSettings(prompt=8, generate=4, batch=2)),
        (memory.collect, MemorySettings(context=16, batch=2)),
    ):
        with pytest.raises(Unsupported, match="batch 1, not 2"):
            collect(lambda: model, settings)  # type: ignore[operator]


@pytest.mark.parametrize(("name", "generate"), [("openai-gpt", 4), ("llama (longrope)", 20)])
def test_no_speed_of_decoding_is_made_up(name: str, generate: int, opened: Any) -> None:
    model = opened(name).model
    settings = InferenceSettings(prompt=16, generate=generate, iterations=2, warmup=0)
    rows = inference.collect(lambda: model, settings)
    found = inference.summarize(pd.DataFrame(rows), settings, Facts(model.identity))
    assert [one.metric.name for one in found if isinstance(one, Measurement)] == ["ttft", "prefill_rate"]
    [missing] = [one for one in found if isinstance(one, Missing)]
    assert "no speed of decoding: no KV cache is used, because" in missing.reason
    with pytest.raises(Unsupported, match="no KV cache serves 36 tokens"):
        kv_cache.collect(lambda: model, KVCacheSettings(generate=36))


def test_a_cache_is_timed_up_to_its_limit(opened: Any) -> None:
    model = opened("llama (longrope)").model
    settings = InferenceSettings(prompt=16, generate=8, iterations=2, warmup=0)
    found = inference.summarize(
        pd.DataFrame(inference.collect(lambda: model, settings)), settings, Facts(model.identity)
    )
    assert {"tpot", "decode_rate"} <= {one.metric.name for one in found if isinstance(one, Measurement)}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("openai-gpt", "no KV cache is used, because its class takes no cache"),
        ("mamba", "no KV cache: a sequence has a state of"),
        ("mistral (sliding window)", 2 * 2 * 16 * 4 * 7),
        ("llama", 2 * 2 * 16 * 4 * 32),
    ],
)
def test_bytes_of_the_cache_are_those_that_it_holds(name: str, told: str | int, opened: Any) -> None:
    """Two layers, keys and values, two heads of width 8 in fp32; a window of 8 holds 7 beside the new token."""
    model = opened(name).model
    settings = MemorySettings(context=32)
    rows = memory.collect(lambda: model, settings)
    found = memory.summarize(pd.DataFrame(rows), settings, Facts(model.identity))
    cache = next(one for one in found if isinstance(one, Missing) or one.metric.name == "kv_cache_bytes")
    if isinstance(told, str):
        assert isinstance(cache, Missing) and told in cache.reason
    else:
        assert isinstance(cache, Measurement) and cache.value == told


def test_what_is_written_without_a_cache_says_so(opened: Any, tmp_path: Path) -> None:
    model = opened("openai-gpt").model
    file = tmp_path / "text.txt"
    file.write_text("the cat sat on the mat and the dog ran away while the birds sang in old trees")
    settings = diversity.DiversitySettings(text=str(file), documents=1, prompt=4, generate=4)
    [note] = notes_of(pd.DataFrame(diversity.collect(lambda: model, settings)))
    assert note.startswith("no KV cache is used, because its class takes no cache")


def test_every_id_is_drawable(opened: Any) -> None:
    assert opened("llama").model.tokenizer.size == VOCABULARY
