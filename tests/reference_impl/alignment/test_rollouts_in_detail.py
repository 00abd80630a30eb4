"""What collecting and learning from rollouts does between its formulas: orders, seeds, modes, and what is recorded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import policy_gradient as gradient_module
from reference_impl.alignment import ppo as ppo_module
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Collected, Prompt, collect
from reference_impl.alignment.group_advantages import group_advantages
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.policy_gradient import policy_gradient, policy_gradient_rollout, policy_gradients
from reference_impl.alignment.ppo import Critic, ppo, ppo_gradients, ppo_rollout
from reference_impl.alignment.settings.policy_gradient import named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.truncation import Truncation
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.value_head import ValueHead
from reference_impl.training.loop import DivergenceError
from tests.reference_impl.alignment.plain_gpt import CONFIG, PROMPTS, PlainGPT, likes
from tests.reference_impl.alignment.plain_gpt import sampler as gpt_sampler
from tests.reference_impl.alignment.tabular import Draw, Tabular, sampler, table_reward

ONE = PPOSettings(rollouts=1, prompts=1, samples=8, minibatches=1, epochs=1)


def nothing(answered: Sequence[Answered]) -> Tensor:
    return torch.zeros(len(answered))


def collected(policy: Tabular, settings: Any, reward: Any = None, draw: Any = None) -> Collected:
    reference = Tabular(len(policy.prompts), policy.vocabulary, policy.longest, seed=11).copy()
    return collect(
        policy, reference, policy.prompts, draw or sampler(policy), reward or table_reward(policy), settings, 0
    )


# --- collecting ------------------------------------------------------------------------------------------------------


def test_each_rollout_has_the_next_prompts_in_an_order_of_the_seed() -> None:
    asked: dict[int, list[list[Prompt]]] = {}
    for seed in (0, 3):
        policy = PlainGPT()
        draw, seen = gpt_sampler(policy), asked.setdefault(seed, [])

        def watched(prompts: Sequence[Prompt], step: int, draw: Any = draw, seen: Any = seen) -> list[Draw]:
            seen.append(list(prompts))
            return draw(prompts, step)  # type: ignore[no-any-return]

        settings = named("rloo", rollouts=6, prompts=2, samples=2, seed=seed)
        policy_gradient(policy, policy.frozen(), PROMPTS, watched, likes(3), settings)
        for one in seen:
            assert one[0] == one[1] and one[2] == one[3]  # the samples of a prompt lie side by side
        for first, second in ((0, 1), (2, 3), (4, 5)):
            assert sorted({*seen[first], *seen[second]}) == sorted(PROMPTS)
    assert asked[0] != asked[3]


def test_a_penalty_is_taken_off_after_clipping() -> None:
    policy = Tabular(prompts=1)
    settings = replace(ONE, samples=40, score_clip=0.5, missing_eos_penalty=2.0)
    found = collected(policy, settings)
    raw = table_reward(policy)(found.answered)
    wanted = raw.clamp(-0.5, 0.5) - 2.0 * torch.tensor([float(not item.ended) for item in found.answered])
    assert torch.allclose(found.scores.float(), wanted) and not all(item.ended for item in found.answered)
    assert found.values["score_raw"] == pytest.approx(float(raw.mean()), abs=1e-6)
    assert found.values["score"] == pytest.approx(float(wanted.mean()), abs=1e-6)
    assert found.values["score_std"] == pytest.approx(float(wanted.std()), abs=1e-6)
    assert found.values["distinct"] == len(set(found.answered)) / 40


def test_the_reward_reads_what_is_learned_from() -> None:
    """A response that is cut at a token is scored without what came after it."""
    read: list[Answered] = []

    def reward(answered: Sequence[Answered]) -> Tensor:
        read.extend(answered)
        return nothing(answered)

    settings = replace(ONE, samples=40, truncation=Truncation(2, 0, -1.0))
    found = collected(Tabular(prompts=1), settings, reward)
    assert tuple(read) == found.answered
    assert any(item.response[-1] == 2 and len(item.response) < 3 for item in read)
    clipped = replace(settings, score_clip=0.25)
    found = collected(Tabular(prompts=1), clipped, lambda answered: torch.full((len(answered),), 3.0))
    assert set(found.scores.tolist()) == {0.25, -1.0}  # the score of a response that has no such token stays


def test_a_mismatch_of_either_sign_counts() -> None:
    policy = Tabular(prompts=1)

    def off(prompts: Sequence[Prompt], step: int) -> list[Draw]:
        signs = itertools.cycle((0.2, -0.2))
        drawn = sampler(policy)(prompts, step)
        return [Draw(one.answered, tuple(value + next(signs) for value in one.log_probs)) for one in drawn]

    found = collected(policy, replace(ONE, samples=40), draw=off)
    assert found.values["mismatch"] == pytest.approx(0.2, abs=1e-6)
    assert found.values["mismatch_largest"] == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(ValueError, match=r"differ from the trainer's by 0\.2 nats"):
        collected(policy, replace(ONE, samples=40, mismatch_limit=0.1), draw=off)


def test_a_reference_that_gives_no_number_stops_the_run() -> None:
    policy = Tabular(prompts=1)
    broken = policy.copy()
    broken.table.data.fill_(math.nan)
    with pytest.raises(DivergenceError, match="nan nats per response from its reference"):
        collect(policy, broken, policy.prompts, sampler(policy), table_reward(policy), ONE, 0)


# --- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "steps"), [([9.0, 9.0, 9.0, 9.0], 2), ([0.0, 9.0, 0.0, 0.0], 2), ([0.0] * 4, 4)])
def test_a_rollout_has_one_step_at_least_and_none_after_its_stop(
    told: list[float], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """told: approximate KL of each step. A minibatch above the limit is looked at, and changes nothing; the first one
    is learned from whatever it says."""
    sound, seen = ppo_module.ppo_gradients, []

    def patched(*arguments: Any) -> dict[str, Tensor]:
        found = sound(*arguments)
        seen.append(found["approx_kl"])
        return found | {"approx_kl": torch.tensor(told[len(seen) - 1])}

    monkeypatch.setattr(ppo_module, "ppo_gradients", patched)
    policy = PlainGPT()
    settings = PPOSettings(rollouts=1, prompts=4, epochs=4, minibatches=1, approx_kl_stop=0.5, learning_rate=0.01)
    critic = Critic(ValueHead(policy.width))
    (report,) = ppo(policy, policy.frozen(), critic, PROMPTS, gpt_sampler(policy), likes(3), settings)
    assert len(seen) == steps
    made = 1 if steps == 2 else 4
    assert report.values["stopped_early"] == 1 - made / 4
    assert report.values["approx_kl"] == told[0]


def orders(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, run: Any) -> list[list[tuple[int, ...]]]:
    """The responses of the first minibatch under two seeds, of one and the same rollout."""
    sound, seen = getattr(module, name), []

    def watched(*arguments: Any) -> Any:
        (minibatch,) = (one for one in arguments if isinstance(one, Minibatch))
        seen.append([item.response for item in minibatch.answered])
        return sound(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, watched)
        for seed in (1, 2):
            run(seed)
    return seen


def test_minibatches_are_ordered_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_ppo(seed: int) -> None:
        policy = PlainGPT()
        critic = Critic(ValueHead(policy.width))
        settings = replace(ONE, samples=12, seed=seed)
        ppo(policy, policy.frozen(), critic, PROMPTS[:1], gpt_sampler(policy), likes(3), settings)

    def by_gradient(seed: int) -> None:
        policy = PlainGPT()
        settings = named("rloo", rollouts=1, prompts=1, samples=12, seed=seed)
        policy_gradient(policy, policy.frozen(), PROMPTS[:1], gpt_sampler(policy), likes(3), settings)

    for module, name, run in (
        (ppo_module, "ppo_gradients", by_ppo), (gradient_module, "policy_gradients", by_gradient)
    ):  # fmt: skip
        first, second = orders(monkeypatch, module, name, run)
        assert sorted(first) == sorted(second) and first != second


def test_a_critics_own_trunk_learns_and_has_no_dropout() -> None:
    config = replace(CONFIG, dropout=0.3)
    policy, trunk = PlainGPT(config=config), PlainGPT(1, config)
    trunk.gpt.train()
    before = [p.detach().clone() for p in trunk.gpt.parameters()]
    critic = Critic(ValueHead(policy.width), trunk)
    torch.nn.init.ones_(critic.head.weight)
    settings = PPOSettings(rollouts=1, prompts=4, minibatches=1, epochs=1, learning_rate=0.01)
    (report,) = ppo(policy, policy.frozen(), critic, PROMPTS, gpt_sampler(policy), likes(3), settings)
    assert not trunk.gpt.training
    assert report.values["value_clip_fraction"] == 0.0  # values of the step are those of the rollout
    assert any(not torch.equal(a, b) for a, b in zip(before, trunk.gpt.parameters(), strict=True))


def test_a_policy_gradient_has_no_dropout() -> None:
    policy = PlainGPT(config=replace(CONFIG, dropout=0.3))
    reference = policy.frozen()
    policy.gpt.train()
    reference.gpt.train()
    settings = named("grpo", rollouts=1, prompts=4, samples=2)
    (report,) = policy_gradient(policy, reference, PROMPTS, gpt_sampler(policy), likes(3), settings)
    for name in ("kl", "mismatch_largest", "approx_kl"):
        assert report.values[name] == pytest.approx(0.0, abs=1e-5), name


@pytest.mark.parametrize("averaging", ["tokens", "responses", "sums"])
def test_what_a_later_step_records_is_written_out(averaging: Any) -> None:
    policy = Tabular(prompts=2, seed=1)
    critic = Critic(ValueHead(policy.width).double())
    settings = PPOSettings(prompts=2, samples=6, minibatches=1, averaging=averaging, value_clip=0.05)
    generator = torch.Generator().manual_seed(0)

    def moved(parameter: Tensor) -> None:
        with torch.no_grad():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    moved(critic.head.weight)
    rollout = ppo_rollout(collected(policy, settings), policy, critic, settings, {})
    moved(policy.table)
    moved(critic.head.weight)
    old, returns, before = (rollout.tokens[name].double() for name in ("log_probs", "returns", "values"))
    found = ppo_gradients(policy, critic, Minibatch(tuple(rollout.answered), dict(rollout.tokens)), settings)
    with torch.no_grad():
        new = token_log_probs(policy, rollout.answered).log_probs
        rows = [policy.rows[x.prompt, x.response[:at]] for x in rollout.answered for at in range(len(x.response))]
        values = critic.head.weight[0, rows]
    near = values.clamp(before - 0.05, before + 0.05)
    each = 0.5 * torch.maximum((values - returns) ** 2, (near - returns) ** 2)
    lengths = torch.tensor([len(item.response) for item in rollout.answered])
    share = {
        "tokens": torch.full_like(each, 1 / len(each)),
        "responses": (1 / (12.0 * lengths)).repeat_interleave(lengths),
        "sums": torch.full_like(each, 1 / 12),
    }[averaging]
    assert float(found["value_loss"]) == pytest.approx(float((share * each).sum()), rel=1e-4)
    clipped = ((near - returns) ** 2 > (values - returns) ** 2).double().mean()
    assert float(found["value_clip_fraction"]) == pytest.approx(float(clipped)) and 0 < float(clipped) < 1
    # KL(old policy || policy) from the old policy's samples: r - 1 - log r with r = policy / old policy
    assert float(found["approx_kl"]) == pytest.approx(float(((new - old).exp() - 1 - (new - old)).mean()), rel=1e-4)
    explained = 1 - (returns - before).var(unbiased=False) / returns.var(unbiased=False)
    assert rollout.values["explained_variance"] == pytest.approx(float(explained), rel=1e-4)


# --- policy gradients ------------------------------------------------------------------------------------------------


def test_a_group_of_equal_scores_is_dead_whatever_its_kl() -> None:
    policy = Tabular(prompts=2)
    settings = named("rloo", prompts=2, samples=6, kl_coefficient=0.5)
    found = collected(policy, settings, nothing)
    rollout = policy_gradient_rollout(found, settings, {})
    assert rollout.values["dead_groups"] == 1.0
    assert rollout.values["kl_penalty"] == pytest.approx(-0.5 * found.values["kl_k1"], rel=1e-5)
    assert float(rollout.tokens["advantages"].abs().max()) > 0  # k1 still pulls


@pytest.mark.parametrize("averaging", ["tokens", "responses"])
def test_weights_of_a_minibatch_with_a_dead_group_add_up_to_one(averaging: Any) -> None:
    """At ratio 1 and advantages of 1 the loss is minus the sum of the weights."""
    policy = Tabular(prompts=2)
    settings = named("dapo", prompts=2, samples=6, averaging=averaging)
    found = collected(policy, settings)
    alive = torch.tensor([float(item.prompt == policy.prompts[0]) for item in found.answered])
    live = alive.repeat_interleave(torch.tensor(found.lengths)).double()
    own = {"log_probs": found.log_probs, "reference": found.reference, "advantages": torch.ones_like(live)}
    recorded = policy_gradients(policy, Minibatch(found.answered, own | {"live": live}), settings)
    assert float(recorded["policy_loss"]) == pytest.approx(-1.0) and 0 < float(live.mean()) < 1


def test_advantages_by_the_spread_of_the_batch() -> None:
    scores = torch.tensor([1.0, 0.0, 0.0, 5.0])
    wanted = torch.tensor([0.5, -0.5, -2.5, 2.5]) / (scores.std() + 1e-4)
    assert torch.allclose(group_advantages(scores, 2, "group", "batch"), wanted)


def test_lengths_by_the_sign_of_the_advantage() -> None:
    policy = Tabular(prompts=1)
    settings = named("grpo", prompts=1, samples=40)

    def longer(answered: Sequence[Answered]) -> Tensor:
        return torch.tensor([float(len(item.response)) for item in answered])

    found = collected(policy, settings, longer)
    rollout = policy_gradient_rollout(found, settings, {})
    mean = sum(found.lengths) / 40
    above, below = ([n for n in found.lengths if (n > mean) is side] for side in (True, False))
    assert rollout.values["length_of_better"] == pytest.approx(sum(above) / len(above))
    assert rollout.values["length_of_worse"] == pytest.approx(sum(below) / len(below))


def test_the_fine_for_length_is_not_scaled() -> None:
    policy = Tabular(prompts=1)
    settings = named("dapo", prompts=1, samples=40, longest=3, overlong_from=1, score_scaling="running")
    found = collected(policy, settings, lambda answered: 10 * table_reward(policy)(answered))
    rollout = policy_gradient_rollout(found, settings, {})
    scaled = found.scores / found.scores.std(unbiased=False)
    fines = torch.tensor([(n - 1) / 2 for n in found.lengths])
    assert rollout.values["reward"] == pytest.approx(float((scaled - fines).mean()), rel=1e-4)
