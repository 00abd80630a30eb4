"""The expected gradient of each estimator, by listing every response (or group of them) that can be drawn, against the
exact gradient of what it says it maximizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import comb

import pytest
import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Collected
from reference_impl.alignment.on_policy import Minibatch, Rollout
from reference_impl.alignment.policy_gradient import policy_gradient_rollout, policy_gradients
from reference_impl.alignment.ppo import Critic, ppo_gradients, ppo_rollout
from reference_impl.alignment.settings.policy_gradient import PolicyGradientSettings, named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.value_head import ValueHead
from tests.reference_impl.alignment.tabular import Tabular, table_reward

BETA = 0.7
TEMPERATURE = 0.8

Reward = Callable[[Sequence[Answered]], Tensor]


@pytest.fixture
def policy() -> Tabular:
    return Tabular(prompts=1, vocabulary=3, longest=2, seed=3)


@pytest.fixture
def reference() -> Tabular:
    return Tabular(prompts=1, vocabulary=3, longest=2, seed=4)


def test_probabilities_of_all_responses_sum_to_one() -> None:
    for temperature in (0.5, 1.0, 2.0):
        policy = Tabular(prompts=2, vocabulary=4, longest=3, spread=2.0)
        for prompt in policy.prompts:
            assert len(policy.responses(prompt)) == 1 + 3 + 9 + 27
            assert float(policy.probabilities(prompt, temperature).sum()) == pytest.approx(1.0, abs=1e-12)


def test_without_eos_they_do_not() -> None:
    policy = Tabular()
    with torch.no_grad():
        scored = token_log_probs(policy, policy.responses(policy.prompts[0]))
    without = torch.tensor(
        [
            sum(float(x) for x, token in zip(part, item.response, strict=True) if token != 0)
            for part, item in zip(
                torch.split(scored.log_probs, list(scored.lengths)), policy.responses(policy.prompts[0]), strict=True
            )
        ]
    )
    assert float(without.exp().sum()) > 1.1


def collected(policy: Tabular, reference: Tabular, group: Sequence[Answered], reward: Reward) -> Collected:
    with torch.no_grad():
        own, other = (token_log_probs(x, group, TEMPERATURE).log_probs for x in (policy, reference))
    return Collected(tuple(group), reward(group).double(), own, other, {})


def gradient(policy: Tabular, backward: Callable[[], object]) -> Tensor:
    policy.table.grad = None
    backward()
    found = policy.table.grad
    return torch.zeros_like(policy.table) if found is None else found.clone()


def minibatch(rollout: Rollout) -> Minibatch:
    return Minibatch(tuple(rollout.answered), dict(rollout.tokens))


def expected(policy: Tabular, size: int, of: Callable[[Sequence[Answered]], Tensor]) -> Tensor:
    """Mean of `of` over all groups of `size` independent responses."""
    everything = policy.responses(policy.prompts[0])
    odds = policy.probabilities(policy.prompts[0], TEMPERATURE)
    total = torch.zeros_like(policy.table)
    for places in itertools.product(range(len(everything)), repeat=size):
        total += odds[list(places)].prod() * of([everything[place] for place in places])
    return total


def exact(policy: Tabular, reference: Tabular, reward: Reward, beta: float) -> Tensor:
    """Minus the gradient of E[reward] - beta KL(policy || reference)."""
    everything = policy.responses(policy.prompts[0])
    log_p = policy.log_probabilities(everything, TEMPERATURE)
    log_q = reference.log_probabilities(everything, TEMPERATURE).detach()
    goal = (log_p.exp() * (reward(everything).double() - beta * (log_p - log_q))).sum()
    return gradient(policy, lambda: (-goal).backward())


def by_policy_gradient(
    policy: Tabular, reference: Tabular, reward: Reward, settings: PolicyGradientSettings
) -> Callable[[Sequence[Answered]], Tensor]:
    def of(group: Sequence[Answered]) -> Tensor:
        rollout = policy_gradient_rollout(collected(policy, reference, group, reward), settings, {})
        return gradient(policy, lambda: policy_gradients(policy, minibatch(rollout), settings))

    return of


def settings(algorithm: str, samples: int, **changes: object) -> PolicyGradientSettings:
    return named(
        algorithm, prompts=1, samples=samples, temperature=TEMPERATURE, kl_coefficient=BETA, **changes
    )  # fmt: skip


def close(found: Tensor, wanted: Tensor) -> bool:
    return torch.allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_reinforce_is_the_exact_gradient(policy: Tabular, reference: Tabular) -> None:
    reward = table_reward(policy)
    chosen = settings("reinforce", 1, baseline="none")
    found = expected(policy, 1, by_policy_gradient(policy, reference, reward, chosen))
    assert close(found, exact(policy, reference, reward, BETA))


@pytest.mark.parametrize("samples", [2, 3])
def test_rloo_is_the_exact_gradient(policy: Tabular, reference: Tabular, samples: int) -> None:
    reward = table_reward(policy)
    found = expected(policy, samples, by_policy_gradient(policy, reference, reward, settings("rloo", samples)))
    assert close(found, exact(policy, reference, reward, BETA))


def test_the_first_step_of_ppo_is_the_exact_gradient(policy: Tabular, reference: Tabular) -> None:
    reward, critic = table_reward(policy), Critic(ValueHead(policy.width).double())
    chosen = PPOSettings(
        prompts=1, temperature=TEMPERATURE, kl_coefficient=BETA, lam=1.0, averaging="sums", whiten_advantages=False
    )

    def of(group: Sequence[Answered]) -> Tensor:
        rollout = ppo_rollout(collected(policy, reference, group, reward), policy, critic, chosen, {})
        return gradient(policy, lambda: ppo_gradients(policy, critic, minibatch(rollout), chosen))

    assert close(expected(policy, 1, of), exact(policy, reference, reward, BETA))
    with torch.no_grad():
        critic.head.weight.normal_(generator=torch.Generator().manual_seed(0))  # any baseline of the state does
    assert close(expected(policy, 1, of), exact(policy, reference, reward, BETA))


def test_the_mean_over_tokens_is_not(policy: Tabular, reference: Tabular) -> None:
    reward = table_reward(policy)
    chosen = settings("reinforce", 1, baseline="none", averaging="tokens")
    found = expected(policy, 1, by_policy_gradient(policy, reference, reward, chosen))
    assert not close(found, exact(policy, reference, reward, BETA))


@pytest.mark.parametrize("samples", [2, 3])
def test_a_mean_that_holds_the_sample_itself_shrinks_the_gradient(
    policy: Tabular, reference: Tabular, samples: int
) -> None:
    reward = table_reward(policy)
    chosen = settings("dr_grpo", samples, longest=2, kl_place="reward")
    found = expected(policy, samples, by_policy_gradient(policy, reference, reward, chosen))
    shrunk = (samples - 1) / samples / 2  # 2: the longest response, by which Dr. GRPO divides
    assert close(found, shrunk * exact(policy, reference, reward, BETA))


@pytest.mark.parametrize("samples", [2, 3])
def test_the_bias_of_grpo_is_the_derived_one(policy: Tabular, reference: Tabular, samples: int) -> None:
    """Of rewards 0 and 1, with p = P(1) and k ones in a group, sums over tokens:

    E[gradient] = grad p * E_k[k (G - k) / (G**2 (s_k + epsilon))] / (p (1 - p)),  s_k**2 = k (G - k) / (G (G - 1))
    """

    def reward(answered: Sequence[Answered]) -> Tensor:
        return torch.tensor([float(sum(item.response) % 2) for item in answered])

    chosen = settings("grpo", samples, averaging="sums", kl_place="reward")
    chosen = PolicyGradientSettings(**{**chosen.__dict__, "kl_coefficient": 0.0})
    found = expected(policy, samples, by_policy_gradient(policy, reference, reward, chosen))
    odds = policy.probabilities(policy.prompts[0], TEMPERATURE)
    p = float(odds @ reward(policy.responses(policy.prompts[0])).double())
    factor = 0.0
    for k in range(1, samples):
        s = (k * (samples - k) / (samples * (samples - 1))) ** 0.5 + 1e-4
        share = comb(samples, k) * p**k * (1 - p) ** (samples - k)
        factor += share * k * (samples - k) / (samples**2 * s) / (p * (1 - p))
    assert close(found, factor * exact(policy, reference, reward, 0.0))


def test_the_length_bias_of_grpo_is_the_derived_one(policy: Tabular, reference: Tabular) -> None:
    """The mean over each response's own tokens: (1 - 1/G) E[(r - E r) / length * grad log p], which isn't a gradient
    of E[r] for any reward."""
    reward = table_reward(policy)
    chosen = PolicyGradientSettings(
        **{**settings("grpo", 2, scale="none", kl_place="reward").__dict__, "kl_coefficient": 0.0}
    )
    found = expected(policy, 2, by_policy_gradient(policy, reference, reward, chosen))
    everything = policy.responses(policy.prompts[0])
    log_p = policy.log_probabilities(everything, TEMPERATURE)
    odds, scores = log_p.exp().detach(), reward(everything).double()
    lengths = torch.tensor([len(item.response) for item in everything])
    derived = -0.5 * (odds * (scores - odds @ scores) / lengths * log_p).sum()
    assert close(found, gradient(policy, derived.backward))
    assert not close(found, 0.5 * exact(policy, reference, reward, 0.0))


@pytest.mark.parametrize("estimator", ["k2", "k3", "k3_corrected"])
def test_what_a_kl_in_the_loss_pulls_by(policy: Tabular, reference: Tabular, estimator: str) -> None:
    """k2 and k3_corrected by KL(policy || reference), k3 by KL(reference || policy): of each next token, weighed by how
    often the policy comes by. Neither is the gradient of KL of the whole response."""
    chosen = settings("grpo", 2, averaging="sums", kl_estimator=estimator)

    def nothing(answered: Sequence[Answered]) -> Tensor:
        return torch.zeros(len(answered))

    found = expected(policy, 2, by_policy_gradient(policy, reference, nothing, chosen))
    everything = policy.responses(policy.prompts[0])
    odds = policy.probabilities(policy.prompts[0], TEMPERATURE)
    visits: dict[int, float] = {}
    for item, chance in zip(everything, odds.tolist(), strict=True):
        for length in range(len(item.response)):
            row = policy.rows[item.prompt, item.response[:length]]
            visits[row] = visits.get(row, 0.0) + chance
    total = torch.zeros(())
    for row, often in visits.items():
        log_p = (policy.table[:, row] / TEMPERATURE).log_softmax(0)
        log_q = (reference.table[:, row].detach() / TEMPERATURE).log_softmax(0)
        pull = log_p.exp() * (log_p - log_q) if estimator != "k3" else log_q.exp() * (log_q - log_p)
        total = total + often * BETA * pull.sum()
    assert close(found, gradient(policy, total.backward))
    assert not close(found, exact(policy, reference, nothing, BETA))


def test_k1_in_the_loss_pulls_by_nothing(policy: Tabular, reference: Tabular) -> None:
    def of(group: Sequence[Answered]) -> Tensor:
        score = token_log_probs(policy, group, TEMPERATURE).log_probs - token_log_probs(reference, group).log_probs
        return gradient(policy, score.sum().backward)

    assert float(expected(policy, 1, of).abs().max()) < 1e-12
    with pytest.raises(ValueError, match="kl_estimator must be one of k2, k3, k3_corrected, not 'k1'"):
        settings("grpo", 2, kl_estimator="k1")
