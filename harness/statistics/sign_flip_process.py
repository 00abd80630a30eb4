"""Evidence that grows launch by launch: an exact test of symmetry that may be looked at after every launch.

Two versions of a program are timed in lockstep, and each launch gives one difference d: the logarithm of the ratio of
their times. Where both are equally fast and chance decides which of them goes first, d is as likely to be +x as -x,
whatever the noise is and however it drifts. For every rate the product over launches

    exp(rate * d) / cosh(rate * d)

has then an expectation of 1 at every launch, given those before (its mean over +x and -x is 1), so it is an e-process:
the chance that it ever reaches 1/alpha is at most alpha (Ville's inequality), wherever one stops. No variance is
estimated. The mean over several rates is an e-process too and needs no knowledge of the noise. A factor is at most 2,
so that one launch, however odd, can't decide; seven at least are needed for 1/0.01 and five for 1/0.05.

A factor grows with d, so that the same bound holds for every launch whose difference is symmetric about something at
most as large as the null: "d <= 0" is tested and not only "d = 0". Against another value the differences are shifted.

Sources: de la Peña 1999, Annals of Probability 27:537 (exp(x)/cosh(x) of symmetric variables); Ramdas, Grünwald, Vovk &
Shafer 2023, Statistical Science 38:576 (e-processes, stopping, products); Efron 1969, JASA 64:1278 (the symmetry test).
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.statistics.intervals import Interval

Floats = NDArray[np.float64]

RATES = (10.0, 20.0, 40.0, 80.0, 160.0)
"""A rate is best for differences of about the noise's variance times it: these serve from 0.1 % to 30 %."""

_FAR = 4.0
"""A difference so far from the null has a factor of 2 to the last digit, at every rate."""
_HALVINGS = 26
"""Ends are found to 1e-7: no launch is as exact."""


def evidence_above(differences: ArrayLike, null: float = 0.0) -> Floats:
    """Logarithm of the e-process against "no more than `null`", after each launch.

    differences: (..., launches). Returns the same shape. Large values say that the differences are above `null`.
    """
    d = np.asarray(differences, dtype=np.float64) - null
    factors = log(2.0) - np.logaddexp(0.0, -2.0 * d[..., None] * np.asarray(RATES))
    sums = np.cumsum(factors, axis=-2)
    return np.asarray(np.logaddexp.reduce(sums, axis=-1) - log(len(RATES)), dtype=np.float64)


def evidence_below(differences: ArrayLike, null: float = 0.0) -> Floats:
    """Logarithm of the e-process against "no less than `null`", after each launch."""
    return evidence_above(-np.asarray(differences, dtype=np.float64), -null)


def strongest(evidence: Floats) -> float:
    """The largest value that an e-process has had (0, as before the first launch, where there are none)."""
    return float(np.max(evidence, initial=0.0))


def launches_needed(alpha: float) -> int:
    """How many launches the test needs at least to reach 1/alpha, however large the difference is."""
    return int(np.floor(np.log2(1 / alpha))) + 1


def median_interval(differences: ArrayLike, confidence: float = 0.95) -> Interval:
    """The median difference, and all values that the test has never rejected: it holds at whatever launch one stops.

    Each end is tested at half of what `confidence` leaves (a confidence sequence, by inverting the test). Ends are None
    where there are too few launches for them (six are needed for 95 %). Where the differences change so much on the way
    that everything was rejected once, the ends are those of the last launch. ValueError without differences.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or len(d) == 0:
        raise ValueError("at least one launch is needed for an interval")
    median = float(np.median(d))
    wanted = log(2 / (1 - confidence))
    if len(d) < launches_needed((1 - confidence) / 2):
        return Interval(median, None, None, len(d))
    low, high = _lower_end(d, wanted, ever=True), -_lower_end(-d, wanted, ever=True)
    if low > high:
        low, high = _lower_end(d, wanted, ever=False), -_lower_end(-d, wanted, ever=False)
    return Interval(median, low, high, len(d))


def _lower_end(d: Floats, wanted: float, *, ever: bool) -> float:
    """The largest null against which the evidence has reached `wanted`; -inf where it has not against any."""

    def is_rejected(null: float) -> bool:
        evidence = evidence_above(d, null)
        return bool((strongest(evidence) if ever else evidence[-1]) >= wanted)

    rejected, kept = float(d.min()) - _FAR, float(d.max())
    if not is_rejected(rejected):
        return -np.inf
    for _ in range(_HALVINGS):
        middle = (rejected + kept) / 2
        rejected, kept = (middle, kept) if is_rejected(middle) else (rejected, middle)
    return rejected


def smallest_seen(
    differences: ArrayLike, launches: int, alpha: float, power: float = 0.8, replicates: int = 400, seed: int = 0
) -> float | None:
    """The smallest difference that `launches` launches show at level alpha with a chance of `power`: what this test on
    this noise can see.

    differences: launches of one true difference, whose scatter about their median is the noise. It is drawn with
    replacement and with either sign, widened for the degree of freedom that the median took. None where fewer than
    three launches tell of the noise, or where so few launches can show nothing at all.
    """
    d = np.asarray(differences, dtype=np.float64)
    if len(d) < 3 or launches < launches_needed(alpha):
        return None
    noise = (d - np.median(d)) * np.sqrt(len(d) / (len(d) - 1))
    generator = np.random.default_rng(seed)
    drawn = generator.choice(noise, (replicates, launches)) * generator.choice([-1.0, 1.0], (replicates, launches))

    def is_seen(difference: float) -> bool:
        best = evidence_above(drawn + difference).max(axis=-1)
        return bool(np.mean(best >= log(1 / alpha)) >= power)

    unseen, seen = 0.0, _FAR + float(np.abs(noise).max())
    if not is_seen(seen):
        return None
    for _ in range(_HALVINGS):
        middle = (unseen + seen) / 2
        unseen, seen = (unseen, middle) if is_seen(middle) else (middle, seen)
    return seen
