"""Defects of decoding that shipped in admired code, and the check of each: it must pass on the sound implementation and
fail on the bad one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from reference_impl.decoding import generation, speculative
from reference_impl.decoding.causal_model import Arrival
from reference_impl.decoding.generation import generate
from reference_impl.decoding.request import Completion, Request
from reference_impl.decoding.sampling import Sampling, distribution, draw, in_nucleus
from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from tests.tiny_models import sharp_gpt


class Model:
    """A small random GPT with preferences; keyword arguments that a defect adds to every forward pass."""

    def __init__(self, seed: int = 0, vocabulary: int = 41, width: int = 16) -> None:
        self.config = GPTConfig(vocabulary, context=32, layers=2, heads=2, width=width, tie_head=False)
        self.gpt = sharp_gpt(self.config, seed=seed).requires_grad_(False)

    def new_cache(self, batch: int, length: int) -> KVCache:
        return KVCache.for_model(self.gpt, batch, length)

    def forward(self, tokens: Tensor, *rest: Any, **given: Any) -> Tensor:
        logits: Tensor = self.gpt(tokens, *rest, **given)
        return logits


# --- the nucleus -----------------------------------------------------------------------------------------------------

Nucleus = Callable[[Tensor, float], Tensor]


def nucleus_is_exact(nucleus: Nucleus) -> bool:
    """Hand-computed: the crossing token is kept and nothing more."""
    cases = [([0.95, 0.03, 0.02], 0.9, 1), ([0.5, 0.25, 0.125, 0.125], 0.6, 2), ([0.5, 0.25, 0.125, 0.125], 0.75, 2)]
    return all(
        nucleus(torch.tensor([row], dtype=torch.float64), p)[0].tolist() == [i < kept for i in range(len(row))]
        for row, p, kept in cases
    )


def test_a_nucleus_that_always_keeps_two_is_seen() -> None:
    def keeps_two(probabilities: Tensor, p: float) -> Tensor:
        outside = probabilities.cumsum(-1) > p
        outside[:, 0] = False  # before the shift, where it belongs after it
        outside[:, 1:] = outside[:, :-1].clone()
        return ~outside

    assert nucleus_is_exact(in_nucleus)
    assert not nucleus_is_exact(keeps_two)


def test_a_nucleus_that_drops_the_crossing_token_is_seen() -> None:
    def drops(probabilities: Tensor, p: float) -> Tensor:
        inside = probabilities.cumsum(-1) <= p
        inside[:, 0] = True
        return inside

    assert not nucleus_is_exact(drops)


# --- batches ---------------------------------------------------------------------------------------------------------

Generate = Callable[[Any, Sequence[Request]], list[Completion]]


def rows_depend_on_themselves_alone(serve: Generate, model: Any, temperature: float) -> bool:
    """Every request of a ragged batch gets what it gets alone."""
    requests = [Request(list(range(1, n)), 8, Sampling(temperature, seed=n)) for n in (3, 9, 6)]
    alone, together = [serve(model, [request])[0] for request in requests], serve(model, requests)
    return all(
        one.tokens == other.tokens and one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
        for one, other in zip(together, alone, strict=True)
    )


def test_left_padding_without_positions_is_seen() -> None:
    class CountsPadding(Model):
        def forward(self, tokens: Tensor, cache: Any = None, **given: Any) -> Tensor:
            held = cache.length
            return super().forward(
                tokens, cache=cache, positions=torch.arange(held, held + tokens.size(1)).expand_as(tokens), **given
            )

    assert rows_depend_on_themselves_alone(generate, Model(), 0.0)
    assert not rows_depend_on_themselves_alone(generate, CountsPadding(), 0.0)


def test_left_padding_that_is_attended_to_is_seen() -> None:
    class Attends(Model):
        def forward(self, tokens: Tensor, cache: Any = None, attention_mask: Any = None, **given: Any) -> Tensor:
            positions = None
            if attention_mask is not None:
                positions = (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.size(1) :]
            return super().forward(tokens, cache=cache, positions=positions, **given)

    assert not rows_depend_on_themselves_alone(generate, Attends(), 0.0)


def test_one_seed_shared_by_all_rows_is_seen(monkeypatch: Any) -> None:
    def shared(model: Any, requests: Sequence[Request]) -> list[Completion]:
        stream = torch.Generator().manual_seed(0)
        with monkeypatch.context() as patch:
            patch.setattr(generation, "request_stream", lambda request: stream)
            return generate(model, requests)

    assert rows_depend_on_themselves_alone(generate, Model(), 1.0)
    assert not rows_depend_on_themselves_alone(shared, Model(), 1.0)


def refilled_rows_depend_on_themselves_alone(model: Any) -> bool:
    """With two places for many requests, each gets what it gets alone, whoever was in its place before."""

    def two_at_once(model: Any, requests: Sequence[Request]) -> list[Completion]:
        return generate(model, requests, rows=2)

    requests = [Request(list(range(1, n)), new, Sampling(0.0)) for n, new in ((20, 3), (15, 2), (9, 4), (6, 2), (3, 9))]
    alone = [generate(model, [request])[0] for request in requests]
    return all(
        one.tokens == other.tokens and one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
        for one, other in zip(two_at_once(model, requests), alone, strict=True)
    )


def test_a_refill_that_sees_who_was_there_before_is_seen() -> None:
    class SeesBefore(Model):
        """Never masks a place of the cache again that a row of it once looked at."""

        begins = (32, 32)

        def forward(self, tokens: Tensor, cache: Any = None, attention_mask: Any = None, **given: Any) -> Tensor:
            if attention_mask is not None:
                given["positions"] = (attention_mask.cumsum(-1) - 1)[:, -1:]
                attention_mask = attention_mask.clone()
                now = [*attention_mask.argmax(1).tolist(), 32][:2]
                self.begins = tuple(map(min, self.begins, now))
                for row, mask in enumerate(attention_mask):
                    mask[self.begins[row] :] = 1
            return super().forward(tokens, cache=cache, attention_mask=attention_mask, **given)

    assert refilled_rows_depend_on_themselves_alone(Model())
    assert not refilled_rows_depend_on_themselves_alone(SeesBefore())


def test_a_refill_that_goes_on_counting_positions_is_seen() -> None:
    class CountsOn(Model):
        def forward(self, tokens: Tensor, cache: Any = None, **given: Any) -> Tensor:
            given["positions"] = (cache.length + torch.arange(tokens.size(1))).expand_as(tokens)
            return super().forward(tokens, cache=cache, **given)

    assert not refilled_rows_depend_on_themselves_alone(CountsOn())


def test_a_refill_that_is_put_one_place_late_is_seen(monkeypatch: Any) -> None:
    place = KVCache.place

    def late(self: KVCache, arrivals: Sequence[Arrival]) -> None:
        place(self, [replace(arrival, tokens=arrival.tokens - 1) for arrival in arrivals])

    monkeypatch.setattr(KVCache, "place", late)
    assert not refilled_rows_depend_on_themselves_alone(Model())


# --- vocabulary and cache --------------------------------------------------------------------------------------------


def test_padded_vocabulary_that_is_sampled_is_seen() -> None:
    def only_known_ids(serve: Callable[[Any, Request], Completion]) -> bool:
        """At a high temperature every id that can be drawn is drawn."""
        hot = [serve(Model(), Request([1], 30, Sampling(30.0, seed=seed))) for seed in range(5)]
        return max(max(completion.tokens) for completion in hot) < 30

    assert only_known_ids(lambda model, request: generate(model, [request], vocabulary=30)[0])
    assert not only_known_ids(lambda model, request: generate(model, [request])[0])


def test_a_cache_off_by_one_is_seen() -> None:
    def cached_is_uncached(model: Any) -> bool:
        """Logits of decoding with a cache are those of one pass over the text."""
        text, cache = torch.arange(12)[None] * 3, model.new_cache(1, 12)
        parts = [
            model.forward(text[:, :5], cache=cache),
            *(model.forward(text[:, t : t + 1], cache=cache) for t in range(5, 12)),
        ]
        return bool(torch.allclose(torch.cat(parts, dim=1), model.forward(text), atol=1e-4))

    class Late(Model):
        def forward(self, tokens: Tensor, cache: Any = None, **given: Any) -> Tensor:
            if cache is not None and cache.length:
                given["positions"] = torch.arange(cache.length + 1, cache.length + 1 + tokens.size(1))[None]
            return super().forward(tokens, cache=cache, **given)

    assert cached_is_uncached(Model())
    assert not cached_is_uncached(Late())


# --- speculation -----------------------------------------------------------------------------------------------------


def speculation_has_the_targets_distribution(rounds: int = 500) -> bool:
    """Chi-square of two tokens of a vocabulary of 4 against their exact probabilities."""
    target, draft, prompt = Model(1, vocabulary=4, width=8), Model(11, vocabulary=4, width=8), [1, 2]
    sampling = Sampling(temperature=0.5)
    exact = []
    for first, second in itertools.product(range(4), repeat=2):
        one = distribution(target.forward(torch.tensor([prompt]))[:, -1], sampling)[0, first]
        two = distribution(target.forward(torch.tensor([[*prompt, first]]))[:, -1], sampling)[0, second]
        exact.append(float(one * two))
    counts = [0] * 16
    for seed in range(rounds):
        request = Request(prompt, 2, Sampling(temperature=0.5, seed=seed))
        first, second = speculative.speculate(target, draft, request, lookahead=1).completion.tokens
        counts[first * 4 + second] += 1
    assert min(exact) * rounds >= 5, "every cell can be counted"
    return bool(chisquare(counts, [p * rounds for p in exact]).pvalue > 1e-3)


def test_speculation_is_sound() -> None:
    assert speculation_has_the_targets_distribution()


def test_a_refused_token_replaced_by_a_plain_draw_is_seen(monkeypatch: Any) -> None:
    monkeypatch.setattr(speculative, "residual", lambda truth, guess: truth)
    assert not speculation_has_the_targets_distribution()


def test_an_inverted_acceptance_is_seen(monkeypatch: Any) -> None:
    def inverted(proposed: list[int], truths: Tensor, guesses: Tensor, stream: torch.Generator) -> tuple[int, int]:
        for place, token in enumerate(proposed):
            uniform = float(torch.rand((), generator=stream))
            if uniform * float(truths[place, token]) < float(guesses[place, token]):  # min(1, q/p)
                continue
            return place, int(draw(speculative.residual(truths[place], guesses[place])[None], torch.rand(1)))
        return len(proposed), int(draw(truths[-1:], torch.rand(1, generator=stream)))

    monkeypatch.setattr(speculative, "verify", inverted)
    assert not speculation_has_the_targets_distribution()


def test_a_residual_that_is_not_normalized_is_seen(monkeypatch: Any) -> None:
    """Drawing from max(0, p - q) as if it summed to one leaves the last token what is missing."""

    def short(truth: Tensor, guess: Tensor) -> Tensor:
        left = (truth - guess).clamp(min=0)
        left[-1] += 1 - left.sum()
        return left

    monkeypatch.setattr(speculative, "residual", short)
    assert not speculation_has_the_targets_distribution()


def test_a_draft_cache_that_is_not_rewound_is_seen(monkeypatch: Any) -> None:
    def greedy_is_plain_greedy() -> bool:
        request = Request([1, 2, 3], 20)
        try:
            found = speculative.speculate(Model(0), Model(2), request, lookahead=3).completion.tokens
        except (ValueError, IndexError, RuntimeError):
            return False
        return found == generate(Model(0), [request])[0].tokens

    assert greedy_is_plain_greedy()
    monkeypatch.setattr(speculative._Reader, "rewind", lambda self, length: None)
    assert not greedy_is_plain_greedy()
