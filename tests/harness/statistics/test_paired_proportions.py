"""Paired shares: against published figures, against enumeration, and by how often they cover the truth."""

from itertools import product
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.paired_proportions import (
    PairedCounts,
    clustered_difference,
    paired_counts,
    paired_difference,
    sign_flip_test,
)
from harness.statistics.proportions import wilson

judgements = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), min_size=1, max_size=10)


def spread(counts: PairedCounts) -> tuple[list[bool], list[bool]]:
    """Documents with these counts."""
    pairs = [(True, True)] * int(counts.both) + [(True, False)] * int(counts.only_base)
    pairs += [(False, True)] * int(counts.only_head) + [(False, False)] * int(counts.neither)
    return [a for a, _ in pairs], [b for _, b in pairs]


def test_the_four_counts() -> None:
    assert paired_counts([1, 1, 0, 0, 0], [1, 0, 1, 0, 0]) == (1, 1, 1, 2)
    with pytest.raises(ValueError, match="one judgment"):
        paired_counts([1, 0], [1])


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        (PairedCounts(36, 2, 12, 0), 0.0569, 0.3404),
        (PairedCounts(0, 0, 30, 0), 0.8395, 1.0),
    ],
)
def test_published_intervals(counts: PairedCounts, low: float, high: float) -> None:
    found = paired_difference(counts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)
    assert found.n == counts.total


def test_where_nothing_flipped_it_is_as_wide_as_wilsons() -> None:
    found, share = paired_difference(PairedCounts(54, 0, 0, 0)), wilson(54, 54)
    assert share.low is not None
    assert (found.low, found.high) == pytest.approx((share.low - 1, 1 - share.low))


@given(counts=st.tuples(*[st.integers(0, 40)] * 4).filter(lambda counts: sum(counts) > 1))
def test_the_interval_holds_the_value_and_turns_with_the_sides(counts: tuple[int, int, int, int]) -> None:
    both, base, head, neither = counts
    found = paired_difference(PairedCounts(*counts))
    turned = paired_difference(PairedCounts(both, head, base, neither))
    assert found.low is not None and found.high is not None and turned.low is not None and turned.high is not None
    assert -1 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1
    assert found.low < found.high
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))


def _coverage(n: int, chances: tuple[float, float, float, float]) -> float:
    """How often the interval holds the true difference: every outcome with its multinomial chance."""
    covered = 0.0
    for a, b, c in product(range(n + 1), repeat=3):
        if (d := n - a - b - c) < 0:
            continue
        found = paired_difference(PairedCounts(a, b, c, d))
        assert found.low is not None and found.high is not None
        if found.low <= chances[2] - chances[1] <= found.high:
            ways = factorial(n) // (factorial(a) * factorial(b) * factorial(c) * factorial(d))
            covered += ways * chances[0] ** a * chances[1] ** b * chances[2] ** c * chances[3] ** d
    return covered


@pytest.mark.parametrize(
    "chances", [(0.5, 0.1, 0.2, 0.2), (0.25, 0.25, 0.25, 0.25), (0.8, 0.05, 0.05, 0.1), (0.05, 0.02, 0.1, 0.83)]
)
def test_the_interval_covers_what_it_says(chances: tuple[float, float, float, float]) -> None:
    assert 0.93 <= _coverage(14, chances) <= 0.999


@pytest.mark.parametrize(("only_base", "only_head"), [(0, 0), (1, 0), (2, 12), (7, 7), (40, 61), (300, 350)])
def test_without_clusters_the_test_is_mcnemars(only_base: int, only_head: int) -> None:
    from scipy.stats import binomtest

    base, head = spread(PairedCounts(5, only_base, only_head, 3))
    flipped = only_base + only_head
    expected = binomtest(only_base, flipped).pvalue if flipped else 1.0
    assert sign_flip_test(base, head) == pytest.approx(expected)
    by_hand = sum(comb(flipped, k) for k in range(flipped + 1) if abs(2 * k - flipped) >= abs(only_head - only_base))
    assert sign_flip_test(base, head) == pytest.approx(by_hand / 2**flipped)


@settings(deadline=None)
@given(documents=judgements)
def test_with_clusters_the_test_is_every_exchange_of_sides(documents: list[tuple[bool, bool, int]]) -> None:
    base, head, clusters = zip(*documents, strict=True)
    nets = [sum(int(b) - int(a) for a, b, mine in documents if mine == cluster) for cluster in dict.fromkeys(clusters)]
    ways = list(product((-1, 1), repeat=len(nets)))
    extreme = sum(
        abs(sum(sign * net for sign, net in zip(signs, nets, strict=True))) >= abs(sum(nets)) for signs in ways
    )
    assert sign_flip_test(base, head, clusters) == pytest.approx(extreme / len(ways))


def test_documents_that_flip_together_count_once() -> None:
    base, head = [False] * 12, [True] * 12
    assert sign_flip_test(base, head) == pytest.approx(2 / 2**12)
    assert sign_flip_test(base, head, [place // 4 for place in range(12)]) == pytest.approx(2 / 2**3)


def test_clusters_of_one_document_are_no_clusters() -> None:
    base, head = spread(PairedCounts(30, 4, 9, 7))
    assert clustered_difference(base, head, range(50)) == paired_difference(PairedCounts(30, 4, 9, 7))


def test_alike_documents_widen_the_interval() -> None:
    counts = PairedCounts(30, 4, 8, 10)
    base, head = spread(counts)
    alone = paired_difference(counts)
    together = clustered_difference(base * 3, head * 3, list(range(52)) * 3)
    assert together.value == pytest.approx(alone.value)
    assert together.n == 52
    # three copies of each say no more than one; Student's t and its n - 1 make it a little wider
    assert together.low == pytest.approx(alone.low, abs=0.006) and together.high == pytest.approx(alone.high, abs=0.006)
    pooled = paired_difference(PairedCounts(*(3 * count for count in counts)))
    assert pooled.low is not None and together.low is not None and pooled.low > together.low + 0.02


def test_the_clustered_interval_covers_and_the_plain_one_would_not() -> None:
    rng = np.random.default_rng(0)
    covered = plain = 0
    rounds = 400
    clusters = np.repeat(np.arange(30), 6)
    for _ in range(rounds):
        lean = rng.normal(0, 1.2, 30)[clusters]  # a passage is easier for one side or the other
        base, head = (rng.normal(0, 0.6, 180) + side * lean > 0 for side in (-1, 1))
        found, pooled = (
            clustered_difference(base, head, clusters.tolist()),
            paired_difference(paired_counts(base, head)),
        )
        assert found.low is not None and found.high is not None and pooled.low is not None and pooled.high is not None
        covered += found.low <= 0 <= found.high
        plain += pooled.low <= 0 <= pooled.high
    assert 0.92 <= covered / rounds <= 0.98
    assert plain / rounds < 0.75


def test_what_never_differs_still_has_a_width() -> None:
    found = clustered_difference([True] * 20, [True] * 20, [place // 5 for place in range(20)])
    assert found.low is not None and found.high is not None
    assert found.low < -0.3 and found.high > 0.3, "four passages are all that it rests on"


def test_one_unit_has_no_interval() -> None:
    assert paired_difference(PairedCounts(0, 0, 1, 0)) == (1.0, None, None, 1)
    assert clustered_difference([0, 1], [1, 1], ["a", "a"]) == (0.5, None, None, 1)
    with pytest.raises(ValueError, match="no pairs"):
        paired_difference(PairedCounts(0, 0, 0, 0))
    with pytest.raises(ValueError, match="each has one"):
        sign_flip_test([1, 0], [1, 0], ["a"])
