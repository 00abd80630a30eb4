"""Defects of alignment that shipped in admired code, and the check of each: it must pass on the sound implementation
and fail on the bad one. (What a reference can do wrong is with the policies' own tests.)"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import advantages, collecting, dpo, kl, policy_loss, ppo, prefix_kl, sft, token_log_probs
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt, collect
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.ppo import Critic
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.token_log_probs import Scored, per_response
from reference_impl.alignment.value_head import RewardHead, ValueHead
from tests.reference_impl.alignment.plain_gpt import PROMPTS, PlainGPT, likes
from tests.reference_impl.alignment.plain_gpt import sampler as gpt_sampler
from tests.reference_impl.alignment.tabular import EOS, Draw, Tabular, largest_kl, sampler, table_reward
from tests.reference_impl.alignment.tabular import kl as exact_kl
from tests.reference_impl.alignment.test_closed_forms import all_pairs, bradley_terry, learn_preferences, start

Patch = pytest.MonkeyPatch


def passes(check: Callable[[], bool]) -> bool:
    """Whether a check is content; an error is how some of them say that they are not."""
    try:
        return check()
    except ValueError:
        return False


# --- rewards ---------------------------------------------------------------------------------------------------------


def whitening_keeps_the_mean(whiten: Callable[..., Tensor]) -> bool:
    """What a policy earns on average is the same afterwards; a response that earned more still does."""
    rewards = advantages.token_rewards(torch.tensor([1.0, 3.0]), torch.zeros(6), 0.1, [3, 3])
    white = whiten(rewards, shift_mean=False)
    low, high = per_response(white, [3, 3]).tolist()
    return math.isclose(float(white.mean()), float(rewards.mean()), rel_tol=1e-6) and low < high


def test_reward_whitening_that_shifts_the_mean() -> None:
    assert whitening_keeps_the_mean(advantages.whiten)
    assert not whitening_keeps_the_mean(lambda values, shift_mean: advantages.whiten(values, shift_mean=True))


def rewards_add_up(token_rewards: Callable[..., Tensor]) -> bool:
    """Over each response: the score, less beta times the KL that is reported."""
    scores, penalty, lengths = torch.tensor([1.0, -2.0]), torch.tensor([0.3, -0.1, 0.2, 0.5]), [3, 1]
    found = per_response(token_rewards(scores, penalty, 0.5, lengths), lengths)
    return torch.allclose(found, scores - 0.5 * per_response(penalty, lengths))


def test_a_reward_added_at_every_token() -> None:
    def everywhere(scores: Tensor, penalty: Tensor, coefficient: float, lengths: Sequence[int]) -> Tensor:
        return scores.repeat_interleave(torch.tensor(lengths)) - coefficient * penalty

    assert rewards_add_up(advantages.token_rewards)
    assert not rewards_add_up(everywhere)


def scores_know_no_neighbors(scores: Callable[[RewardModel, Sequence[Answered]], Tensor]) -> bool:
    """A response has the score that it has alone, whatever else is in the batch."""
    table = Tabular(prompts=1)
    model, items = RewardModel(table, RewardHead(table.width)), table.responses(table.prompts[0])
    return torch.allclose(scores(model, items), torch.cat([model.scores([item]) for item in items]))


def test_padding_scored_as_the_last_token() -> None:
    def at_the_padded_end(model: RewardModel, answered: Sequence[Answered]) -> Tensor:
        states = torch.split(model.trunk.states(answered), [len(item.response) + 1 for item in answered])
        padded = torch.nn.utils.rnn.pad_sequence(
            list(states), batch_first=True
        )  # the EOS that fills up is a state, too
        return model.head(padded[:, -1])  # type: ignore[no-any-return]

    assert scores_know_no_neighbors(RewardModel.scores)
    assert not scores_know_no_neighbors(at_the_padded_end)


# --- log-probabilities and KL ----------------------------------------------------------------------------------------


def rollouts_are_of_the_policy() -> bool:
    """The sampler's log-probabilities at the temperature are the trainer's, which `collect` looks at itself."""
    policy = Tabular(prompts=1, spread=2.0)
    settings = PPOSettings(prompts=1, samples=64, temperature=0.5, mismatch_limit=0.05)
    draw = sampler(policy, temperature=0.5)
    return collect(policy, policy.copy(), policy.prompts, draw, table_reward(policy), settings, 0).values["kl"] == 0


def test_log_probabilities_without_the_temperature(monkeypatch: Patch) -> None:
    assert passes(rollouts_are_of_the_policy)
    sound = prefix_kl.compared
    monkeypatch.setattr(
        collecting, "compared", lambda policy, other, answered, temperature: sound(policy, other, answered)
    )
    assert not passes(rollouts_are_of_the_policy)


def probabilities_sum_to_one(score: Callable[..., Scored]) -> bool:
    policy = Tabular(prompts=1)
    with torch.no_grad():
        found = score(policy, policy.responses(policy.prompts[0]))
    return math.isclose(float(per_response(found.log_probs, found.lengths).exp().sum()), 1.0, rel_tol=1e-9)


def test_eos_masked_out() -> None:
    def without_eos(policy: Tabular, answered: Sequence[Answered]) -> Scored:
        found = token_log_probs.token_log_probs(policy, answered)
        ends = torch.tensor([token == EOS for item in answered for token in item.response])
        return replace(found, log_probs=found.log_probs.masked_fill(ends, 0.0))

    assert probabilities_sum_to_one(token_log_probs.token_log_probs)
    assert not probabilities_sum_to_one(without_eos)


def expected_kl_is_exact(estimate: Callable[..., Tensor]) -> bool:
    """Its mean over all responses, at their probabilities, is KL of the responses given the prompt."""
    policy, reference = PlainGPT(1), PlainGPT(2)
    prompt = (1, 5, 2)
    responses = [Answered(prompt, (0,), True), *(Answered(prompt, (t,), False) for t in range(1, 7))]  # of 1 token
    with torch.no_grad():
        p, q = (token_log_probs.token_log_probs(x, responses).log_probs.exp() for x in (policy, reference))
    found = per_response(estimate(policy, reference, responses), [1] * 7)
    return math.isclose(float(p @ found), exact_kl(p, q), rel_tol=1e-4)


def test_kl_over_the_prompt() -> None:
    def over_the_prompt(policy: PlainGPT, reference: PlainGPT, answered: Sequence[Answered]) -> Tensor:
        whole = [Answered(item.prompt[:1], item.prompt[1:] + item.response, item.ended) for item in answered]
        return per_response(
            prefix_kl.prefix_kl(policy, reference, whole), [len(item.response) for item in whole]
        )  # fmt: skip

    assert expected_kl_is_exact(prefix_kl.prefix_kl)
    assert not expected_kl_is_exact(over_the_prompt)


@pytest.mark.parametrize("bad", [lambda p, q: kl.k1(p, q).abs(), lambda p, q: kl.k3(q, p), lambda p, q: kl.k1(q, p)])
def test_estimators_of_something_else(bad: Callable[[Tensor, Tensor], Tensor]) -> None:
    """An absolute difference; k3 with its arguments exchanged, which estimates nothing; KL the other way."""

    def of_tokens(estimator: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
        def estimate(policy: PlainGPT, reference: PlainGPT, answered: Sequence[Answered]) -> Tensor:
            with torch.no_grad():
                return estimator(
                    *(token_log_probs.token_log_probs(x, answered).log_probs for x in (policy, reference))
                )  # fmt: skip

        return estimate

    assert expected_kl_is_exact(of_tokens(kl.k1)) and expected_kl_is_exact(of_tokens(kl.k3))
    assert not expected_kl_is_exact(of_tokens(bad))


# --- losses ----------------------------------------------------------------------------------------------------------


def sft_is_the_likelihood_of_responses() -> bool:
    policy = PlainGPT()
    items = [Answered((1, 2, 3), (4, 0), True), Answered((5,), (6, 6, 0), True)]
    found = sft.sft_gradients(policy, [items])["loss"]
    total = 0.0
    for item in items:  # the chain rule, one token at a time
        for at, token in enumerate(item.response):
            logits = policy.gpt(torch.tensor([[*item.prompt, *item.response[:at]]]))[0, -1]
            total -= float(logits.log_softmax(-1)[token].detach())
    return math.isclose(float(found), total / 5, rel_tol=1e-5)


def test_prompt_tokens_in_the_sft_loss(monkeypatch: Patch) -> None:
    def of_all_tokens(policy: PlainGPT, answered: Sequence[Answered]) -> Scored:
        whole = [Answered(item.tokens[:1], item.tokens[1:], item.ended) for item in answered]
        return token_log_probs.token_log_probs(policy, whole)

    assert sft_is_the_likelihood_of_responses()
    monkeypatch.setattr(sft, "token_log_probs", of_all_tokens)
    assert not sft_is_the_likelihood_of_responses()


def dpo_has_the_gibbs_policy_as_its_optimum() -> bool:
    policy, reference = start()
    learn_preferences(policy, reference, all_pairs(policy, bradley_terry), beta=0.5)
    return largest_kl(policy, reference, table_reward(policy), 0.5) < 0.01


def test_dpo_normalized_by_length_by_accident(monkeypatch: Patch) -> None:
    assert dpo_has_the_gibbs_policy_as_its_optimum()
    monkeypatch.setattr(
        dpo, "per_response", lambda values, lengths: per_response(values, lengths) / torch.tensor(lengths)
    )
    assert not dpo_has_the_gibbs_policy_as_its_optimum()


def each_token_counts_the_same(weights: Callable[[Sequence[int]], Tensor]) -> bool:
    """The mean over tokens of a minibatch: of ones 1, and a loss of 1 at one token is 1 over the number of tokens."""
    return all(
        torch.allclose(weights(lengths), torch.full((sum(lengths),), 1 / sum(lengths), dtype=torch.float64))
        for lengths in ([3], [1, 3], [5, 1, 1])
    )


def test_a_ratio_over_padded_tokens() -> None:
    def padded(lengths: Sequence[int]) -> Tensor:
        return torch.full((sum(lengths),), 1 / (len(lengths) * max(lengths)), dtype=torch.float64)

    def means_of_means(lengths: Sequence[int]) -> Tensor:
        return policy_loss.token_weights(lengths, "responses")

    assert each_token_counts_the_same(lambda lengths: policy_loss.token_weights(lengths, "tokens"))
    assert not each_token_counts_the_same(padded)
    assert not each_token_counts_the_same(means_of_means)


# --- rollouts --------------------------------------------------------------------------------------------------------


def groups_are_samples(draw: Callable[..., list[Draw]]) -> bool:
    policy = Tabular(prompts=2, spread=0.5)
    settings = PPOSettings(prompts=2, samples=16, mismatch_limit=10.0)
    found = collect(policy, policy.copy(), policy.prompts, draw, table_reward(policy), settings, 0)
    return found.values["distinct"] > 0.1


def test_identical_samples_in_a_group() -> None:
    policy = Tabular(prompts=2, spread=0.5)

    def seeded_by_prompt(prompts: Sequence[Prompt], step: int) -> list[Draw]:
        return [sampler(policy, seed=hash(prompt))([prompt], step)[0] for prompt in prompts]

    assert passes(lambda: groups_are_samples(sampler(policy)))
    assert not passes(lambda: groups_are_samples(seeded_by_prompt))


def later_epochs_leave_the_old_policy() -> bool:
    """Advantages and old log-probabilities are the rollout's: once the policy has moved, ratios are not 1."""
    policy = PlainGPT()
    settings = PPOSettings(rollouts=1, prompts=4, samples=4, epochs=4, learning_rate=0.02)
    (report,) = ppo.ppo(
        policy, PlainGPT().frozen(), Critic(ValueHead(policy.width)), PROMPTS, gpt_sampler(policy), likes(3), settings
    )
    return report.values["approx_kl"] > 1e-4


def test_advantages_computed_after_the_update(monkeypatch: Patch) -> None:
    assert later_epochs_leave_the_old_policy()
    sound = ppo.ppo_gradients

    def recomputed(policy: Any, critic: Critic, minibatch: Minibatch, settings: PPOSettings) -> dict[str, Tensor]:
        with torch.no_grad():
            now = token_log_probs.token_log_probs(policy, minibatch.answered).log_probs
        return sound(policy, critic, replace(minibatch, tokens=minibatch.tokens | {"log_probs": now}), settings)

    monkeypatch.setattr(ppo, "ppo_gradients", recomputed)
    assert not later_epochs_leave_the_old_policy()
