from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.alignment.kl import k1, k2, k3
from reference_impl.alignment.kl_controller import adapted
from reference_impl.alignment.prefix_kl import prefix_kl
from reference_impl.alignment.token_log_probs import per_response, token_log_probs
from tests.reference_impl.alignment.tabular import Tabular, kl

NATS = st.floats(-30, 0, width=32)


@given(st.lists(st.tuples(NATS, NATS), min_size=1))
def test_k3_is_never_negative(pairs: list[tuple[float, float]]) -> None:
    own, other = torch.tensor(pairs).unbind(1)
    assert bool((k3(own, other) >= 0).all())
    assert bool((k2(own, other) >= 0).all())


def test_the_expected_value_of_k1_k3_and_the_prefix_sum_is_kl() -> None:
    policy, reference = Tabular(seed=1), Tabular(seed=2)
    for prompt in policy.prompts:
        everything = policy.responses(prompt)
        odds = policy.probabilities(prompt, 0.7)
        wanted = kl(odds, reference.probabilities(prompt, 0.7))
        own, other = (token_log_probs(x, everything, 0.7) for x in (policy, reference))
        with torch.no_grad():
            for values in (
                k1(own.log_probs, other.log_probs),
                k3(own.log_probs, other.log_probs),
                prefix_kl(policy, reference, everything, 0.7),
            ):
                assert abs(float(odds @ per_response(values, own.lengths)) - wanted) < 1e-9
        assert wanted > 0.1


def test_the_prefix_sum_has_the_least_variance() -> None:
    policy, reference = Tabular(seed=1), Tabular(seed=2)
    everything, odds = policy.responses(policy.prompts[0]), policy.probabilities(policy.prompts[0])
    with torch.no_grad():
        own, other = (token_log_probs(x, everything) for x in (policy, reference))
        sampled = per_response(k1(own.log_probs, other.log_probs), own.lengths)
        exact = per_response(prefix_kl(policy, reference, everything), own.lengths)
    variance = [float(odds @ x.square() - (odds @ x) ** 2) for x in (sampled, exact)]
    assert variance[1] < 0.5 * variance[0]


def test_the_controller_steers_towards_its_target() -> None:
    assert adapted(0.1, 6.0, 6.0, 10_000, 512) == 0.1
    assert adapted(0.1, 100.0, 6.0, 10_000, 512) == 0.1 * (1 + 0.2 * 512 / 10_000)  # clipped
    assert adapted(0.1, 0.0, 6.0, 10_000, 512) == 0.1 * (1 - 0.2 * 512 / 10_000)
    assert abs(adapted(0.1, 6.6, 6.0, 1000, 100) - 0.1 * 1.01) < 1e-12
