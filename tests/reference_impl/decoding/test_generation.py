"""Generation equals reading the whole text again for each token, whatever else is in the batch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reference_impl.decoding import prefixes, running_batch
from reference_impl.decoding.beam_search import beam_search
from reference_impl.decoding.generation import decode_step, generate, prefill, steps
from reference_impl.decoding.request import Completion, Continuation, Request
from reference_impl.decoding.sampling import GREEDY, Sampling, distribution, draw, request_generator
from reference_impl.decoding.speculative import speculate
from reference_impl.inference.engine import Engine
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import quantize_
from tests.tiny_models import LLAMA


def prompt(length: int, seed: int = 1) -> list[int]:
    return torch.randint(0, 61, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def slow_generate(model: Any, request: Request) -> tuple[list[int], list[float]]:
    """No cache, no batch, no padding: the whole text is read for each token."""
    stream, text, log_probs = request_generator(request.sampling.seed, request.prompt), list(request.prompt), []
    while len(text) < len(request.prompt) + request.max_new:
        logits = model(torch.tensor([text]))[0, -1:]
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        seen[0, text] = True
        uniform = torch.rand((), generator=stream, dtype=torch.float64)
        token = int(draw(distribution(logits, request.sampling, seen), uniform[None]))
        log_probs.append(float(logits[0].double().log_softmax(-1)[token]))
        text.append(token)
        if token in request.stop_ids:
            break
    return text[len(request.prompt) :], log_probs


SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.8, 1.5]),
    top_k=st.sampled_from([None, 20]),
    top_p=st.sampled_from([0.7, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.4]),
    seed=st.integers(0, 3),
)
REQUESTS = st.builds(
    lambda length, seed, new, sampling, stops: Request(prompt(length, seed), new, sampling, frozenset(stops)),
    st.integers(1, 12),
    st.integers(0, 5),
    st.integers(0, 10),
    SAMPLINGS,
    st.sets(st.integers(0, 60), max_size=12),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(REQUESTS, max_size=5))
def test_every_request_of_a_batch_gets_what_it_gets_alone_and_slowly(model: Any, requests: list[Request]) -> None:
    together = generate(model, requests)
    assert len(together) == len(requests)
    for request, found in zip(requests, together, strict=True):
        tokens, log_probs = slow_generate(model, request)
        assert list(found.tokens) == tokens
        assert found.log_probs == pytest.approx(log_probs, abs=1e-4)
        assert found.finish == ("stop_id" if tokens and tokens[-1] in request.stop_ids else "length")
        assert generate(model, [request])[0].tokens == found.tokens


ONE_KV_HEAD = {**LLAMA, "kv_heads": 1}
SHOTS = prompt(9, 77)
FEW_SHOT = st.builds(lambda request: replace(request, prompt=[*SHOTS, *request.prompt]), REQUESTS)


@settings(max_examples=25, deadline=None)
@given(st.lists(REQUESTS | FEW_SHOT, max_size=12), st.integers(1, 5), st.sampled_from(["gpt2", "llama"]), st.booleans())
def test_a_refilled_batch_gives_each_request_what_it_gets_alone(
    make_model: Any, requests: list[Request], rows: int, kind: str, compiled: bool
) -> None:
    """Few places for many requests, stems that are shared, caches that fill up; with and without the kernel."""
    model = make_model(**(ONE_KV_HEAD if kind == "llama" else {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "WORTH_SHARING", 4)
        patch.setattr(running_batch, "SPARE", 1)
        together = generate(Engine(model.gpt) if compiled else model, requests, rows=rows)
    for request, found in zip(requests, together, strict=True):
        tokens, log_probs = slow_generate(model, request)
        assert list(found.tokens) == tokens
        assert found.log_probs == pytest.approx(log_probs, abs=1e-4)


def test_every_place_is_taken_again_at_once(make_model: Any) -> None:
    """Ten requests of two tokens pass by one of 20 tokens in its own 19 steps, not in 19 and then nine more."""
    model = make_model()
    requests = [Request(prompt(4), 20), *(Request(prompt(4, seed), 2) for seed in range(10, 20))]
    growing = [Continuation(request, None) for request in requests]
    decoded = []
    for step in steps(model, growing, 61, rows=2):
        for number, token, log_prob in zip(step.numbers, step.tokens, step.log_probs, strict=True):
            growing[number].push(token, log_prob)
        if 0 in step.numbers and len(growing[0].tokens) > 1:
            decoded.append(len(step.numbers))
    assert len(decoded) == 19
    assert decoded[:10] == [2] * 10
    assert model.positions == 11 * 4 + 19 + 10


def test_equal_prompts_are_read_once(make_model: Any) -> None:
    model = make_model()
    found = generate(model, [Request(prompt(9), 1, Sampling(seed=seed)) for seed in range(40)], rows=4)
    assert model.positions == 9
    assert len({completion.tokens for completion in found}) > 3, "and drawn from apart"


def test_a_shared_beginning_is_read_once(make_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [Request([*SHOTS, *prompt(2, seed)], 3) for seed in range(6)]
    alone = make_model()
    expected = generate(alone, requests)
    assert alone.positions == 6 * 11 + 6 * 2
    monkeypatch.setattr(prefixes, "WORTH_SHARING", 9)
    shared = make_model()
    assert [c.tokens for c in generate(shared, requests)] == [c.tokens for c in expected]
    assert shared.positions == 9 + 6 * 2 + 6 * 2


def test_only_the_longest_sequence_and_some_room_is_allocated(make_model: Any) -> None:
    model, asked = make_model(context=1024), []
    new_cache = model.new_cache
    model.new_cache = lambda batch, length: asked.append((batch, length)) or new_cache(batch, length)
    generate(model, [Request(prompt(4, seed), 6) for seed in range(9)], rows=3)
    assert max(batch for batch, _ in asked) == 3
    assert max(length for _, length in asked) == 4 + 6 - 1 + running_batch.SPARE


def test_the_order_of_a_batch_changes_nothing(model: Any) -> None:
    requests = [Request(prompt(n, n), 8, Sampling(seed=5)) for n in (3, 9, 1, 9)]
    forward, backward = generate(model, requests), generate(model, requests[::-1])
    assert [c.tokens for c in forward] == [c.tokens for c in backward[::-1]]
    assert forward[1].tokens == forward[3].tokens, "the same request, the same draw"


def test_a_seed_per_request(model: Any) -> None:
    found = generate(model, [Request(prompt(4), 8, Sampling(seed=seed)) for seed in range(6)])
    assert len({completion.tokens for completion in found}) == 6


def test_samples_of_one_prompt_differ_and_are_made_again(model: Any) -> None:
    requests = [Request(prompt(4), 8, Sampling(seed=3, sample=n, step=s)) for s in range(2) for n in range(6)]
    found = [completion.tokens for completion in generate(model, requests)]
    assert len(set(found)) == 12
    assert found[7] == generate(model, [requests[7]])[0].tokens, "whatever stands beside it"
    assert found[0] == generate(model, [Request(prompt(4), 8, Sampling(seed=3))])[0].tokens


def test_log_probs_are_the_models_own_not_the_filtered_ones(model: Any) -> None:
    logits = model(torch.tensor([prompt(4)]))[0, -1].double().log_softmax(-1)
    found = generate(model, [Request(prompt(4), 1, Sampling(temperature=0.1, top_k=2))])[0]
    assert found.log_probs[0] == pytest.approx(float(logits[found.tokens[0]]), abs=1e-5)


def test_the_cache_spares_what_it_promises(make_model: Any) -> None:
    model = make_model(context=32)
    generate(model, [Request([3], 32)])
    assert model.positions == 32, "without a cache it would be 32 · 33 / 2 = 528"


def test_rows_that_ended_are_no_longer_computed(make_model: Any) -> None:
    model = make_model()
    generate(model, [Request(prompt(4), 1), Request(prompt(4, 2), 10)])
    assert model.positions == 2 * 4 + 9


def test_a_long_prompt_beside_a_long_continuation(make_model: Any) -> None:
    """Padded together they would not fit the context of 32."""
    model = make_model()
    requests = [Request(prompt(30), 3), Request(prompt(2), 31), Request(prompt(20), 5), Request(prompt(3), 0)]
    assert [list(c.tokens) for c in generate(model, requests)] == [slow_generate(model, r)[0] for r in requests]


class PaddedVocabulary:
    """A model whose best logits are ids that no tokenizer knows."""

    def __init__(self, model: Any) -> None:
        self.config, self.new_cache, self._model = model.config, model.new_cache, model

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        logits: Tensor = self._model(*args, **kwargs).clone()
        logits[..., 50:] += 100
        return logits


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(), Sampling(temperature=9.0, repetition_penalty=1.5)])
def test_padded_ids_are_never_drawn(model: Any, sampling: Sampling) -> None:
    found = generate(PaddedVocabulary(model), [Request([1, 2], 20, sampling)], vocabulary=50)[0]
    assert max(found.tokens) < 50
    assert max(found.log_probs) <= 0, "and take no probability"


def test_text_and_stop_strings(model: Any) -> None:
    def decode(ids: list[int]) -> str:
        return "".join(f"{token} " for token in ids)

    whole = generate(model, [Request(prompt(4), 8)], decode=decode)[0]
    assert whole.text == decode(list(whole.tokens))
    stop = decode(list(whole.tokens[2:4]))[1:-1]  # from the middle of one token into another
    cut = generate(model, [Request(prompt(4), 8, stop_strings=(stop,)), Request(prompt(4), 8)], decode=decode)
    assert cut[0] == Completion(
        whole.tokens[:4], cut[0].log_probs, decode(list(whole.tokens[:2])) + str(whole.tokens[2])[:1], "stop_string"
    )
    assert cut[1].tokens == whole.tokens


TIMES = 4
"""Both ways round as often as plain arithmetic of their type does, at other places and in sums of another order."""


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8", "int4"])
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_cached_and_uncached_logits_are_as_exact_as_their_type(
    make_model: Any, widened: Callable[[GPT], GPT], precision: Any, kind: str
) -> None:
    """Measured against fp64, beside what the model loses where all of it is in fp32, or in bf16."""
    llama = {**LLAMA, "kv_heads": 2}
    model = make_model(width=64, heads=4, sharpness=3.0, **(llama if kind == "llama" else {}))
    if precision == "bf16":
        model.gpt.to(torch.bfloat16)
    elif precision != "fp32":
        quantize_(model.gpt, precision)
    text = torch.tensor([prompt(24, 1), prompt(24, 2)])
    cache = model.new_cache(2, 24)
    parts = [prefill(model, cache, text[:, :9]), *(decode_step(model, cache, text[:, t : t + 1]) for t in range(9, 24))]
    exact = copy.deepcopy(widened(model.gpt)).double()
    expected = exact(text)[:, 8:]
    plain = copy.deepcopy(exact).to(torch.float32 if precision == "fp32" else torch.bfloat16)(text)[:, 8:]

    def error(logits: Tensor) -> float:
        return float((logits.double() - expected).norm() / expected.norm())

    assert 0 < error(plain) < 0.05
    assert error(torch.stack(parts, dim=1)) <= TIMES * error(plain)
    assert error(model(text)[:, 8:]) <= TIMES * error(plain)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request([], 3), "request 1: the prompt is empty, .* BOS token"),
        (Request([61], 3), "request 1: the prompt has the unknown token id 61; ids are 0 to 60"),
        (Request([4, -1], 3), "request 1: the prompt has the unknown token id -1"),
        (Request([4], -1), "request 1: max_new must be at least 0, not -1"),
        (Request([4] * 20, 14), "request 1: 20 prompt tokens and 14 new ones don't fit the model's context of 32"),
        (Request([4] * 33, 0), "don't fit"),
        (Request([4], 3, stop_ids=frozenset({99})), "request 1: the stop id 99 is unknown; ids are 0 to 60"),
        (Request([4], 3, stop_strings=("a", "")), "request 1: a stop string is empty"),
        (Request([4], 3, stop_strings=("a",)), "request 1: stop strings need `decode`"),
    ],
)
def test_bad_requests_are_refused_before_any_work(make_model: Any, request_: Request, sentence: str) -> None:
    model = make_model()
    with pytest.raises(ValueError, match=sentence):
        generate(model, [Request([1], 2), request_], decode=str if "empty" in sentence else None)  # type: ignore[arg-type]
    assert model.positions == 0


def test_a_vocabulary_larger_than_the_models_is_refused(model: Any) -> None:
    for wrong in (62, 0):
        with pytest.raises(ValueError, match=f"a vocabulary of {wrong} tokens can't be drawn from logits of 61"):
            generate(model, [Request([1], 1)], vocabulary=wrong)


def test_nothing_asked_is_nothing_given(model: Any) -> None:
    assert generate(model, []) == []
    assert generate(model, [Request([1], 0)], decode=str) == [Completion((), (), "", "length")]  # type: ignore[arg-type]


def test_the_last_token_may_be_the_contexts_last(model: Any) -> None:
    assert len(generate(model, [Request(prompt(20), 13)])[0].tokens) == 13


def test_weights_that_are_not_numbers_are_told(make_model: Any) -> None:
    model = make_model()
    model.gpt.head.weight.data[3] = math.nan
    with pytest.raises(ValueError, match="logits are not numbers"):
        generate(model, [Request([1], 2)])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_engine_decodes_what_the_plain_model_does(make_model: Any, precision: Any) -> None:
    """Ragged batch, retiring rows, reordered and cut caches, through whatever kernel the engine has."""
    plain = make_model(width=64, heads=4, sharpness=4.0)
    if precision != "fp32":
        quantize_(plain.gpt, precision)
    engine = Engine(plain.gpt)
    requests = [
        Request(prompt(n, n), n, sampling=Sampling(temperature=0, repetition_penalty=1.3) if n % 2 else GREEDY)
        for n in (3, 9, 1, 6)
    ]
    ours, theirs = generate(engine, requests), generate(plain, requests)
    searched = beam_search(engine, [prompt(4), prompt(2)], beams=3, max_new=6)
    expected = beam_search(plain, [prompt(4), prompt(2)], beams=3, max_new=6)
    if precision == "fp32":  # in bf16 near ties may fall either way
        assert [c.tokens for c in ours] == [c.tokens for c in theirs]
        assert [[h.tokens for h in beam] for beam in searched] == [[h.tokens for h in beam] for beam in expected]
        assert speculate(engine, engine, requests[1]).completion.tokens == theirs[1].tokens
    same = [a == b for x, y in zip(ours, theirs, strict=True) for a, b in zip(x.tokens, y.tokens, strict=True)]
    assert sum(same) / len(same) > 0.7
    for completion, other in zip(ours, theirs, strict=True):
        assert completion.log_probs[0] == pytest.approx(other.log_probs[0], abs=0.1)
