"""Parameters with and without embeddings: there and back, from a shape, and what the count does to an exponent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.scaling.conversion import (
    counting,
    counts_of_shape,
    frontier_exponent,
    pearce_song,
    same_shape,
)
from harness.analysis.scaling.laws.chinchilla import Chinchilla
from harness.analysis.scaling.runs import Runs
from harness.errors import UserError

EPOCH = (1.8172, 482.01, 2085.43, 0.3478, 0.3658)
HOFFMANN = (1.6934, 406.4, 410.7, 0.3392, 0.2849)
"""Coefficients as Pearce & Song use them."""


@given(st.floats(1e3, 1e13))
def test_there_and_back(parameters: float) -> None:
    relation = pearce_song()
    there = relation.all_of(np.array([parameters]))
    assert there[0] == pytest.approx(parameters + 47491 * parameters ** (1 / 3), rel=1e-12)
    assert relation.without_embeddings(there)[0] == pytest.approx(parameters, rel=1e-9)


def test_a_ladder_of_one_shape_has_the_counts_of_its_models() -> None:
    relation = same_shape(width_per_layer=64, vocabulary=50257, positions=1024)
    for layers in (4, 12, 48):
        counts = counts_of_shape(layers, 64 * layers, 50257, 1024)
        assert relation.all_of(np.array([float(counts.non_embedding)]))[0] == pytest.approx(counts.all, rel=1e-12)
    own_head = counts_of_shape(12, 768, 50257, 1024, tied=False)
    assert own_head.all == counts_of_shape(12, 768, 50257, 1024).all + 768 * 50257


def test_gpt_2_has_its_124_million() -> None:
    counts = counts_of_shape(12, 768, 50257, 1024)
    assert counts.non_embedding == 84_934_656
    assert counts.all == pytest.approx(124.4e6, rel=1e-3)


def test_the_shape_behind_gamma() -> None:
    """39.2 wide per layer and 32,000 tokens: the models of Hoffmann et al."""
    sizes = np.array([1e6, 1e9])
    np.testing.assert_allclose(same_shape(39.2, 32000).all_of(sizes), pearce_song().all_of(sizes), rtol=2e-4)


def test_runs_name_the_conversion_and_have_its_compute(plant: Callable[..., Runs]) -> None:
    runs = replace(plant(Chinchilla(), EPOCH), counted="all")
    relation = pearce_song()
    without = counting(runs, "non_embedding", relation)
    assert without.counted == "non_embedding" and "Pearce & Song" in without.converted
    assert (without.parameters < runs.parameters).all()
    np.testing.assert_allclose(without.compute, 6 * without.parameters * runs.tokens)
    np.testing.assert_allclose(counting(without, "all", relation).parameters, runs.parameters, rtol=1e-9)
    assert counting(runs, "all", relation) is runs


def test_what_cannot_be_converted_is_said(plant: Callable[..., Runs]) -> None:
    runs = plant(Chinchilla(), EPOCH)
    with pytest.raises(UserError, match="whether N counts embeddings is not said"):
        counting(runs, "all", pearce_song())
    tiny = replace(runs, counted="all", parameters=np.full(len(runs), 40_000.0))
    with pytest.raises(UserError, match="less than the embeddings"):
        counting(tiny, "non_embedding", pearce_song())


@pytest.mark.parametrize(("natural", "published"), [(EPOCH, 0.78), (HOFFMANN, 0.74)])
def test_the_count_alone_makes_the_exponent_of_kaplan(natural: tuple[float, ...], published: float) -> None:
    """20 sizes of 10^2.9 to 10^9.2, budgets of 10^12.95 to 10^20.7 (Pearce & Song 2024); in the law's own count about
    .5."""
    sizes, compute = np.logspace(2.9, 9.2, 20), np.logspace(12.95, 20.7, 100)
    exponent, name = frontier_exponent(Chinchilla(), np.array(natural), pearce_song(), sizes, compute)
    assert exponent == pytest.approx(published, abs=0.01)
    assert "47491" in name
    alpha, beta = natural[-2:]
    dense, _ = frontier_exponent(Chinchilla(), np.array(natural), pearce_song(), np.logspace(2.9, 9.2, 3000), compute)
    assert dense == pytest.approx(published, abs=0.01)
    same = np.logspace(1, 14, 3000)
    large, _ = frontier_exponent(Chinchilla(), np.array(natural), pearce_song(0.0), same, np.logspace(16, 26, 50))
    assert large == pytest.approx(beta / (alpha + beta), abs=0.002)
