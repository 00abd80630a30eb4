"""McNemar's one-sided test against scipy's binomial test and an older reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from harness.statistics.mcnemar import McNemar, worse
from harness.statistics.paired_proportions import PairedCounts, sign_flip_test

counts = st.integers(0, 60)


@given(counts, counts)
def test_it_is_the_binomial_test(lost: int, won: int) -> None:
    found = worse(PairedCounts(5, lost, won, 7))
    if not lost + won:
        assert found == McNemar(1.0, 1.0)
        return
    assert found.exact == pytest.approx(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue)
    assert found.mid == pytest.approx(found.exact - binom.pmf(won, lost + won, 0.5) / 2)


@given(st.integers(0, 12), st.integers(0, 12))
def test_two_sided_it_is_the_sign_flip_test(lost: int, won: int) -> None:
    if not lost + won:
        return
    base, head = [True] * lost + [False] * won, [False] * lost + [True] * won
    other = worse(PairedCounts(0, won, lost, 0))
    smaller = min(worse(PairedCounts(0, lost, won, 0)).exact, other.exact)
    assert sign_flip_test(base, head) == pytest.approx(min(1.0, 2 * smaller))


def test_the_level_of_the_exact_one_holds() -> None:
    for n in range(1, 40):
        chances = binom.pmf(np.arange(n + 1), n, 0.5)
        rejected = sum(chances[won] for won in range(n + 1) if worse(PairedCounts(0, n - won, won, 0)).exact <= 0.05)
        assert rejected <= 0.05


def test_shares_of_documents_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        worse(PairedCounts(1, 0.5, 1, 1))
