"""pass@k: the chance that at least one of k samples passes, from n samples of which c passed."""

from __future__ import annotations


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k), without bias for any n >= k, as the product of 1 - k/i over i = n-c+1 .. n.

    The binomials overflow and cancel; the product doesn't. Source: Chen et al. 2021, arXiv:2107.03374, section 2.1.
    1 - (1 - c/n)^k, which one might write instead, is too low. ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= passed <= samples:
        raise ValueError(f"{passed} of {samples} samples can't have passed")
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, not {samples}")
    if samples - passed < k:
        return 1.0
    missed = 1.0
    for i in range(samples - passed + 1, samples + 1):
        missed *= 1 - k / i
    return 1 - missed
