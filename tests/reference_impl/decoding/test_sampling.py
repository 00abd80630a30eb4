"""Every rule of sampling: cases by hand, a slow obvious oracle, and a chi-square test of what is drawn."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from reference_impl.decoding.sampling import (
    GREEDY,
    Sampling,
    distribution,
    draw,
    in_nucleus,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    ranked,
    request_generator,
)


def logits_of(*probabilities: float) -> Tensor:
    return torch.tensor([probabilities], dtype=torch.float64).log()


def kept(logits: Tensor) -> list[int]:
    return (logits[0] > -math.inf).nonzero()[:, 0].tolist()


# --- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probabilities", "p", "inside"),
    [
        ([0.5, 0.25, 0.125, 0.125], 0.5, [1, 0, 0, 0]),  # reached exactly: nothing more
        ([0.5, 0.25, 0.125, 0.125], 0.501, [1, 1, 0, 0]),  # the crossing token is kept
        ([0.5, 0.25, 0.125, 0.125], 0.75, [1, 1, 0, 0]),
        ([0.5, 0.25, 0.125, 0.125], 0.76, [1, 1, 1, 0]),
        ([0.95, 0.03, 0.02], 0.9, [1, 0, 0]),  # OLMo-core's sampler kept two here
        ([0.95, 0.03, 0.02], 1e-9, [1, 0, 0]),  # never empty
        ([0.25, 0.25, 0.25, 0.25], 0.5, [1, 1, 0, 0]),
        ([1.0, 0.0, 0.0], 0.999, [1, 0, 0]),
    ],
)
def test_the_nucleus_by_hand(probabilities: list[float], p: float, inside: list[int]) -> None:
    assert in_nucleus(torch.tensor([probabilities], dtype=torch.float64), p)[0].tolist() == list(map(bool, inside))


def test_top_p_finds_the_nucleus_wherever_it_stands() -> None:
    logits = logits_of(0.125, 0.5, 0.125, 0.25)
    assert kept(keep_top_p(logits, 0.7)) == [1, 3]
    assert kept(keep_top_p(logits, 0.8)) == [0, 1, 3], "of two equals the lower id"
    assert kept(keep_top_p(logits, 0.4)) == [1]


def test_p_of_one_removes_nothing_not_even_what_rounding_would() -> None:
    logits = torch.tensor([[0.0, -100.0, -200.0]])  # the first token's probability rounds to 1
    assert kept(keep_top_p(logits, 1.0)) == [0, 1, 2]
    assert (distribution(logits, Sampling(top_p=1.0)) > 0).all()


def test_a_nucleus_beyond_the_first_candidates() -> None:
    """Flat distributions need more tokens than are ranked at first."""
    logits = torch.zeros(2, 4096, dtype=torch.float64)
    logits[1, 7] = 50.0
    flat, peaked = keep_top_p(logits, 0.5)
    assert kept(flat[None]) == list(range(2048))
    assert kept(peaked[None]) == [7]


def test_top_k_keeps_exactly_k_and_the_lowest_ids_of_equals() -> None:
    logits = torch.tensor([[1.0, 3.0, 1.0, 1.0, 2.0]])
    assert kept(keep_top_k(logits, 1)) == [1]
    assert kept(keep_top_k(logits, 3)) == [0, 1, 4]
    assert kept(keep_top_k(logits, 4)) == [0, 1, 2, 4]
    assert kept(keep_top_k(logits, 99)) == [0, 1, 2, 3, 4]


def test_min_p_by_hand() -> None:
    logits = logits_of(0.5, 0.25, 0.15, 0.1)
    assert kept(keep_min_p(logits, 0.29)) == [0, 1, 2]
    assert kept(keep_min_p(logits, 0.31)) == [0, 1]
    assert kept(keep_min_p(torch.zeros(1, 3), 1.0)) == [0, 1, 2], "1 keeps those as likely as the most likely"


def test_repetition_penalty_lowers_logits_of_either_sign() -> None:
    logits, seen = torch.tensor([[2.0, -2.0, 1.0, -1.0]]), torch.tensor([[True, True, False, False]])
    assert penalize_repetition(logits, seen, 2.0).tolist() == [[1.0, -4.0, 1.0, -1.0]]


def test_temperature_by_hand() -> None:
    logits = logits_of(0.8, 0.2)
    assert distribution(logits, Sampling(temperature=0.5))[0].tolist() == pytest.approx([16 / 17, 1 / 17])
    assert distribution(logits, Sampling(temperature=2.0))[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert distribution(torch.tensor([[0.0, 1.0, 1.0]]), GREEDY)[0].tolist() == [0, 1, 0], "the lowest id of equals"


@pytest.mark.parametrize("temperature", [1e-300, 1e-320, 5e-324])
def test_the_limit_of_temperature_is_uniform_over_the_best(temperature: float) -> None:
    assert distribution(torch.tensor([[3.0, 5.0, 5.0]]), Sampling(temperature=temperature))[0].tolist() == [0, 0.5, 0.5]


def test_the_order_of_the_filters() -> None:
    """Temperature before top-p: at temperature 2 (.64, .16, .16, .04) is (.4, .2, .2, .2 · ½ …), and .6 needs more."""
    logits = logits_of(0.64, 0.16, 0.16, 0.04)  # square roots: .8 .4 .4 .2, so 4/9 2/9 2/9 1/9
    assert kept(distribution(logits, Sampling(top_p=0.6)).log()) == [0]
    assert kept(distribution(logits, Sampling(top_p=0.6, temperature=2.0)).log()) == [0, 1]
    # top-k before top-p: of (.4, .3, .2, .1) two remain as (4/7, 3/7), and 4/7 reaches .5.
    logits = logits_of(0.4, 0.3, 0.2, 0.1)
    assert kept(distribution(logits, Sampling(top_k=2, top_p=0.5)).log()) == [0]
    assert kept(distribution(logits, Sampling(top_p=0.5)).log()) == [0, 1]
    # the penalty comes first: it may change which token is greedy.
    seen = torch.tensor([[True, False]])
    assert distribution(torch.tensor([[3.0, 2.0]]), Sampling(temperature=0, repetition_penalty=2.0), seen)[0, 1] == 1


# --- against an oracle -----------------------------------------------------------------------------------------------


def slow_distribution(row: list[float], seen: list[bool], sampling: Sampling) -> list[float]:
    """The rules one by one on Python numbers."""
    penalty = sampling.repetition_penalty
    row = [(x / penalty if x > 0 else x * penalty) if s else x for x, s in zip(row, seen, strict=True)]
    order = sorted(range(len(row)), key=lambda i: (-row[i], i))
    if sampling.temperature == 0:
        return [float(i == order[0]) for i in range(len(row))]
    row = [x / sampling.temperature for x in row]

    def softmax(ids: list[int]) -> dict[int, float]:
        top = max(row[i] for i in ids)
        weights = {i: math.exp(row[i] - top) for i in ids}
        total = math.fsum(weights.values())
        return {i: weight / total for i, weight in weights.items()}

    ids = order[: sampling.top_k]
    if sampling.top_p < 1:
        probabilities, prefix, mass = softmax(ids), [], 0.0
        for i in ids:
            prefix.append(i)
            mass += probabilities[i]
            if mass >= sampling.top_p:
                break
        ids = prefix
    probabilities = softmax(ids)
    best = max(probabilities.values())
    left = softmax([i for i in ids if probabilities[i] >= sampling.min_p * best])
    return [left.get(i, 0.0) for i in range(len(row))]


SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.9]),
    top_k=st.none() | st.integers(1, 12),
    top_p=st.sampled_from([0.1, 0.37, 0.61, 0.93, 1.0]),
    min_p=st.sampled_from([0.0, 0.07, 0.33]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.8]),
)
# Few distinct values, so that ties are common; offsets that no threshold falls on exactly.
ROWS = st.lists(st.sampled_from([-2.1, -1.0, 0.0, 0.4, 1.7, 3.3]), min_size=8, max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=3), st.lists(st.booleans(), min_size=8, max_size=8), SAMPLINGS)
def test_equals_the_slow_way(rows: list[list[float]], seen: list[bool], sampling: Sampling) -> None:
    logits = torch.tensor(rows, dtype=torch.float64)
    found = distribution(logits, sampling, torch.tensor([seen] * len(rows)))
    for row, probabilities in zip(rows, found.tolist(), strict=True):
        assert probabilities == pytest.approx(slow_distribution(row, seen, sampling), abs=1e-12)


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 8))
def test_ranked_is_a_stable_sort(rows: list[list[float]], k: int) -> None:
    expected = [sorted(range(8), key=lambda i: (-row[i], i))[:k] for row in rows]
    assert ranked(torch.tensor(rows), k).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_type_of_logits(dtype: torch.dtype) -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0)).to(dtype)
    found = distribution(logits, Sampling(top_k=20, top_p=0.8, min_p=0.01))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.sum(-1), torch.ones(3, dtype=torch.float64))


# --- the draw --------------------------------------------------------------------------------------------------------


def test_the_draw_by_hand() -> None:
    probabilities = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]], dtype=torch.float64).repeat(5, 1)
    uniforms = torch.tensor([0.0, 0.2499, 0.25, 0.9999, 1 - 2**-53], dtype=torch.float64)
    assert draw(probabilities, uniforms).tolist() == [1, 1, 3, 3, 3]


@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 0.1, 0.7]), min_size=1, max_size=9), st.integers(0, 2**53 - 1))
def test_what_has_no_probability_is_never_drawn(weights: list[float], number: int) -> None:
    weights[0] = weights[0] or 0.3
    probabilities = torch.tensor([weights], dtype=torch.float64)
    drawn = draw(probabilities, torch.tensor([number / 2**53], dtype=torch.float64))
    assert probabilities[0, drawn] > 0


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0.7, top_k=6),
        Sampling(top_p=0.8),
        Sampling(temperature=1.5, top_k=9, top_p=0.9, min_p=0.1),
    ],
)
def test_draws_follow_the_exact_distribution(sampling: Sampling) -> None:
    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(3)) * 1.5
    exact = torch.tensor(slow_distribution(logits.double()[0].tolist(), [False] * 12, sampling), dtype=torch.float64)
    n = 20_000
    uniforms = torch.rand(n, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    counts = draw(distribution(logits, sampling).expand(n, -1), uniforms).bincount(minlength=12)
    assert not counts[exact == 0].any()
    possible = exact > 0
    assert chisquare(counts[possible].numpy(), (exact[possible] * n).numpy()).pvalue > 1e-3


def test_random_numbers_of_a_request_depend_on_seed_and_prompt_alone() -> None:
    def first(seed: int, prompt: list[int]) -> list[float]:
        return torch.rand(3, generator=request_generator(seed, prompt)).tolist()

    assert first(1, [5, 6]) == first(1, [5, 6])
    assert len({tuple(first(seed, prompt)) for seed in (0, 1, 2**64 - 1) for prompt in ([5, 6], [56], [6, 5])}) == 9


def test_random_numbers_of_samples_and_steps_are_independent_and_the_first_are_as_ever() -> None:
    def first(*key: int) -> float:
        seed, sample, step = key
        return float(torch.rand((), generator=request_generator(seed, [5, 6], sample, step)))

    assert len({first(*key) for key in itertools.product(range(3), repeat=3)}) == 27
    assert first(1, 0, 0) == float(torch.rand((), generator=request_generator(1, [5, 6])))
    assert first(7, 0, 0) == pytest.approx(0.8764359951019287, abs=1e-7), "stored runs can be made again"


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0"),
        ({"temperature": math.nan}, "temperature must be"),
        ({"temperature": math.inf}, "temperature must be"),
        ({"top_k": 0}, "top_k must be a whole number from 1, or None, not 0"),
        ({"top_k": 2.5}, "top_k must be"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1"),
        ({"top_p": 1.01}, "top_p must be above 0 and at most 1"),
        ({"min_p": -0.1}, "min_p must be"),
        ({"min_p": 1.5}, "min_p must be"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"seed": -1}, "seed must be"),
        ({"sample": -1}, "sample must be"),
        ({"step": 1.0}, "step must be"),
        ({"temperature": True}, "temperature must be"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Sampling(**settings)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("sampling", [GREEDY, Sampling()])
def test_logits_that_are_not_numbers_are_refused(bad: float, sampling: Sampling) -> None:
    with pytest.raises(ValueError, match="logits are not numbers"):
        distribution(torch.tensor([[0.0, 1.0], [0.0, bad]]), sampling)
    with pytest.raises(ValueError, match="logits are not numbers"):
        distribution(torch.full((1, 2), -math.inf), sampling)
    assert distribution(torch.tensor([[0.0, -math.inf]]), sampling)[0].tolist() == [1, 0]


def test_a_penalty_without_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the tokens that were seen"):
        distribution(torch.zeros(1, 2), Sampling(repetition_penalty=1.2))
