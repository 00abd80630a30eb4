"""What each algorithm converges to, against the policy that it should, in nats, at three betas.

With exact gradients: a minibatch of all responses, whose advantages are weighed by their probabilities. Sampled: the
algorithm as it is, on its loop.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Collected
from reference_impl.alignment.dpo import dpo, reference_log_probs
from reference_impl.alignment.drawn_pairs import drawn_pairs
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.policy_gradient import policy_gradient, policy_gradients
from reference_impl.alignment.ppo import Critic, ppo, ppo_gradients, ppo_rollout
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.policy_gradient import named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.value_head import ValueHead
from tests.reference_impl.alignment.tabular import Tabular, gibbs, kl, largest_kl, sampler, table_reward

BETAS = [0.3, 1.0, 3.0]
EXACT, SAMPLED = 0.01, 0.03
FREE: dict[str, object] = {"gradient_clip": math.inf, "betas": (0.9, 0.99)}


def descend(policy: Tabular, gradients: Callable[[], object], steps: int, rate: float = 0.1) -> None:
    """Adam with a rate that falls linearly, on the gradients that are added."""
    optimizer = torch.optim.Adam([policy.table], lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        gradients()
        optimizer.step()


def start(longest: int = 2, prompts: int = 2, vocabulary: int = 3) -> tuple[Tabular, Tabular]:
    policy = Tabular(prompts, vocabulary, longest, dtype=torch.float32)
    return policy, policy.copy()


def collected(policy: Tabular, reference: Tabular, reward: Callable[[Sequence[Answered]], Tensor]) -> Collected:
    everything = policy.all_responses()
    with torch.no_grad():
        own, other = (token_log_probs(x, everything).log_probs for x in (policy, reference))
    return Collected(tuple(everything), reward(everything), own, other, {})


def weighed(minibatch: Minibatch, policy: Tabular) -> Minibatch:
    """Advantages times probability times number of responses: a mean over them is then the expected value."""
    odds = torch.cat([policy.probabilities(prompt) for prompt in policy.prompts]) * len(minibatch.answered)
    each = odds.repeat_interleave(torch.tensor(minibatch.lengths))
    return Minibatch(minibatch.answered, minibatch.tokens | {"advantages": minibatch.tokens["advantages"] * each})


@pytest.mark.parametrize("beta", BETAS)
def test_ppo_with_exact_gradients(beta: float) -> None:
    policy, reference = start(longest=3)
    reward, critic = table_reward(policy), Critic(ValueHead(policy.width))
    settings = PPOSettings(kl_coefficient=beta, lam=1.0, averaging="sums", whiten_advantages=False)

    def gradients() -> None:
        rollout = ppo_rollout(collected(policy, reference, reward), policy, critic, settings, {})
        ppo_gradients(
            policy, critic, weighed(Minibatch(tuple(rollout.answered), dict(rollout.tokens)), policy), settings
        )

    assert largest_kl(policy, reference, reward, beta) > 0.02
    descend(policy, gradients, 200)
    assert largest_kl(policy, reference, reward, beta) < EXACT


@pytest.mark.parametrize("beta", BETAS)
def test_the_policy_gradient_with_exact_gradients(beta: float) -> None:
    policy, reference = start(longest=3)
    reward, settings = table_reward(policy), named("rloo", kl_coefficient=beta)

    def gradients() -> None:
        found = collected(policy, reference, reward)
        lengths = torch.tensor(found.lengths)
        each = reward(found.answered) - beta * torch.stack(
            [part.sum() for part in torch.split(found.log_probs - found.reference, list(found.lengths))]
        )
        tokens = {
            "log_probs": found.log_probs,
            "reference": found.reference,
            "advantages": each.repeat_interleave(lengths),
            "live": torch.ones(len(found.log_probs)),
        }
        policy_gradients(policy, weighed(Minibatch(found.answered, tokens), policy), settings)

    descend(policy, gradients, 200)
    assert largest_kl(policy, reference, reward, beta) < EXACT


@pytest.mark.parametrize("beta", BETAS)
def test_ppo_sampled(beta: float) -> None:
    policy, reference = start()
    reward = table_reward(policy)
    settings = PPOSettings(
        rollouts=45, prompts=2, samples=150, epochs=2, minibatches=2, kl_coefficient=beta, lam=1.0,
        learning_rate=0.12, averaging="sums", whiten_advantages=False, value_coefficient=1.0, value_clip=100.0, **FREE,
    )  # fmt: skip
    reports = ppo(policy, reference, Critic(ValueHead(policy.width)), policy.prompts, sampler(policy), reward, settings)
    assert largest_kl(policy, reference, reward, beta) < SAMPLED
    optimum = [gibbs(reference, prompt, reward, beta) for prompt in policy.prompts]
    wanted = sum(kl(p, reference.probabilities(q)) for p, q in zip(optimum, policy.prompts, strict=True)) / 2
    assert reports[-1].values["kl"] == pytest.approx(wanted, abs=0.15)


def test_ppo_with_its_defaults_is_at_the_same_policy() -> None:
    """Whitened advantages, means over tokens, lambda 0.95."""
    policy, reference = start()
    reward = table_reward(policy)
    settings = PPOSettings(
        rollouts=45, prompts=2, samples=150, epochs=2, minibatches=2, kl_coefficient=1.0, learning_rate=0.12,
        value_coefficient=1.0, value_clip=100.0, **FREE,
    )  # fmt: skip
    ppo(policy, reference, Critic(ValueHead(policy.width)), policy.prompts, sampler(policy), reward, settings)
    assert largest_kl(policy, reference, reward, 1.0) < SAMPLED


@pytest.mark.parametrize("beta", BETAS)
def test_rloo_sampled(beta: float) -> None:
    policy, reference = start()
    reward = table_reward(policy)
    settings = named(
        "rloo", rollouts=90, prompts=2, samples=150, kl_coefficient=beta, learning_rate=0.15, **FREE
    )  # fmt: skip
    policy_gradient(policy, reference, policy.prompts, sampler(policy), reward, settings)
    assert largest_kl(policy, reference, reward, beta) < SAMPLED


def all_pairs(policy: Tabular, label: Callable[[float], float]) -> list[Pair]:
    """Every pair of responses to each prompt; label: of the difference of their rewards."""
    reward = table_reward(policy)
    found = []
    for prompt in policy.prompts:
        for one, other in itertools.combinations(policy.responses(prompt), 2):
            a, b = reward([one, other]).tolist()
            found.append(Pair(one, other, label=label(a - b)))
    return found


def bradley_terry(difference: float) -> float:
    return 1 / (1 + math.exp(-difference))


def learn_preferences(
    policy: Tabular, reference: Tabular, pairs: list[Pair], epochs: int = 150, **settings: object
) -> None:
    chosen = DPOSettings(epochs=epochs, batch=len(pairs), learning_rate=0.2, **FREE, **settings)  # type: ignore[arg-type]
    dpo(policy, reference_log_probs(reference, pairs), pairs, chosen)


@pytest.mark.parametrize("beta", BETAS)
def test_dpo_with_exact_labels(beta: float) -> None:
    policy, reference = start()
    learn_preferences(policy, reference, all_pairs(policy, bradley_terry), beta=beta)
    assert largest_kl(policy, reference, table_reward(policy), beta) < EXACT


@pytest.mark.parametrize("beta", BETAS)
def test_dpo_with_the_votes_of_raters(beta: float) -> None:
    policy, reference = start()
    generator = torch.Generator().manual_seed(0)

    def votes(difference: float) -> float:
        odds = torch.full((800,), bradley_terry(difference))
        return float(torch.bernoulli(odds, generator=generator).mean())

    learn_preferences(policy, reference, all_pairs(policy, votes), beta=beta)
    assert largest_kl(policy, reference, table_reward(policy), beta) < SAMPLED


@pytest.mark.parametrize("beta", BETAS)
def test_dpo_on_pairs_of_its_own(beta: float) -> None:
    """On-policy: two rounds of pairs that the policy drew, judged by the reward; the reference is the first policy."""
    policy, reference = start()
    reward = table_reward(policy)
    for step in range(2):
        pairs = drawn_pairs(policy.prompts * 150, sampler(policy), reward, step=step).pairs
        learn_preferences(policy, reference, pairs, 80, beta=beta)
    assert largest_kl(policy, reference, reward, beta) < SAMPLED


def test_dpo_on_certain_labels_has_no_optimum() -> None:
    """A pair whose label is 1 wants an infinite difference: the margin grows as long as it is trained."""
    margins = []
    for epochs in (50, 200, 800):
        policy, reference = start(longest=1, prompts=1)
        pairs = all_pairs(policy, lambda difference: float(difference > 0))
        settings = DPOSettings(epochs=epochs, batch=3, learning_rate=0.2, schedule="constant", **FREE, beta=1.0)  # type: ignore[arg-type]
        reports = dpo(policy, reference_log_probs(reference, pairs), pairs, settings)
        margins.append(abs(reports[-1].values["margin"]))
        assert largest_kl(policy, reference, table_reward(policy), 1.0) > 0.1
    assert margins[0] + 2 < margins[1] < margins[2] - 2


@pytest.mark.parametrize("beta", BETAS)
def test_ipo_with_exact_labels(beta: float) -> None:
    """Over all pairs of responses, each as often: reference * exp(mean over y' of P(y > y') / tau) / Z."""
    policy, reference = start()
    learn_preferences(policy, reference, all_pairs(policy, bradley_terry), 400, variant="ipo", beta=beta)
    for prompt in policy.prompts:
        scores = table_reward(policy)(policy.responses(prompt)).double()
        wins = torch.sigmoid(scores[:, None] - scores)
        optimum = (reference.probabilities(prompt).log() + wins.mean(1) / beta).softmax(0)
        assert kl(policy.probabilities(prompt), optimum) < EXACT


def at_fixed_point(reference: Tensor, value: Tensor, beta: float) -> Tensor:
    """p = beta reference / (level - value), the level such that p sums to 1: what k3 in the loss converges to."""

    def excess(level: float) -> float:
        return float((beta * reference / (level - value)).sum()) - 1

    top = float(value.max())
    level = brentq(excess, top + 1e-9, top + 100 * beta + 100)
    return beta * reference / (level - value)


def fixed_point(policy: Tabular, reference: Tabular, beta: float) -> Tensor:
    """GRPO's policy on the only prompt, by backward induction: the value of a prefix is its expected score."""
    prompt = policy.prompts[0]
    reward, odds = table_reward(policy), {}

    def value(prefix: tuple[int, ...]) -> float:
        if len(prefix) == policy.longest or prefix[-1:] == (0,):
            return float(reward([Answered(prompt, prefix, prefix[-1] == 0)]))
        values = torch.tensor([value((*prefix, token)) for token in range(policy.vocabulary)])
        log_q = reference.table[:, reference.rows[prompt, prefix]].log_softmax(0)
        odds[prefix] = at_fixed_point(log_q.exp().double(), values.double(), beta)
        return float(odds[prefix] @ values.double())

    value(())
    return torch.stack(
        [
            torch.stack([odds[item.response[:at]][token] for at, token in enumerate(item.response)]).prod()
            for item in policy.responses(prompt)
        ]
    )


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_k3_in_the_loss_with_exact_gradients(beta: float) -> None:
    """Not the Gibbs policy, but beta reference / (level - value) at every prefix."""
    policy, reference = start(prompts=1)
    reward = table_reward(policy)
    settings = named("grpo", scale="none", averaging="sums", kl_coefficient=beta)

    def gradients() -> None:
        found = collected(policy, reference, reward)
        odds = policy.probabilities(policy.prompts[0])
        scores = reward(found.answered) - odds @ reward(found.answered)
        starts = list(itertools.accumulate(found.lengths, initial=0))
        for place, item in enumerate(found.answered):
            rows = slice(starts[place], starts[place + 1])
            before = policy.table.grad
            policy.table.grad = None
            tokens = {
                "log_probs": found.log_probs[rows],
                "reference": found.reference[rows],
                "advantages": scores[place].repeat(found.lengths[place]),
                "live": torch.ones(found.lengths[place]),
            }
            policy_gradients(policy, Minibatch((item,), tokens), settings)
            assert policy.table.grad is not None
            policy.table.grad = odds[place] * policy.table.grad + (0.0 if before is None else before)

    descend(policy, gradients, 120)
    optimum = fixed_point(policy, reference, beta)
    assert float(optimum.sum()) == pytest.approx(1.0, abs=1e-6)
    found = policy.probabilities(policy.prompts[0])
    assert kl(found, optimum) < 0.001
    if beta < 3:
        assert kl(found, gibbs(reference, policy.prompts[0], reward, beta)) > 0.01


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_grpo_sampled(beta: float) -> None:
    """With the group's standard deviation s the fixed point is that of beta * s, where s is the policy's own."""
    policy, reference = start(longest=1, prompts=1, vocabulary=4)
    reward = table_reward(policy)
    settings = named(
        "grpo", rollouts=120, prompts=1, samples=400, kl_coefficient=beta, learning_rate=0.1, **FREE
    )  # fmt: skip
    policy_gradient(policy, reference, policy.prompts, sampler(policy), reward, settings)
    scores = reward(policy.responses(policy.prompts[0])).double()
    odds = begun = reference.probabilities(policy.prompts[0]).double()
    for _ in range(500):
        spread = ((odds @ scores.square()) - (odds @ scores) ** 2).sqrt()
        odds = 0.9 * odds + 0.1 * at_fixed_point(begun, scores, beta * float(spread))
    found = policy.probabilities(policy.prompts[0]).double()
    assert kl(found, odds) < SAMPLED
    assert kl(begun, odds) > SAMPLED or beta > 1  # it had somewhere to go
