"""The engine against one request at a time: whole, without a cache, full logits, in double precision."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.models.cache_behavior import CacheBehavior
from harness.models.contract import LanguageModel, ModelSource
from harness.models.open import open_model
from harness.scoring import engine
from harness.scoring.budget import Budget
from harness.scoring.engine import score
from harness.scoring.request import Scored, TokenScores
from harness.scoring.sharing import can_share

CONTEXT = 48  # of the shorter of the two


@pytest.fixture(scope="module", params=["llama transformers", "gpt2 transformers", "llama converted", "gpt2 converted"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    name, kind = request.param.split()
    folder: Path = request.getfixturevalue(f"{name}_folder")
    return open_model(ModelSource(name, kind, str(folder), "digest"))


def naive(model: LanguageModel, request: Scored) -> TokenScores:
    with torch.inference_mode():
        logits = model.forward(torch.tensor([request.ids[:-1]]))[0].double()
    wanted = torch.tensor(request.ids[request.start :])
    logits = logits[request.start - 1 :]
    return TokenScores(
        logits.log_softmax(-1).gather(1, wanted[:, None])[:, 0].numpy(), (logits.argmax(-1) == wanted).numpy()
    )


def assert_same(found: Sequence[TokenScores], expected: Sequence[TokenScores], tolerance: float = 1e-5) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.log_probs, theirs.log_probs, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(ours.greedy, theirs.greedy)


@st.composite
def many_requests(draw: st.DrawFn) -> list[Scored]:
    """Few beginnings and few tokens, so that much is shared: prefixes of one another, equal ones, one-token ones."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    stems = [tuple(rng.randrange(4) for _ in range(rng.randrange(30))) for _ in range(3)]
    requests = []
    for _ in range(draw(st.integers(1, 12))):
        ids = rng.choice(stems) + tuple(rng.randrange(3) for _ in range(rng.randint(2, 6)))
        ids = ids[: rng.choice([CONTEXT + 1, rng.randint(2, len(ids))])]
        requests.append(Scored(ids, rng.choice([1, len(ids) - 1, rng.randint(1, len(ids) - 1)])))
    return requests


BUDGETS = st.sampled_from([Budget(512, 512), Budget(512, 3), Budget(11, 11), Budget(7, 2, 3), Budget(1, 1, 0)])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=many_requests(), budget=BUDGETS)
def test_shared_is_as_if_each_were_alone(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch, requests: list[Scored], budget: Budget
) -> None:
    monkeypatch.setattr(engine, "budget_for", lambda model: budget)
    assert can_share(model)
    assert_same(score(model, requests), [naive(model, request) for request in requests])


@settings(max_examples=10, deadline=None)
@given(requests=many_requests(), seed=st.integers(0, 100))
def test_order_and_company_change_nothing(model: LanguageModel, requests: list[Scored], seed: int) -> None:
    together = score(model, requests)
    order = list(range(len(requests)))
    random.Random(seed).shuffle(order)
    assert_same(score(model, [requests[i] for i in order]), [together[i] for i in order])
    assert_same([score(model, [request])[0] for request in requests], together)
    rest = order[: len(order) // 2]  # as after a kill
    assert_same(score(model, [requests[i] for i in rest]), [together[i] for i in rest])


def test_a_context_is_filled_to_its_end(model: LanguageModel) -> None:
    """As many tokens as the model holds, and one more that is only predicted; choices that fill it too."""
    rng = random.Random(0)
    context = model.identity.context
    stem = tuple(rng.randrange(300) for _ in range(context - 3))
    requests = [Scored(stem + tuple(rng.randrange(300) for _ in range(4)), len(stem)) for _ in range(5)]
    assert_same(score(model, requests), [naive(model, request) for request in requests])


def test_done_is_told_once_and_whole(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "budget_for", lambda model: Budget(9, 9))
    rng = random.Random(1)
    requests = [Scored(tuple(rng.randrange(5) for _ in range(rng.randint(2, 30))), 1) for _ in range(20)]
    told: dict[int, TokenScores] = {}
    calls = 0

    def keep(numbers: Sequence[int], scores: Sequence[TokenScores]) -> None:
        nonlocal calls
        calls += 1
        for number, one in zip(numbers, scores, strict=True):
            assert number not in told and not np.isnan(one.log_probs).any()
            told[number] = one

    found = score(model, requests, on_scored=keep)
    assert calls > 5 and sorted(told) == list(range(20))
    assert all(told[number] is one for number, one in enumerate(found))


class Counting:
    """A model that counts the tokens it reads."""

    def __init__(self, model: LanguageModel) -> None:
        self.model, self.read, self.identity, self.tokenizer = model, 0, model.identity, model.tokenizer

    def new_cache(self, batch: int, length: int) -> Any:
        return self.model.new_cache(batch, length)

    def forward(self, tokens: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.read += tokens.numel()
        return self.model.forward(tokens, *args, **kwargs)


def test_what_is_shared_is_read_once(model: LanguageModel) -> None:
    counting = Counting(model)
    assert can_share(counting)
    counting.read = 0
    context = tuple(range(20))
    requests = [Scored((*context, 50 + choice, 60 + choice), 20) for choice in range(4)]
    requests += [Scored((*context, 70 + choice), 20) for choice in range(4)]
    score(counting, requests)
    assert counting.read == 20 + 4, "the context once, and each first token that a second one follows"


def test_a_model_that_is_not_known_to_obey_masks_reads_each_request_alone(model: LanguageModel) -> None:
    unknown = Counting(model)
    unknown.identity = model.identity.model_copy(update={"cache": CacheBehavior(tree=False)})
    assert not can_share(unknown)
    requests = [Scored((1, 2, 3, 4, 5 + i), 2) for i in range(3)] + [Scored((9, 8), 1)]
    assert_same(score(unknown, requests), [naive(model, request) for request in requests])
    assert unknown.read == 3 * 4 + 1


def test_a_sliding_window_is_not_shared(tmp_path: Path, gpt2_folder: Path) -> None:
    from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=320,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=4,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    MistralForCausalLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(gpt2_folder).save_pretrained(tmp_path)
    model = open_model(ModelSource("mistral", "transformers", str(tmp_path), "digest"))
    assert not can_share(model)
    requests = [Scored(tuple((i * k) % 300 for k in range(20)), 3 + i) for i in range(4)]
    assert_same(score(model, requests), [naive(model, request) for request in requests])


@pytest.mark.parametrize("kind", ["a window that the cache doesn't show", "linear biases"])
def test_a_model_that_counts_from_the_row_is_not_shared(tmp_path: Path, gpt2_folder: Path, kind: str) -> None:
    """With few tokens between those of a branch both look sound: the window is wider, the biases are slight."""
    from transformers import AutoTokenizer, GPTNeoConfig, GPTNeoForCausalLM, MptConfig, MptForCausalLM

    torch.manual_seed(0)
    if kind == "linear biases":
        made = MptForCausalLM(
            MptConfig(vocab_size=320, d_model=16, n_heads=2, n_layers=2, max_seq_len=64, initializer_range=0.3)
        )
    else:
        made = GPTNeoForCausalLM(
            GPTNeoConfig(
                vocab_size=320,
                hidden_size=16,
                num_layers=2,
                num_heads=2,
                attention_types=[[["global", "local"], 1]],
                window_size=8,
                max_position_embeddings=64,
                initializer_range=0.3,
            )
        )
    made.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(gpt2_folder).save_pretrained(tmp_path)
    model = open_model(ModelSource("model", "transformers", str(tmp_path), "digest"))
    assert not can_share(model)
    requests = [Scored(tuple((i * k) % 300 for k in range(20)), 3 + i) for i in range(4)]
    assert_same(score(model, requests), [naive(model, request) for request in requests])


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4"])
def test_quantized_models_share_too(llama_folder: Path, precision: Any) -> None:
    """Equal but for the rounding of few rows, which a kernel of their own multiplies."""
    rng = random.Random(3)
    stem = tuple(rng.randrange(300) for _ in range(25))
    requests = [Scored(stem + tuple(rng.randrange(300) for _ in range(4)), len(stem)) for _ in range(5)]
    for kind in ("converted", "transformers"):
        model = open_model(ModelSource("m", kind, str(llama_folder), "digest", precision))  # type: ignore[arg-type]
        assert can_share(model)
        for ours, theirs in zip(score(model, requests), (naive(model, r) for r in requests), strict=True):
            np.testing.assert_allclose(ours.log_probs, theirs.log_probs, rtol=0.02, atol=0.05)


def test_no_requests(model: LanguageModel) -> None:
    assert score(model, []) == []


class Broken(Counting):
    """A model whose logits are not numbers."""

    def forward(self, tokens: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self.model.forward(tokens, *args, **kwargs) * float("nan")


def test_what_is_wrong_is_said(model: LanguageModel) -> None:
    context = model.identity.context
    with pytest.raises(UserError, match=f"{context + 2} tokens doesn't fit the model's context of {context}"):
        score(model, [Scored((1,) * (context + 2), 1)])
    with pytest.raises(UserError, match="token id 320 is not one of the model's, which are 0 to 319"):
        score(model, [Scored((1, 320), 1)])
    with pytest.raises(UserError, match=r"not numbers \(NaN\) in request"):
        score(Broken(model), [Scored((1, 2), 1)])
    with pytest.raises(ValueError, match="one token at least must come before"):
        Scored((1, 2), 0)
    with pytest.raises(ValueError, match="one must be scored"):
        Scored((1, 2), 2)
