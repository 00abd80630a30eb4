"""Speculation changes the time, never the text: greedy is the same, samples have the same distribution."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from reference_impl.decoding.generation import generate
from reference_impl.decoding.request import Request
from reference_impl.decoding.sampling import Sampling, distribution
from reference_impl.decoding.speculative import residual, speculate, verify


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=10),
    st.integers(0, 22),
    st.integers(1, 7),
    st.integers(0, 2),
    st.sampled_from([1.0, 1.5]),
    st.sets(st.integers(0, 60), max_size=5),
)
def test_greedy_is_the_same(
    model: Any, make_model: Any, prompt: list[int], new: int, lookahead: int, seed: int, penalty: float, stops: set[int]
) -> None:
    request = Request(prompt, new, Sampling(temperature=0, repetition_penalty=penalty), frozenset(stops))
    draft = make_model(seed=seed, layers=1)
    plain, found = generate(model, [request])[0], speculate(model, draft, request, lookahead=lookahead)
    assert found.completion.tokens == plain.tokens
    assert found.completion.finish == plain.finish
    assert found.completion.log_probs == pytest.approx(plain.log_probs, abs=1e-4)
    assert 0 <= found.accepted <= found.drafted


def test_a_perfect_draft_is_always_accepted_and_saves_passes(model: Any) -> None:
    for sampling in (Sampling(temperature=0), Sampling(seed=4)):
        found = speculate(model, model, Request([1, 2], 20, sampling), lookahead=4)
        assert found.acceptance_rate == 1
        assert found.passes == 4, "five tokens a pass"
    nothing = speculate(model, model, Request([1, 2], 1), lookahead=4)
    assert (nothing.drafted, nothing.passes) == (0, 1) and math.isnan(nothing.acceptance_rate)


def test_a_draft_of_another_mind_is_mostly_refused(model: Any, make_model: Any) -> None:
    found = speculate(model, make_model(seed=9), Request([1, 2], 25), lookahead=4)
    assert found.acceptance_rate < 0.5
    assert len(found.completion.tokens) == 25 <= found.passes + found.accepted


SAMPLED = [Sampling(temperature=1.3), Sampling(top_k=4, top_p=0.95, repetition_penalty=1.5)]


@pytest.mark.parametrize("sampling", SAMPLED)
def test_samples_have_the_exact_distribution_of_plain_sampling(make_model: Any, sampling: Sampling) -> None:
    """Three tokens from a vocabulary of 5: all 125 continuations, their probabilities computed without a cache."""
    target = make_model(seed=2, sharpness=12.0, vocabulary=5, context=8, layers=1, width=8)
    draft = make_model(seed=5, sharpness=12.0, vocabulary=5, context=8, layers=1, width=8)
    prompt, n = [1, 4], 800
    exact = []
    for tokens in itertools.product(range(5), repeat=3):
        probability, text = 1.0, list(prompt)
        for token in tokens:
            seen = torch.zeros(1, 5, dtype=torch.bool)
            seen[0, text] = True
            probability *= float(distribution(target(torch.tensor([text]))[:, -1], sampling, seen)[0, token])
            text.append(token)
        exact.append(probability)
    counts, drafted, accepted = [0] * 125, 0, 0
    for seed in range(n):
        request = Request(prompt, 3, Sampling(**(vars(sampling) | {"seed": seed})))
        found = speculate(target, draft, request, lookahead=2)
        a, b, c = found.completion.tokens
        counts[a * 25 + b * 5 + c] += 1
        drafted, accepted = drafted + found.drafted, accepted + found.accepted
    assert 0.05 < accepted / drafted < 0.95, "both ways are taken"
    assert pooled_chisquare(counts, exact, n) > 1e-3


def pooled_chisquare(counts: list[int], exact: list[float], n: int) -> float:
    """p-value, with the cells that expect fewer than 5 counted together."""
    large = [i for i, p in enumerate(exact) if p * n >= 5]
    observed, expected = [counts[i] for i in large], [exact[i] * n for i in large]
    rest = n - sum(expected)
    if rest > 1e-6:
        observed, expected = [*observed, n - sum(observed)], [*expected, rest]
    else:
        assert sum(observed) == n, "nothing impossible was drawn"
    return float(chisquare(observed, expected).pvalue)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6))
def test_accepting_or_replacing_adds_up_to_the_target(pairs: list[tuple[float, float]]) -> None:
    """q · min(1, p/q) + P(refused) · residual = p, computed rather than sampled."""
    p, q = torch.tensor(pairs, dtype=torch.float64).add(1e-3).T
    p, q = p / p.sum(), q / q.sum()
    accepted = torch.minimum(p, q)
    refused = 1 - accepted.sum()
    if refused > 1e-9:
        torch.testing.assert_close(accepted + refused * residual(p, q), p)


def test_verification_by_hand() -> None:
    truths = torch.tensor([[0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    guesses = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    stream = torch.Generator().manual_seed(0)
    assert verify([0], truths, guesses, stream) == (0, 1), "never the target's: refused, and replaced"
    assert verify([1], truths, guesses, stream)[0] == 1, "likelier to the target than to the draft: always kept"


def test_text_and_stop_strings_end_speculation(model: Any, make_model: Any) -> None:
    def decode(ids: list[int]) -> str:
        return "".join(f"{token} " for token in ids)

    whole = generate(model, [Request([7, 3], 12)], decode=decode)[0]
    request = Request([7, 3], 12, stop_strings=(f"{whole.tokens[4]} {whole.tokens[5]}",))
    plain = generate(model, [request], decode=decode)[0]
    found = speculate(model, model, request, decode=decode, lookahead=5).completion
    assert (found.tokens, found.text, found.finish) == (plain.tokens, plain.text, "stop_string")


@pytest.mark.parametrize(
    ("draft", "given", "sentence"),
    [
        ({"vocabulary": 64}, {}, "the target has 61 token ids and the draft 64"),
        ({"context": 8}, {}, "don't fit the model's context of 8"),
        ({}, {"lookahead": 0}, "lookahead must be at least 1, not 0"),
    ],
)
def test_bad_input(model: Any, make_model: Any, draft: dict[str, int], given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        speculate(model, make_model(**draft), Request([1], 20), **given)


def test_vocabularies_that_differ_in_their_padding_may_be_limited(model: Any, make_model: Any) -> None:
    found = speculate(model, make_model(vocabulary=64), Request([1], 12), vocabulary=50)
    assert found.completion.tokens == generate(model, [Request([1], 12)], vocabulary=50)[0].tokens
