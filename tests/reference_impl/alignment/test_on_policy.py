"""PPO and the policy gradients as they run: what the first step is, what is recorded, what is refused, and resuming."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reference_impl.alignment import policy_gradient as policy_gradient_module
from reference_impl.alignment import ppo as ppo_module
from reference_impl.alignment.advantages import generalized_advantages, token_rewards, whiten
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.collecting import Prompt, collect
from reference_impl.alignment.kl import k1, k3
from reference_impl.alignment.kl_controller import adapted
from reference_impl.alignment.learning_settings import set_tensorflow_epsilon
from reference_impl.alignment.on_policy import Minibatch
from reference_impl.alignment.policy_gradient import policy_gradient, policy_gradient_rollout, policy_gradients
from reference_impl.alignment.ppo import Critic, ppo, ppo_rollout
from reference_impl.alignment.prefix_kl import prefix_kl
from reference_impl.alignment.settings.policy_gradient import NAMED, named
from reference_impl.alignment.settings.ppo import PPOSettings
from reference_impl.alignment.settings.truncation import Truncation
from reference_impl.alignment.token_log_probs import token_log_probs
from reference_impl.alignment.truncation import truncated
from reference_impl.alignment.value_head import ValueHead
from reference_impl.training import loop
from reference_impl.training.loop import DivergenceError
from reference_impl.training.state import Report
from reference_impl.training.state_file import Saving
from tests.reference_impl.alignment.killing import dying_before_step, plain, same
from tests.reference_impl.alignment.plain_gpt import CONFIG, PROMPTS, PlainGPT, likes
from tests.reference_impl.alignment.plain_gpt import sampler as gpt_sampler
from tests.reference_impl.alignment.tabular import Draw, Tabular, sampler, table_reward

SMALL = PPOSettings(rollouts=3, prompts=4, samples=2, epochs=2, minibatches=2, learning_rate=0.01, seed=5)


def run_ppo(
    settings: PPOSettings = SMALL, *, seed: int = 0, on_report: Callable[[Report], None] = lambda report: None,
    own_trunk: bool = False, prompts: Sequence[Prompt] = PROMPTS, **more: Any,
) -> tuple[tuple[Report, ...], PlainGPT, Critic]:  # fmt: skip
    policy, reference = PlainGPT(seed), PlainGPT(0).frozen()
    trunk = PlainGPT(seed + 1) if own_trunk else None
    critic = Critic(ValueHead(policy.width), trunk)
    reports = ppo(
        policy, reference, critic, prompts, gpt_sampler(policy), likes(3), settings, on_report=on_report, **more
    )  # fmt: skip
    return reports, policy, critic


@pytest.mark.parametrize("own_trunk", [False, True])
def test_ppo_killed_at_any_step_and_resumed_is_straight_bit_for_bit(tmp_path: Path, own_trunk: bool) -> None:
    settings = replace(SMALL, kl_target=0.05, kl_horizon=50.0, score_scaling="running", approx_kl_stop=0.005)
    straight, policy, critic = run_ppo(settings, own_trunk=own_trunk, saving=Saving(tmp_path / "straight", 1))
    stopped = [report.values["stopped_early"] for report in straight]
    assert 0 < sum(stopped) < 3, stopped  # the early stop is among what is resumed
    for kill_at in range(1, 12, 3 if own_trunk else 1):
        path = tmp_path / f"killed-{kill_at}"
        with dying_before_step(kill_at):
            run_ppo(settings, own_trunk=own_trunk, saving=Saving(path, 1))
        assert load_file(path)["held.order"].shape == (8,)
        # Other weights to begin with: the file has them all.
        resumed, other, again = run_ppo(settings, seed=9, own_trunk=own_trunk, saving=Saving(path, 1), resume=True)
        assert plain(resumed) == plain(straight)
        assert same(policy.module, other.module) and same(critic.head, again.head)
        assert (critic.trunk is None) or (again.trunk and same(critic.trunk.module, again.trunk.module))


@pytest.mark.parametrize("algorithm", list(NAMED))
def test_policy_gradients_killed_and_resumed_are_straight_bit_for_bit(tmp_path: Path, algorithm: str) -> None:
    settings = named(
        algorithm, rollouts=3, prompts=2, samples=4, epochs=2, minibatches=2, learning_rate=0.01, longest=4,
        score_scaling="running",
    )  # fmt: skip

    def run(seed: int, **more: Any) -> tuple[tuple[Report, ...], PlainGPT]:
        policy = PlainGPT(seed)
        return policy_gradient(
            policy, PlainGPT(0).frozen(), PROMPTS, gpt_sampler(policy), likes(3), settings, **more
        ), policy  # fmt: skip

    straight, policy = run(0)
    for kill_at in (3, 6):
        saving = Saving(tmp_path / f"state-{kill_at}", 2)
        with dying_before_step(kill_at):
            run(0, saving=saving)
        resumed, other = run(9, saving=saving, resume=True)
        assert plain(resumed) == plain(straight) and same(policy.module, other.module)


def test_a_state_of_other_settings_or_prompts_is_refused(tmp_path: Path) -> None:
    saving = Saving(tmp_path / "state", 1)
    with dying_before_step(5):
        run_ppo(saving=saving)
    with pytest.raises(ValueError, match=r"kl_coefficient 0.15, not 0.3"):
        run_ppo(replace(SMALL, kl_coefficient=0.3), saving=saving, resume=True)
    with pytest.raises(ValueError, match="other prompts"):
        run_ppo(saving=saving, resume=True, prompts=PROMPTS[:3])
    with pytest.raises(ValueError, match=r"give saving=Saving"):
        run_ppo(resume=True)


def test_the_first_minibatch_is_on_policy_and_what_is_recorded_adds_up() -> None:
    settings = replace(SMALL, rollouts=1, epochs=1, minibatches=1, kl_coefficient=0.3)
    (report,), _, _ = run_ppo(settings, seed=3)
    found = report.values
    assert found["ratio"] == pytest.approx(1.0, abs=1e-6)
    assert found["approx_kl"] == pytest.approx(0.0, abs=1e-9)
    assert found["clip_fraction"] == found["stopped_early"] == 0
    assert found["mismatch_largest"] < 1e-5
    assert found["kl"] > 0 and found["kl_k3"] > 0
    assert found["kl_penalty"] == pytest.approx(-0.3 * found["kl_k1"], rel=1e-5)
    assert found["reward"] == pytest.approx(found["score"] + found["kl_penalty"], rel=1e-5)
    assert found["policy_loss"] == pytest.approx(0.0, abs=1e-6)  # whitened advantages at ratio 1
    assert found["entropy"] == pytest.approx(found["policy_entropy"], rel=1e-5)
    assert found["value"] == 0 and found["explained_variance"] == pytest.approx(0, abs=1e-6)


def test_it_learns_and_so_does_its_critic() -> None:
    settings = replace(
        SMALL, rollouts=12, prompts=4, samples=6, epochs=2, minibatches=2, learning_rate=0.02, kl_coefficient=0.02,
        value_coefficient=1.0, lam=1.0,
    )  # fmt: skip
    for own_trunk in (False, True):
        reports, _, _ = run_ppo(settings, own_trunk=own_trunk)
        assert reports[-1].values["score"] > 0.5 > 0.3 > reports[0].values["score"]
        assert reports[-1].values["value"] > 0.2
        assert reports[-1].values["kl"] > 0.1


def test_micro_batches_change_nothing() -> None:
    settings = replace(SMALL, rollouts=2, minibatches=1, gradient_clip=math.inf, learning_rate=0.003)
    whole, policy, _ = run_ppo(settings)
    parts, other, _ = run_ppo(replace(settings, micro_batches=4))
    for a, b in zip(whole, parts, strict=True):
        assert a.values == pytest.approx(b.values, rel=1e-3, abs=1e-5)
    for one, two in zip(policy.module.parameters(), other.module.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-5)


def test_after_an_early_stop_nothing_moves() -> None:
    settings = replace(SMALL, rollouts=1, epochs=8, minibatches=1, schedule="constant", learning_rate=0.02)
    (stopped,), policy, critic = run_ppo(replace(settings, approx_kl_stop=0.01))
    done = round((1 - stopped.values["stopped_early"]) * 8)
    assert 1 <= done < 8
    (shorter,), other, other_critic = run_ppo(replace(settings, epochs=done))
    assert same(policy.module, other.module) and same(critic.head, other_critic.head)
    for name in ("loss", "approx_kl", "ratio", "value_loss"):
        assert stopped.values[name] == pytest.approx(shorter.values[name], rel=1e-5, abs=1e-8)


def test_the_adaptive_coefficient_follows_each_rollouts_kl(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SMALL, rollouts=5, kl_target=0.01, kl_horizon=20.0, learning_rate=0.03)
    heard: list[float] = []

    def hearing(coefficient: float, kl: float, target: float, horizon: float, responses: int) -> float:
        heard.append(kl)
        return adapted(coefficient, kl, target, horizon, responses)

    monkeypatch.setattr("reference_impl.alignment.ppo.adapted", hearing)
    reports, _, _ = run_ppo(settings)
    assert heard == pytest.approx([report.values["kl_k1"] for report in reports[:-1]], rel=1e-4), "nats per response"
    coefficient = settings.kl_coefficient
    for report, following in itertools.pairwise(reports):
        assert report.values["kl_coefficient"] == pytest.approx(coefficient, rel=1e-5)
        coefficient = adapted(coefficient, report.values["kl_k1"], 0.01, 20.0, 8)
        assert following.values["kl_coefficient"] == pytest.approx(coefficient, rel=1e-3)


def test_epsilon_stands_where_tensorflow_has_it() -> None:
    parameter = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))
    optimizer = torch.optim.AdamW([parameter], lr=0.1, betas=(0.9, 0.999), weight_decay=0.0, fused=True)
    wanted, m, v = parameter.detach().double(), torch.zeros(1, 2).double(), torch.zeros(1, 2).double()
    for step, scale in enumerate((1.0, -0.3, 1e-5, 2.0)):
        set_tensorflow_epsilon(optimizer, 1e-5)
        optimizer.step()  # skipped, as after an early stop: without gradients, so it doesn't count
        gradient = torch.tensor([[1e-4, 3e-6]]) * scale
        parameter.grad = gradient.clone()
        set_tensorflow_epsilon(optimizer, 1e-5)
        optimizer.step()
        parameter.grad = None
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient.double().square()
        rate = 0.1 * math.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        wanted = wanted - rate * m / (v.sqrt() + 1e-5)
    assert torch.allclose(parameter.detach().double(), wanted, rtol=1e-5)


@pytest.mark.parametrize("like_tensorflow", [False, True])
def test_ppo_steps_with_the_epsilon_that_it_says(like_tensorflow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, sound = [], loop.guarded_step

    def watched(optimizer: torch.optim.Optimizer, *rest: Any) -> Tensor:
        seen.append((optimizer.param_groups[0]["eps"], rest[0]))
        return sound(optimizer, *rest)

    monkeypatch.setattr(loop, "guarded_step", watched)
    run_ppo(replace(SMALL, rollouts=1, tensorflow_adam=like_tensorflow))
    wanted = [1e-5 / math.sqrt(1 - 0.999 ** (step + 1)) if like_tensorflow else 1e-5 for step in range(4)]
    assert [epsilon for epsilon, _ in seen] == pytest.approx(wanted)
    assert [rate for _, rate in seen] == pytest.approx([0.01 * (1 - (step + 1) / 5) for step in range(4)])  # never 0


def test_steps_that_an_early_stop_skips_are_none_of_adams(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, sound = [], loop.guarded_step

    def watched(optimizer: torch.optim.Optimizer, *rest: Any) -> Tensor:
        learns = any(p.grad is not None for group in optimizer.param_groups for p in group["params"])
        seen.append((learns, optimizer.param_groups[0]["eps"]))
        return sound(optimizer, *rest)

    monkeypatch.setattr(loop, "guarded_step", watched)
    run_ppo(replace(SMALL, approx_kl_stop=1e-9))
    made = [learns for learns, _ in seen]
    assert sum(made) < len(made) == 12 and any(made[4:]), "rollouts stop early, and the next one learns again"
    for place, (learns, epsilon) in enumerate(seen):
        wanted = 1e-5 / math.sqrt(1 - 0.999 ** (sum(made[:place]) + 1))
        if learns:
            assert epsilon == pytest.approx(wanted), place


def test_every_epoch_has_an_order_of_its_own_and_each_response_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Answered]] = []
    sound = ppo_module.ppo_gradients

    def watched(policy: Any, critic: Critic, minibatch: Minibatch, settings: PPOSettings) -> dict[str, Tensor]:
        seen.append(list(minibatch.answered))
        return sound(policy, critic, minibatch, settings)

    monkeypatch.setattr(ppo_module, "ppo_gradients", watched)
    run_ppo(replace(SMALL, rollouts=2, epochs=3, minibatches=2, samples=4))
    for rollout in (seen[:6], seen[6:]):
        epochs = [[*rollout[at], *rollout[at + 1]] for at in (0, 2, 4)]
        assert all(sorted(map(repr, epoch)) == sorted(map(repr, epochs[0])) for epoch in epochs)
        assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


@pytest.mark.parametrize("own_trunk", [False, True])
def test_the_loss_of_a_later_step_is_the_formula_with_every_setting(own_trunk: bool) -> None:
    """One response at a time, one token at a time, on plain numbers, after the policy and its critic have moved."""
    settings = replace(
        SMALL, prompts=2, samples=6, minibatches=1, temperature=0.8, gamma=0.9, lam=0.6, kl_coefficient=0.4, clip=0.1,
        value_clip=0.05, value_coefficient=0.7, whiten_advantages=False,
    )  # fmt: skip
    policy, reference = Tabular(prompts=2, seed=1), Tabular(prompts=2, seed=2).copy()
    trunk = Tabular(prompts=2, seed=3) if own_trunk else None
    critic = Critic(ValueHead(policy.width).double(), trunk)

    def move(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in (policy.table, critic.head.weight):
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)

    move(0)
    draw = sampler(policy, temperature=0.8)
    found = collect(policy, reference, policy.prompts, draw, table_reward(policy), settings, 0)
    rollout = ppo_rollout(found, policy, critic, settings, {})
    old_table, old_values = policy.table.detach().clone(), critic.head.weight.detach().clone()[0]
    move(1)
    recorded = ppo_module.ppo_gradients(
        policy, critic, Minibatch(tuple(rollout.answered), dict(rollout.tokens)), settings
    )  # fmt: skip

    policy_loss = value_loss = clipped = 0.0
    new_values = critic.head.weight.detach()[0]
    for item, score in zip(found.answered, found.scores.tolist(), strict=True):
        rows = [policy.rows[item.prompt, item.response[:at]] for at in range(len(item.response))]

        def log_p(table: Tensor, rows: list[int] = rows, item: Answered = item) -> list[float]:
            return [
                float((table[:, row].detach() / 0.8).log_softmax(0)[token])
                for row, token in zip(rows, item.response, strict=True)
            ]

        old, new, frozen = log_p(old_table), log_p(policy.table), log_p(reference.table)
        rewards = [-0.4 * (a - b) for a, b in zip(old, frozen, strict=True)]
        rewards[-1] += score
        values = [*(float(old_values[row]) for row in rows), 0.0]
        following, advantages = 0.0, []
        for at in reversed(range(len(rows))):
            following = rewards[at] + 0.9 * values[at + 1] - values[at] + 0.9 * 0.6 * following
            advantages.insert(0, following)
        for at, row in enumerate(rows):
            ratio, advantage = math.exp(new[at] - old[at]), advantages[at]
            policy_loss += max(-advantage * ratio, -advantage * min(max(ratio, 0.9), 1.1))
            clipped += -advantage * min(max(ratio, 0.9), 1.1) > -advantage * ratio
            value, goal = float(new_values[row]), advantage + values[at]
            near = min(max(value, values[at] - 0.05), values[at] + 0.05)
            value_loss += 0.5 * max((value - goal) ** 2, (near - goal) ** 2)
    tokens = sum(found.lengths)
    assert float(recorded["policy_loss"]) == pytest.approx(policy_loss / tokens, rel=1e-4)
    assert float(recorded["value_loss"]) == pytest.approx(value_loss / tokens, rel=1e-4)
    assert float(recorded["loss"]) == pytest.approx((policy_loss + 0.7 * value_loss) / tokens, rel=1e-4)
    assert float(recorded["clip_fraction"]) == pytest.approx(clipped / tokens) and 0 < clipped < tokens


@pytest.mark.parametrize("algorithm", ["grpo", "dapo"])
def test_the_ratio_of_a_later_step_is_clipped_where_the_settings_say(algorithm: str) -> None:
    policy = Tabular(prompts=2, seed=1)
    settings = named(algorithm, prompts=2, samples=20, kl_coefficient=0.0, averaging="tokens")
    found = collect(policy, policy.copy(), policy.prompts, sampler(policy), table_reward(policy), settings, 0)
    rollout = policy_gradient_rollout(found, settings, {})
    with torch.no_grad():
        moved = torch.randn(policy.table.shape, generator=torch.Generator().manual_seed(3))
        policy.table.add_(0.4 * moved)
        ratio = (token_log_probs(policy, found.answered).log_probs - found.log_probs).exp()
    recorded = policy_gradients(policy, Minibatch(tuple(rollout.answered), dict(rollout.tokens)), settings)
    advantages, high = rollout.tokens["advantages"], 1.28 if algorithm == "dapo" else 1.2
    assert bool(((ratio > 1.21) & (advantages > 0)).any())  # where both differ
    losses = torch.maximum(-advantages * ratio, -advantages * ratio.clamp(0.8, high))
    assert float(recorded["policy_loss"]) == pytest.approx(float(losses.mean()), rel=1e-5)


def test_what_a_rollout_records_is_at_its_temperature() -> None:
    policy, reference = Tabular(prompts=2, seed=1), Tabular(prompts=2, seed=2).copy()
    settings = replace(SMALL, prompts=2, samples=20, minibatches=1, temperature=0.6)
    draw = sampler(policy, temperature=0.6)
    found = collect(policy, reference, policy.prompts, draw, table_reward(policy), settings, 0)
    with torch.no_grad():
        own, other = (token_log_probs(x, found.answered, 0.6) for x in (policy, reference))
    wanted = {
        "kl": prefix_kl(policy, reference, found.answered, 0.6),
        "kl_k1": k1(own.log_probs, other.log_probs),
        "kl_k3": k3(own.log_probs, other.log_probs),
    }
    for name, values in wanted.items():
        assert found.values[name] == pytest.approx(float(values.sum()) / 40), name
    assert found.values["entropy"] == pytest.approx(float(own.entropies.mean()))
    assert found.values["length"] == len(own.log_probs) / 40
    assert torch.equal(found.log_probs, own.log_probs) and torch.equal(found.reference, other.log_probs)
    lengths, scores = torch.tensor(found.lengths).float(), found.scores.float()
    wanted_correlation = float(torch.corrcoef(torch.stack((lengths, scores)))[0, 1])
    assert found.values["length_score_correlation"] == pytest.approx(wanted_correlation, abs=1e-5)


def test_dropout_is_off() -> None:
    config = replace(CONFIG, dropout=0.3)
    policy = PlainGPT(config=config)
    policy.gpt.train()
    reference = policy.frozen()
    reference.gpt.train()
    settings = replace(SMALL, rollouts=1, epochs=1, minibatches=1)
    critic = Critic(ValueHead(policy.width))
    (report,) = ppo(policy, reference, critic, PROMPTS, gpt_sampler(policy), likes(3), settings)
    for name in ("kl", "mismatch_largest", "approx_kl"):
        assert report.values[name] == pytest.approx(0.0, abs=1e-5), name  # rounding alone


def test_scores_are_scaled_by_all_scores_so_far() -> None:
    settings = replace(SMALL, rollouts=3, score_scaling="running")
    drawn: list[Tensor] = []

    def reward(answered: Sequence[Answered]) -> Tensor:
        drawn.append(10 * likes(3)(answered) + 5 * likes(4)(answered))
        return drawn[-1]

    policy = PlainGPT()
    critic = Critic(ValueHead(policy.width))
    reports = ppo(policy, policy.frozen(), critic, PROMPTS, gpt_sampler(policy), reward, settings)
    for number, report in enumerate(reports):
        spread = torch.cat(drawn[: number + 1]).std(unbiased=False)
        assert report.values["score_scaled"] == pytest.approx(float((drawn[number] / spread).mean()), rel=1e-4)


def test_rewards_of_tokens_can_be_whitened_and_scores_clipped() -> None:
    policy = Tabular(prompts=1, dtype=torch.float32)
    settings = replace(SMALL, prompts=1, samples=40, minibatches=1, score_clip=0.5, lam=1.0, whiten_advantages=False)
    found = collect(policy, policy.copy(), policy.prompts, sampler(policy), table_reward(policy), settings, 0)
    assert float(found.scores.abs().max()) == 0.5 < float(table_reward(policy)(found.answered).abs().max())
    critic = Critic(ValueHead(policy.width))
    plain, white = (
        ppo_rollout(found, policy, critic, replace(settings, whiten_rewards=on), {}).tokens["returns"]
        for on in (False, True)
    )
    rewards = token_rewards(found.scores, found.log_probs - found.reference, 0.15, found.lengths)
    for returns, wanted in ((plain, rewards), (white, whiten(rewards, shift_mean=False))):
        to_go, _ = generalized_advantages(wanted, torch.zeros_like(wanted), found.lengths, 1.0, 1.0)
        assert torch.allclose(returns, to_go, atol=1e-6)


def test_truncation_and_penalties() -> None:
    long, short = Answered((9,), (1, 5, 2, 5, 3), False), Answered((9,), (1, 2), True)
    at_five = Truncation(token=5, after=2, score=-1.0)
    assert truncated(long, at_five) == (Answered((9,), (1, 5, 2, 5), False), True)
    assert truncated(short, at_five) == (short, False)
    whole = Answered((9,), (1, 2, 5), True)
    assert truncated(whole, at_five) == (whole, True)

    policy = Tabular(prompts=1, dtype=torch.float32)
    settings = replace(SMALL, prompts=1, samples=40, minibatches=1, missing_eos_penalty=2.0)

    def nothing(answered: Sequence[Answered]) -> Tensor:
        return torch.zeros(len(answered))

    def collected(**changes: Any) -> Any:
        return collect(
            policy, policy.copy(), policy.prompts, sampler(policy), nothing, replace(settings, **changes), 0
        )  # fmt: skip

    found = collected()
    assert {item.ended for item in found.answered} == {True, False}
    assert all(score == (0.0 if item.ended else -2.0) for item, score in zip(found.answered, found.scores, strict=True))
    assert found.values["truncated"] == pytest.approx(sum(not item.ended for item in found.answered) / 40)
    cut = collected(truncation=Truncation(token=2, after=0, score=-7.0), missing_eos_penalty=0.0)
    assert cut.values["truncated"] == pytest.approx(sum(2 not in item.response for item in cut.answered) / 40)
    for item, score in zip(cut.answered, cut.scores, strict=True):
        assert 2 not in item.response[:-1]
        assert score == (0.0 if 2 in item.response else -7.0)


def test_a_score_that_is_no_number_is_told_with_its_prompt() -> None:
    policy = PlainGPT()

    def reward(answered: Sequence[Answered]) -> Tensor:
        scores = likes(3)(answered)
        scores[5] = math.nan
        return scores

    with pytest.raises(ValueError, match=r"gave nan for the response \[.*\] to the prompt \[.*\] \(1 of 8 scores"):
        collect(policy, policy.frozen(), PROMPTS, gpt_sampler(policy), reward, SMALL, 0)
    with pytest.raises(ValueError, match=r"shape \(8, 1\) for 8 responses"):
        collect(policy, policy.frozen(), PROMPTS, gpt_sampler(policy), lambda a: likes(3)(a)[:, None], SMALL, 0)


def test_a_sampler_that_draws_from_something_else_is_told() -> None:
    policy = Tabular(prompts=2, spread=3.0)
    settings = replace(SMALL, prompts=2, samples=8, minibatches=1, mismatch_limit=0.1)
    reward, reference = table_reward(policy), policy.copy()

    def refused(draw: Callable[..., list[Draw]], match: str) -> None:
        with pytest.raises(ValueError, match=match):
            collect(policy, reference, policy.prompts, draw, reward, settings, 0)

    def copies(prompts: Sequence[Prompt], step: int) -> list[Draw]:
        soft = sampler(Tabular(prompts=2, spread=0.0))(list(dict.fromkeys(prompts)), step)
        return [Draw(item.answered, (-1.0986,) * len(item.log_probs)) for item in soft for _ in range(8)]

    even = Tabular(prompts=2, spread=0.0)
    refused(sampler(policy, temperature=0.5), "differ from the trainer's by .* without top-k or top-p")
    refused(lambda prompts, step: sampler(policy)(prompts, step)[:-1], "15 responses to 16 prompts")
    refused(
        lambda prompts, step: sampler(policy)(prompts[::-1], step), "response 0 of the sampler is to another prompt"
    )
    with pytest.raises(ValueError, match="all 8 samples of each prompt the same response"):
        collect(even, even.copy(), even.prompts, copies, table_reward(even), settings, 0)
    same_answers = [Draw(item.answered, ()) for item in sampler(policy)([policy.prompts[0]] * 16, 0)]
    refused(lambda prompts, step: same_answers, "another prompt|lacks a log-probability")


def test_a_policy_that_collapses_stops_with_the_reason_and_the_last_good_state(tmp_path: Path) -> None:
    policy = Tabular(prompts=1, dtype=torch.float32)
    settings = named(
        "reinforce", rollouts=60, prompts=1, samples=32, learning_rate=0.5, kl_coefficient=0.0, entropy_limit=0.05,
        schedule="constant",
    )  # fmt: skip
    saving = Saving(tmp_path / "state", 1)

    def run(policy: Tabular, settings: Any) -> tuple[Report, ...]:
        reward = table_reward(policy)
        reference = Tabular(prompts=1, dtype=torch.float32).copy()
        return policy_gradient(policy, reference, policy.prompts, sampler(policy), reward, settings, saving=saving)

    with pytest.raises(DivergenceError, match=r"collapsed before rollout \d+: its entropy is .*state\.good\."):
        run(policy, settings)
    good = Tabular(prompts=1, dtype=torch.float32)
    good.table.data = load_file(tmp_path / "state.good")["model.policy.logits"]
    odds, last = good.probabilities(good.prompts[0]), policy.probabilities(policy.prompts[0])
    assert float(odds.max()) < float(last.max())

    with pytest.raises(
        DivergenceError, match=r"nats per response from its reference before rollout .* kl_limit is 0.5"
    ):
        run(Tabular(prompts=1, dtype=torch.float32), replace(settings, kl_limit=0.5, entropy_limit=0.0))


def test_dead_groups_are_counted_and_teach_nothing() -> None:
    policy = Tabular(prompts=2, dtype=torch.float32)
    before = policy.table.detach().clone()
    for algorithm in ("grpo", "dr_grpo", "dapo"):
        settings = named(
            algorithm, rollouts=2, prompts=2, samples=4, kl_coefficient=0.0, longest=3, learning_rate=0.1
        )  # fmt: skip
        reward = table_reward(policy, spread=0.0)
        reports = policy_gradient(policy, policy.copy(), policy.prompts, sampler(policy), reward, settings)
        assert all(report.values["dead_groups"] == 1 for report in reports)
        assert torch.equal(policy.table, before)


def test_dead_groups_that_are_left_out_do_not_thin_the_mean() -> None:
    """Two prompts, of which one is always dead: DAPO's gradient is that of the other alone."""
    policy = Tabular(prompts=2)
    all_of = table_reward(policy)

    def reward(answered: Sequence[Answered]) -> Tensor:
        live = torch.tensor([float(item.prompt == policy.prompts[0]) for item in answered])
        return all_of(answered) * live

    found = {}
    for dead in ("kept", "left_out"):
        settings = named("dapo", prompts=2, samples=6, averaging="sums", dead_groups=dead)
        collected = collect(policy, policy.copy(), policy.prompts, sampler(policy), reward, settings, 0)
        rollout = policy_gradient_rollout(collected, settings, {})
        policy.table.grad = None
        policy_gradients(policy, Minibatch(tuple(rollout.answered), dict(rollout.tokens)), settings)
        assert policy.table.grad is not None
        found[dead] = policy.table.grad.clone()
        assert rollout.values["dead_groups"] == 0.5
    assert torch.allclose(found["left_out"], 2 * found["kept"]) and float(found["kept"].abs().max()) > 0


def test_a_rollout_of_dead_groups_moves_nothing_not_even_by_momentum() -> None:
    tables = []
    for rollouts in (1, 2):
        policy, calls = Tabular(prompts=2, dtype=torch.float32), itertools.count()
        sound = table_reward(policy)

        def reward(answered: Sequence[Answered], sound: Any = sound, calls: Any = calls) -> Tensor:
            return sound(answered) if next(calls) == 0 else torch.zeros(len(answered))

        settings = named("dapo", rollouts=rollouts, prompts=2, samples=6, learning_rate=0.1, schedule="constant")
        policy_gradient(policy, policy.copy(), policy.prompts, sampler(policy), reward, settings)
        tables.append(policy.table)
    assert torch.equal(*tables) and not torch.equal(tables[0], Tabular(prompts=2, dtype=torch.float32).table)


def test_overlong_responses_are_fined() -> None:
    policy = Tabular(prompts=1)
    settings = named("dapo", prompts=1, samples=40, longest=3, overlong_from=1)
    collected = collect(
        policy, policy.copy(), policy.prompts, sampler(policy), table_reward(policy, spread=0.0), settings, 0
    )  # fmt: skip
    rollout = policy_gradient_rollout(collected, settings, {})
    mean = sum((len(item.response) - 1) / 2 for item in collected.answered) / 40
    assert rollout.values["reward"] == pytest.approx(-mean)


def passes_of(policy: PlainGPT, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of every pass over responses of a rollout, whether it was made with gradients (a sampler has one item each)."""
    passes, sound = [], policy.states

    def watched(answered: Sequence[Answered]) -> Tensor:
        if len(answered) > 1:
            passes.append(torch.is_grad_enabled())
        return sound(answered)

    monkeypatch.setattr(policy, "states", watched)
    return passes


@pytest.mark.parametrize("algorithm", list(NAMED))
def test_a_single_step_learns_from_the_pass_that_scored_the_rollout(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow road scores without gradients and makes the pass again: the same numbers from twice the passes."""
    settings = named(
        algorithm, rollouts=3, prompts=2, samples=4, learning_rate=0.01, longest=4,
        score_scaling="running",
    )  # fmt: skip

    firsts: list[list[Tensor]] = []
    step = loop.guarded_step

    def watched(optimizer: torch.optim.Optimizer, *rest: Any) -> Tensor:
        firsts.append([p.grad.clone() for group in optimizer.param_groups for p in group["params"]])
        return step(optimizer, *rest)

    monkeypatch.setattr(loop, "guarded_step", watched)

    def run() -> tuple[tuple[Report, ...], list[bool]]:
        policy = PlainGPT(3)
        passes = passes_of(policy, monkeypatch)
        reports = policy_gradient(
            policy, PlainGPT(0).frozen(), PROMPTS, gpt_sampler(policy), likes(3), settings
        )  # fmt: skip
        return reports, passes

    once, passes = run()
    assert passes == [True] * 3
    monkeypatch.setattr(policy_gradient_module, "_in_one_pass", lambda settings: False)
    twice, passes = run()
    assert passes == [False, True] * 3
    assert all(report.values["ratio"] == 1 and report.values["approx_kl"] == 0 for report in once)
    for one, two in zip(once, twice, strict=True):
        assert one.values == pytest.approx(two.values, rel=1e-4, abs=1e-5)
    for a, b in zip(firsts[0], firsts[3], strict=True):
        assert (a - b).norm() <= 1e-5 * b.norm()
    assert any(bool(gradient.any()) for gradient in firsts[0])


@pytest.mark.parametrize("parted", [{"epochs": 2}, {"minibatches": 2}, {"micro_batches": 2}])
def test_what_learns_in_parts_makes_a_pass_for_each(parted: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    policy = PlainGPT(3)
    passes = passes_of(policy, monkeypatch)
    settings = named("grpo", rollouts=1, prompts=2, samples=4, **parted)
    policy_gradient(policy, PlainGPT(0).frozen(), PROMPTS, gpt_sampler(policy), likes(3), settings)
    assert passes == [False] * (1 if "epochs" in parted else 2) + [True] * 2


def test_a_run_of_single_steps_killed_and_resumed_is_straight_bit_for_bit(tmp_path: Path) -> None:
    settings = named("grpo", rollouts=4, prompts=2, samples=4, learning_rate=0.01)

    def run(seed: int, **more: Any) -> tuple[tuple[Report, ...], PlainGPT]:
        policy = PlainGPT(seed)
        reports = policy_gradient(
            policy, PlainGPT(0).frozen(), PROMPTS, gpt_sampler(policy), likes(3), settings, **more
        )  # fmt: skip
        return reports, policy

    straight, policy = run(3)
    for kill_at in (1, 3):
        saving = Saving(tmp_path / f"state-{kill_at}", 1)
        with dying_before_step(kill_at):
            run(3, saving=saving)
        assert not any("scored" in name for name in load_file(saving.path))
        resumed, other = run(9, saving=saving, resume=True)
        assert plain(resumed) == plain(straight) and same(policy.module, other.module)


def test_a_longest_response_that_is_too_short_is_refused() -> None:
    policy = Tabular(prompts=1)
    settings = named("dr_grpo", prompts=1, samples=8, longest=2)
    with pytest.raises(ValueError, match="a response has 3 tokens, and longest says 2"):
        policy_gradient(policy, policy.copy(), policy.prompts, sampler(policy), table_reward(policy), settings)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"clip": 0.0}, "clip must be above 0"),
        ({"minibatches": 3}, "8 responses of a rollout can't be cut into 3"),
        ({"micro_batches": 3}, "4 responses of a minibatch can't be cut into 3"),
        ({"truncation": Truncation(3, 0, -1.0), "missing_eos_penalty": 1.0}, "leave missing_eos_penalty at 0"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"lam": 1.5}, "lam must be at most 1"),
        ({"kl_target": 0.0}, "kl_target must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0"),
        ({"averaging": "longest"}, "PPO doesn't know the longest"),
        ({"averaging": "mean"}, "averaging must be one of tokens"),
        ({"schedule": "steps"}, "schedule must be one of"),
        ({"score_scaling": "all"}, "score_scaling must be one of none, running"),
        ({"warmup": 2.0}, "warmup must be a part"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        replace(SMALL, **changes)


def test_names_of_algorithms() -> None:
    with pytest.raises(ValueError, match="unknown algorithm 'gpro': one of reinforce, rloo, grpo"):
        named("gpro")
    with pytest.raises(ValueError, match="group compares the responses to one prompt"):
        named("grpo", samples=1)
    with pytest.raises(ValueError, match="need the longest response"):
        named("dr_grpo")


def test_a_policy_without_anything_that_learns_is_refused() -> None:
    policy = PlainGPT().frozen()
    with pytest.raises(ValueError, match="no parameter of the policy has requires_grad"):
        policy_gradient(policy, policy, PROMPTS, gpt_sampler(policy), likes(3), named("grpo"))
    with pytest.raises(ValueError, match="there are no prompts"):
        policy_gradient(PlainGPT(), policy, [], gpt_sampler(policy), likes(3), named("grpo"))
