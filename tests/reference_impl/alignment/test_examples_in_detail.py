"""What learning from examples does between its formulas: micro-batches, labels, modes, schedules, rounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import rejection_sampling as rejection_module
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.best_of_n import best_of_n_probabilities, kl_bound
from reference_impl.alignment.dpo import ReferenceLogProbs, dpo, dpo_gradients, reference_log_probs
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.preference_losses import reward_loss, simpo_loss
from reference_impl.alignment.rejection_sampling import rejection_sampling
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.reward_normalization import gain_and_bias
from reference_impl.alignment.reward_training import reward_gradients, train_reward_models
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import response_loss, sft
from reference_impl.alignment.value_head import RewardHead
from reference_impl.training import loop
from reference_impl.training.state_file import Saving
from tests.reference_impl.alignment.killing import dying_before_step, plain, same
from tests.reference_impl.alignment.plain_gpt import CONFIG, PROMPTS, PlainGPT, likes
from tests.reference_impl.alignment.plain_gpt import sampler as gpt_sampler
from tests.reference_impl.alignment.tabular import Draw, Tabular, kl, sampler
from tests.reference_impl.alignment.test_examples import DEMONSTRATIONS, IDENTICAL, PAIRS

DROPOUT = replace(CONFIG, dropout=0.4)


def untrained(seed: int = 0) -> PlainGPT:
    """In training mode, where dropout would act."""
    policy = PlainGPT(seed, DROPOUT)
    policy.gpt.train()
    return policy


# --- reward models ---------------------------------------------------------------------------------------------------


def of_parts(parts: Sequence[Sequence[Pair]], settings: RewardSettings) -> tuple[dict[str, Tensor], Tensor]:
    trunk = PlainGPT()
    model = RewardModel(trunk, RewardHead(trunk.width))
    found = reward_gradients(model, parts, settings)
    assert model.head.weight.grad is not None
    return found, model.head.weight.grad


def test_micro_batches_of_pairs_change_nothing() -> None:
    settings = RewardSettings(tie_threshold=0.2, center=0.1)
    whole, gradient = of_parts([PAIRS], settings)
    for parts in ([[pair] for pair in PAIRS], [PAIRS[:1], PAIRS[1:]]):
        found, other = of_parts(parts, settings)
        assert {name: float(x) for name, x in found.items()} == pytest.approx(
            {name: float(x) for name, x in whole.items()}, rel=1e-5, abs=1e-6
        )
        assert torch.allclose(gradient, other, atol=1e-6)


def test_ties_labels_margins_and_center_are_those_of_the_pairs() -> None:
    trunk = PlainGPT()
    model = RewardModel(trunk, RewardHead(trunk.width))
    settings = RewardSettings(tie_threshold=0.4, center=0.3)
    total = 0.0
    for pair in PAIRS:
        a, b = (float(x) for x in model.raw_scores([pair.chosen, pair.rejected]))
        one, other = torch.tensor([a]), torch.tensor([b])
        total += float(
            reward_loss(one, other, ties=torch.tensor([True]), tie_threshold=0.4)
            if pair.label == 0.5
            else reward_loss(one, other, probability=pair.label, margin=pair.margin or 0.0, tie_threshold=0.4)
        )
        total += 0.3 * (a + b) ** 2
    found = reward_gradients(model, [PAIRS], settings)
    assert float(found["loss"]) == pytest.approx(total / 4, rel=1e-5)


def test_equal_scores_are_half_right() -> None:
    trunk = PlainGPT()
    model = RewardModel(trunk, RewardHead(trunk.width))
    torch.nn.init.zeros_(model.head.weight)
    assert float(reward_gradients(model, [PAIRS], RewardSettings())["accuracy"]) == 0.5


@pytest.mark.filterwarnings("error")
def test_one_score_has_no_spread() -> None:
    with pytest.raises(ValueError, match="1 reference score has no spread to bring to 1: give 2 or more responses"):
        gain_and_bias(torch.ones(1))


def test_each_seed_has_an_order_of_its_own() -> None:
    models = [RewardModel(trunk := PlainGPT(), RewardHead(trunk.width)) for _ in range(2)]  # equal but for their order
    reports = train_reward_models(models, PAIRS, RewardSettings(epochs=2, batch=1, learning_rate=1e-9))
    assert any(abs(report.values["loss_0"] - report.values["loss_1"]) > 1e-3 for report in reports)


@pytest.mark.parametrize("margin", [0.0, 1.5])
@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_what_can_be_said_of_a_pair_has_probability_one(margin: float, threshold: float) -> None:
    a, b = torch.tensor([0.8], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    told = [reward_loss(a, b, probability=p, margin=margin, tie_threshold=threshold) for p in (1.0, 0.0)]
    if threshold and not margin:  # a tie knows no margin
        told.append(reward_loss(a, b, ties=torch.tensor([True]), tie_threshold=threshold))
    if not (threshold and margin):
        assert sum(math.exp(-float(x)) for x in told) == pytest.approx(1.0)
    half = reward_loss(a, b, probability=0.3, margin=margin, tie_threshold=threshold)
    assert float(half) == pytest.approx(0.3 * float(told[0]) + 0.7 * float(told[1]))


def test_labels_of_simpo_may_be_unsure() -> None:
    one = torch.tensor([0.6], dtype=torch.float64)
    sure = [simpo_loss(one, 2.0, 0.5, p) for p in (1.0, 0.0)]
    assert sum(math.exp(-float(x)) for x in sure) == pytest.approx(1.0)
    assert float(simpo_loss(one, 2.0, 0.5, 0.3)) == pytest.approx(0.3 * float(sure[0]) + 0.7 * float(sure[1]))


# --- DPO and SFT -----------------------------------------------------------------------------------------------------


def test_held_out_pairs_keep_their_own_references() -> None:
    """In batches: at the first policy every one of them is a tie."""
    policy = PlainGPT()
    cached = reference_log_probs(policy.frozen(), PAIRS)
    settings = DPOSettings(batch=1, epochs=0.25, learning_rate=1e-12)
    reports = dpo(policy, cached, PAIRS, settings, validation=PAIRS, validation_reference=cached)
    assert reports[-1].values["validation_loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert reports[-1].values["validation_margin"] == pytest.approx(0, abs=1e-5)


def test_dropout_is_off_in_pairs_and_their_references() -> None:
    policy = untrained()
    cached, told = reference_log_probs(policy, PAIRS), reference_log_probs(PlainGPT(0), PAIRS)
    assert torch.allclose(cached.chosen, told.chosen) and torch.allclose(cached.rejected, told.rejected)
    policy.gpt.train()
    (report,) = dpo(policy, cached, PAIRS, DPOSettings(batch=4, learning_rate=1e-9))
    assert report.values["loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_implied_kl_is_the_mean_log_ratio_of_both_responses() -> None:
    policy = PlainGPT()
    cached = reference_log_probs(policy, PAIRS)
    shifted = ReferenceLogProbs(cached.chosen - 1.4, cached.rejected + 0.4)
    (report,) = dpo(policy, shifted, PAIRS, DPOSettings(batch=4, learning_rate=1e-9))
    assert report.values["implied_kl"] == pytest.approx(0.5, abs=1e-5)
    assert report.values["chosen_reward"] == pytest.approx(0.14, abs=1e-5)
    assert report.values["rejected_reward"] == pytest.approx(-0.04, abs=1e-5)


def test_simpo_goes_by_means_over_tokens() -> None:
    policy = PlainGPT()
    cached = reference_log_probs(policy, PAIRS)
    settings = DPOSettings(batch=4, variant="simpo", beta=2.5, simpo_margin=0.4, learning_rate=1e-9)
    (report,) = dpo(policy, None, PAIRS, settings)
    total = 0.0
    for pair, chosen, rejected in zip(PAIRS, cached.chosen.tolist(), cached.rejected.tolist(), strict=True):
        h = 2.5 * (chosen / len(pair.chosen.response) - rejected / len(pair.rejected.response)) - 0.4
        total += pair.label * math.log1p(math.exp(-h)) + (1 - pair.label) * math.log1p(math.exp(h))
    assert report.values["loss"] == pytest.approx(total / 4, rel=1e-5)


def test_micro_batches_of_preferences_change_nothing() -> None:
    found = []
    for parts in ([range(4)], [[0], [1, 2, 3]], [[0], [1], [2], [3]]):
        policy = PlainGPT(1)
        cached = reference_log_probs(PlainGPT(0), PAIRS)
        given = [
            ([PAIRS[i] for i in part], ReferenceLogProbs(*(column[list(part)] for column in cached))) for part in parts
        ]
        values = dpo_gradients(policy, given, DPOSettings())
        gradient = policy.gpt.head.weight.grad
        assert gradient is not None
        found.append(({name: float(x) for name, x in values.items()}, gradient))
    for values, gradient in found[1:]:
        assert values == pytest.approx(found[0][0], rel=1e-5, abs=1e-6)
        assert torch.allclose(gradient, found[0][1], atol=1e-6)


def test_the_schedule_knows_the_pairs_that_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rates, sound = [], loop.guarded_step

    def watched(optimizer: torch.optim.Optimizer, *rest: Any) -> Tensor:
        rates.append(rest[0])
        return sound(optimizer, *rest)

    monkeypatch.setattr(loop, "guarded_step", watched)
    policy, pairs = PlainGPT(), [PAIRS[0], IDENTICAL, PAIRS[1], IDENTICAL]
    dpo(policy, reference_log_probs(policy, pairs), pairs, DPOSettings(batch=1, learning_rate=0.3))
    assert rates == pytest.approx([0.2, 0.1])  # of two pairs, not four


def test_sft_has_dropout_and_its_validation_has_none() -> None:
    policy = untrained()
    policy.gpt.eval()
    settings = SFTSettings(batch=4, learning_rate=1e-12)
    reports = sft(policy, DEMONSTRATIONS, settings, validation=DEMONSTRATIONS)
    assert not policy.module.training
    sound = response_loss(PlainGPT(0), DEMONSTRATIONS)
    assert reports[-1].values["validation_loss"] == pytest.approx(sound, rel=1e-6)
    assert abs(reports[0].values["loss"] - sound) > 1e-3


# --- baselines -------------------------------------------------------------------------------------------------------


def test_only_what_reaches_the_bar_is_learned() -> None:
    """A verifier's 1 is enough for a bar of 1; nothing of the other prompt is learned."""
    policy = Tabular(prompts=2, dtype=torch.float32)
    before = policy.table.detach().clone()

    def reward(answered: Sequence[Answered]) -> Tensor:
        return torch.tensor([float(item.prompt == policy.prompts[1]) for item in answered])

    settings = RejectionSettings(n=2, batch=1, at_least=1.0, learning_rate=0.1)
    (report,) = rejection_sampling(policy, policy.prompts, sampler(policy), reward, settings)
    assert report.values["kept"] == 1.0 and report.values["score"] == 0.5
    moved = (policy.table != before).any(0)
    prompts = {prompt for (prompt, _), row in policy.rows.items() if bool(moved[row])}
    assert prompts == {policy.prompts[1]}


def test_rounds_draw_and_order_anew() -> None:
    learned: list[tuple[int, ...]] = []

    class Watched(PlainGPT):
        def states(self, answered: Sequence[Answered]) -> Tensor:
            learned.extend(item.prompt for item in answered)
            return super().states(answered)

    policy, asked = Watched(), []

    def same_responses(prompts: Sequence[tuple[int, ...]], step: int) -> list[Draw]:
        asked.append(step)
        return [Draw(Answered(prompt, (3, 0), True), (-1.0, -1.0)) for prompt in prompts]

    prompts = [(token,) for token in range(1, 7)]
    settings = RejectionSettings(rounds=3, n=2, batch=1, learning_rate=1e-9)
    rejection_sampling(policy, prompts, same_responses, likes(3), settings)
    rounds = [learned[at : at + 6] for at in (0, 6, 12)]
    assert asked == [0, 1, 2]
    assert all(sorted(one) == prompts for one in rounds)
    assert rounds[0] != rounds[1] != rounds[2] != rounds[0]


REJECTION = RejectionSettings(rounds=3, n=2, batch=2, learning_rate=0.01)


def run_rejection(seed: int, settings: RejectionSettings = REJECTION, **more: Any) -> tuple[Any, torch.nn.Module]:
    policy = PlainGPT(seed)
    return rejection_sampling(policy, PROMPTS, gpt_sampler(policy), likes(3), settings, **more), policy.module


def test_rounds_of_other_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    saving = Saving(tmp_path / "state", 1)
    with dying_before_step(3):
        run_rejection(0, saving=saving)
    with pytest.raises(ValueError, match="rejection"):
        run_rejection(0, replace(REJECTION, at_least=-9.0), saving=saving, resume=True)


@pytest.mark.parametrize("saved", [False, True])
def test_killed_between_two_rounds_it_goes_on_to_the_same_bits(
    saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The instants before and after the weights that a round begins with are written."""

    class Killed(BaseException):
        pass

    straight, module = run_rejection(0)
    saving, sound = Saving(tmp_path / "state", 1), rejection_module.save_state

    def dying(*arguments: Any) -> None:
        if saved:
            sound(*arguments)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(rejection_module, "save_state", dying)
        run_rejection(0, saving=saving)
    resumed, other = run_rejection(0, saving=saving, resume=True)
    assert plain(resumed) == plain(straight) and same(module, other)


def test_the_bound_of_best_of_n_is_reached_by_scores_that_differ() -> None:
    even: Callable[[int], Tensor] = lambda count: torch.full((count,), 1 / count, dtype=torch.float64)  # noqa: E731
    for n in (2, 4):
        found = best_of_n_probabilities(even(5000), torch.arange(5000), n)
        assert kl(found, even(5000)) == pytest.approx(kl_bound(n), rel=0.01)
    assert kl_bound(1) == 0.0
