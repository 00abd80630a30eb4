"""Learning from demonstrations and pairs: SFT, DPO and its relatives, reward models, and the baselines that draw."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_impl.alignment.answered import Answered
from reference_impl.alignment.best_of_n import best_of_n, best_of_n_probabilities, kl_bound
from reference_impl.alignment.data.batches import Order
from reference_impl.alignment.dpo import ReferenceLogProbs, dpo, reference_log_probs
from reference_impl.alignment.drawn_pairs import drawn_pairs
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.rejection_sampling import rejection_sampling
from reference_impl.alignment.reward_model import RewardModel, normalize
from reference_impl.alignment.reward_training import judged, train_reward_models
from reference_impl.alignment.settings.dpo import DPOSettings
from reference_impl.alignment.settings.rejection import RejectionSettings
from reference_impl.alignment.settings.reward import RewardSettings
from reference_impl.alignment.settings.sft import SFTSettings
from reference_impl.alignment.sft import response_loss, sft, sft_gradients
from reference_impl.alignment.value_head import RewardHead
from reference_impl.training.state import Report
from reference_impl.training.state_file import Saving
from tests.reference_impl.alignment.killing import dying_before_step, plain, same
from tests.reference_impl.alignment.plain_gpt import PROMPTS, PlainGPT, likes
from tests.reference_impl.alignment.plain_gpt import sampler as gpt_sampler
from tests.reference_impl.alignment.tabular import EOS, Tabular, kl, sampler, table_reward

DEMONSTRATIONS = [
    Answered((1, 2), (3, 4, 0), True), Answered((3,), (5, 0), True), Answered((4, 5, 6), (1, 1, 1, 0), True),
    Answered((2, 2), (6,), False),
]  # fmt: skip
PAIRS = [
    Pair(Answered((1, 2), (3, 0), True), Answered((1, 2), (4, 4, 0), True)),
    Pair(Answered((3,), (5, 0), True), Answered((3,), (0,), True), margin=0.5, label=0.9),
    Pair(Answered((4, 5), (3, 3, 3, 0), True), Answered((4, 5), (1, 0), True), label=0.5),
    Pair(Answered((2, 2), (6,), False), Answered((2, 2), (6, 0), True)),
]
IDENTICAL = Pair(Answered((1,), (2, 0), True), Answered((1,), (2, 0), True))


def test_each_example_comes_once_per_epoch() -> None:
    order = Order(items=7, batch=3, seed=1)
    seen = [index for step in range(7) for index in order.places(step)]
    for epoch in range(3):
        assert sorted(seen[7 * epoch : 7 * epoch + 7]) == list(range(7))
    assert seen[:7] != seen[7:14]
    assert list(order.places(4)) == seen[12:15]


# --- SFT -------------------------------------------------------------------------------------------------------------


def test_sft_learns_responses_and_only_responses() -> None:
    policy = PlainGPT()
    settings = SFTSettings(epochs=60, batch=4, learning_rate=0.02)
    reports = sft(policy, DEMONSTRATIONS, settings, validation=DEMONSTRATIONS, evaluations=3)
    assert reports[0].values["loss"] > 1.5 and reports[-1].values["loss"] < 0.1
    assert response_loss(policy, DEMONSTRATIONS) == pytest.approx(reports[-1].values["validation_loss"])
    assert sum("validation_loss" in report.values for report in reports) == 3
    assert reports[0].values["tokens"] == 10

    # What a prompt's tokens cost has no gradient: only the rows that predict a response have one.
    table = Tabular(prompts=1)
    item = Answered(table.prompts[0], (1, 0), True)
    sft_gradients(table, [[item]])
    assert table.table.grad is not None
    moved = {prefix for (_, prefix), row in table.rows.items() if float(table.table.grad[:, row].abs().max()) > 0}
    assert moved == {(), (1,)}  # EOS is learned, too


def test_sft_takes_the_mean_over_tokens_however_it_is_cut() -> None:
    found = []
    for parts in ([DEMONSTRATIONS], [DEMONSTRATIONS[:1], DEMONSTRATIONS[1:]], [[item] for item in DEMONSTRATIONS]):
        policy = PlainGPT()
        values = sft_gradients(policy, parts)
        gradient = next(policy.module.parameters()).grad
        assert gradient is not None
        found.append((values["loss"], gradient))
    for loss, gradient in found[1:]:
        assert torch.allclose(loss, found[0][0]) and torch.allclose(gradient, found[0][1], atol=1e-6)


Run = Callable[..., tuple[tuple[Report, ...], torch.nn.Module]]


def run_sft(seed: int, **more: Any) -> tuple[tuple[Report, ...], torch.nn.Module]:
    policy = PlainGPT(seed)
    return sft(policy, DEMONSTRATIONS, SFTSettings(epochs=3, batch=2, learning_rate=0.01), **more), policy.module


def run_dpo(seed: int, **more: Any) -> tuple[tuple[Report, ...], torch.nn.Module]:
    policy = PlainGPT(seed)
    cached = reference_log_probs(PlainGPT(0).frozen(), PAIRS)
    return dpo(policy, cached, PAIRS, DPOSettings(epochs=3, batch=2, learning_rate=0.01), **more), policy.module


def run_reward(seed: int, **more: Any) -> tuple[tuple[Report, ...], torch.nn.Module]:
    models = reward_models(2, seed)
    settings = RewardSettings(epochs=3, batch=2, learning_rate=0.01)
    reports = train_reward_models(models, PAIRS, settings, references=DEMONSTRATIONS, **more)
    return reports, torch.nn.ModuleList([model.module for model in models])


@pytest.mark.parametrize("run", [run_sft, run_dpo, run_reward])
def test_killed_and_resumed_is_straight_bit_for_bit(run: Run, tmp_path: Path) -> None:
    straight, module = run(0)
    saving = Saving(tmp_path / "state", 1)
    with dying_before_step(5):
        run(0, saving=saving)
    resumed, other = run(9, saving=saving, resume=True)
    assert plain(resumed) == plain(straight) and same(module, other)
    assert all(torch.equal(a, b) for a, b in zip(module.buffers(), other.buffers(), strict=True))


# --- DPO -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["dpo", "ipo", "ipo_mean"])
def test_the_first_step_is_a_tie(variant: Any) -> None:
    policy = PlainGPT()
    cached = reference_log_probs(policy.frozen(), PAIRS)
    settings = DPOSettings(batch=4, variant=variant, beta=0.3, learning_rate=1e-9)
    (report,) = dpo(policy, cached, PAIRS, settings)
    wanted = math.log(2) if variant == "dpo" else (1 / 0.6) ** 2
    assert report.values["loss"] == pytest.approx(wanted, rel=1e-5)
    assert report.values["accuracy"] == 0.5 and report.values["margin"] == report.values["implied_kl"] == 0
    assert report.values["chosen_log_prob"] == pytest.approx(float(cached.chosen.mean()), rel=1e-5)
    assert report.values["rejected_log_prob"] == pytest.approx(float(cached.rejected.mean()), rel=1e-5)


@pytest.mark.parametrize("variant", ["dpo", "ipo", "ipo_mean", "simpo"])
def test_it_learns_the_preferences(variant: Any) -> None:
    policy = PlainGPT()
    pairs = [pair for pair in PAIRS if pair.label != 0.5]
    cached = None if variant == "simpo" else reference_log_probs(policy.frozen(), pairs)
    settings = DPOSettings(epochs=40, batch=3, variant=variant, beta=0.5, learning_rate=0.02)
    reports = dpo(policy, cached, pairs, settings, validation=pairs, validation_reference=cached)
    assert reports[-1].values["accuracy"] == reports[-1].values["validation_accuracy"] == 1
    assert reports[-1].values["margin"] > 0.3 > abs(reports[0].values["margin"]) or variant == "simpo"
    assert reports[-1].values["loss"] < reports[0].values["loss"]


def test_the_length_of_a_response_enters_dpo_as_a_sum() -> None:
    """A policy that is the same amount likelier at each token is rewarded for length; SimPO's isn't."""
    table = Tabular(prompts=1)
    prompt = table.prompts[0]
    long, short = Answered(prompt, (1, 1, 0), True), Answered(prompt, (2, 0), True)
    pairs, found = [Pair(long, short)], {}
    reference = table.copy()
    with torch.no_grad():
        for row in range(table.width):
            table.table[:, row] = reference.table[:, row]
    cached = reference_log_probs(reference, pairs)
    shifted = ReferenceLogProbs(cached.chosen - 3 * 0.4, cached.rejected - 2 * 0.4)  # 0.4 nats per token
    for variant in ("dpo", "ipo_mean"):
        settings = DPOSettings(batch=1, variant=variant, beta=1.0, learning_rate=1e-9)  # type: ignore[arg-type]
        (report,) = dpo(table, shifted, pairs, settings)
        found[variant] = report.values["loss"]
    assert found["dpo"] == pytest.approx(-math.log(1 / (1 + math.exp(-0.4))), rel=1e-5)
    assert found["ipo_mean"] == pytest.approx(0.25, rel=1e-5)  # the means are the same


def test_pairs_that_teach_nothing_or_nonsense() -> None:
    policy = PlainGPT()
    pairs = [PAIRS[0], IDENTICAL, PAIRS[1]]
    cached = reference_log_probs(policy.frozen(), pairs)
    (report,) = dpo(policy, cached, pairs, DPOSettings(batch=2))
    assert report.values["identical"] == 1 and report.values["accuracy"] == 0.5
    for bad, match in (([IDENTICAL], "the same in all 1"), ([], "there are no pairs")):
        with pytest.raises(ValueError, match=match):
            dpo(policy, cached, bad, DPOSettings())
    with pytest.raises(ValueError, match="of 3 pairs, but 2 pairs"):
        dpo(policy, cached, pairs[:2], DPOSettings())
    with pytest.raises(ValueError, match="dpo needs reference_log_probs"):
        dpo(policy, None, pairs, DPOSettings())
    with pytest.raises(ValueError, match="and of those to validate on"):
        dpo(policy, cached, pairs, DPOSettings(), validation=PAIRS)
    with pytest.raises(ValueError, match="simpo has no reference"):
        dpo(policy, cached, pairs, DPOSettings(variant="simpo"))
    with pytest.raises(ValueError, match="different prompts, so"):
        Pair(DEMONSTRATIONS[0], DEMONSTRATIONS[1])
    with pytest.raises(ValueError, match=r"label_smoothing must be 0 to 0\.5"):
        DPOSettings(label_smoothing=0.7)
    with pytest.raises(ValueError, match="variant must be one of dpo, ipo"):
        DPOSettings(variant="kto")  # type: ignore[arg-type]


def test_smoothed_labels_bound_the_margin() -> None:
    """With epsilon the optimum is sigmoid(beta h) = 1 - epsilon."""
    table = Tabular(prompts=1)
    prompt = table.prompts[0]
    pairs = [Pair(Answered(prompt, (1, 0), True), Answered(prompt, (2, 0), True))]
    cached = reference_log_probs(table.copy(), pairs)
    settings = DPOSettings(epochs=300, batch=1, beta=0.5, label_smoothing=0.2, learning_rate=0.1)
    reports = dpo(table, cached, pairs, settings)
    assert reports[-1].values["margin"] == pytest.approx(math.log(0.8 / 0.2), abs=0.01)


# --- reward models ---------------------------------------------------------------------------------------------------


def reward_models(count: int, seed: int = 0) -> list[RewardModel]:
    return [
        RewardModel(trunk := PlainGPT(seed), RewardHead(trunk.width, seed + index), "ours") for index in range(count)
    ]  # fmt: skip


def test_the_score_is_read_after_the_last_token() -> None:
    table = Tabular(prompts=1)
    head = RewardHead(table.width)
    model = RewardModel(table, head)
    items = table.responses(table.prompts[0])
    with torch.no_grad():
        wanted = [float(head.weight[0, table.rows[item.prompt, item.response]]) for item in items]
        assert model.scores(items).tolist() == pytest.approx(wanted)
    assert float(RewardHead(9999, 1).weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert not torch.equal(RewardHead(8, 1).weight, RewardHead(8, 2).weight)
    assert not bool(RewardHead(8, 1).bias.any())


def bradley_terry_pairs(table: Tabular, count: int, seed: int) -> list[Pair]:
    generator = torch.Generator().manual_seed(seed)
    everything, reward = table.all_responses(), table_reward(table)
    found = []
    while len(found) < count:
        a, b = (everything[int(i)] for i in torch.randint(len(everything), (2,), generator=generator))
        if a.prompt == b.prompt and a != b:
            scores = reward([a, b])
            first = float(torch.rand((), generator=generator)) < float(torch.sigmoid(scores[0] - scores[1]))
            found.append(Pair(a, b) if first else Pair(b, a))
    return found


def test_reward_models_recover_the_rewards_that_labelled_their_pairs() -> None:
    tables = [Tabular(dtype=torch.float32), Tabular(dtype=torch.float32)]
    models = [RewardModel(table, RewardHead(table.width, seed)) for seed, table in enumerate(tables)]
    pairs, held_out = (bradley_terry_pairs(tables[0], count, seed) for seed, count in enumerate((6000, 1500)))
    references = tables[0].all_responses()
    settings = RewardSettings(epochs=3, batch=200, learning_rate=0.1, gradient_clip=math.inf)
    reports = train_reward_models(models, pairs, settings, references=references, validation=held_out)
    assert {"loss_0", "loss_1", "accuracy_0", "accuracy_1", "identical"} <= set(reports[0].values)
    assert reports[0].values["loss_0"] != reports[0].values["loss_1"]  # each has its own order and head
    wanted = table_reward(tables[0])(references)
    for model in models:
        scores = model.raw_scores(references)
        assert float(scores.mean()) == pytest.approx(0, abs=1e-5) and float(scores.std()) == pytest.approx(1, abs=1e-5)
        half = len(references) // 2
        for part in (slice(half), slice(half, None)):  # of each prompt apart: pairs say nothing across prompts
            assert float(torch.corrcoef(torch.stack((scores[part], wanted[part])))[0, 1]) > 0.95
    found = judged(models[0], held_out)
    assert 0.6 < found.accuracy < 0.85
    assert reports[-1].values["validation_accuracy"] == pytest.approx(found.accuracy, abs=0.02)
    # Scores are normalized after training, so that they are no log-odds any more; those are still calibrated.
    assert found.calibration.error < 0.05
    assert reports[-1].values["validation_calibration_error"] < 0.05
    assert abs(float(models[0].head.log_odds) - 1) > 0.1


def test_reward_models_that_share_a_trunk_or_a_foreign_tokenizer_are_refused() -> None:
    trunk = PlainGPT()
    shared = [RewardModel(trunk, RewardHead(trunk.width, seed)) for seed in (0, 1)]
    with pytest.raises(ValueError, match="reward_0 and reward_1 share weights"):
        train_reward_models(shared, PAIRS, RewardSettings())
    (model,) = reward_models(1)
    assert model.reward("ours")(DEMONSTRATIONS).shape == (4,)
    with pytest.raises(ValueError, match=r"of another tokenizer \(ours\) than the policy writes \(theirs\)"):
        model.reward("theirs")
    normalize(model, DEMONSTRATIONS, 2.0, 3.0)
    assert float(model.raw_scores(DEMONSTRATIONS).mean()) == pytest.approx(2.0, abs=1e-4)


def test_margins_and_ties_enter_the_loss() -> None:
    (model,) = reward_models(1)
    losses = []
    for change in ({}, {"margin": 5.0}, {"label": 0.5}):
        changed = [replace(pair, **{"margin": None, "label": 1.0} | change) for pair in PAIRS]
        (model,) = reward_models(1)
        (report,) = train_reward_models([model], changed, RewardSettings(batch=4, learning_rate=1e-9))
        losses.append(report.values["loss"])
    assert losses[1] > losses[0] + 3 and losses[2] != losses[0]
    ties = [replace(pair, label=0.5) for pair in PAIRS]
    (model,) = reward_models(1)
    settings = RewardSettings(epochs=80, batch=4, learning_rate=0.02, tie_threshold=0.3)
    reports = train_reward_models([model], ties, settings)
    assert abs(reports[-1].values["margin"]) < 0.05
    with pytest.raises(ValueError, match="all pairs to judge by are ties"):
        judged(model, ties)


# --- baselines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5])
def test_best_of_n_draws_what_enumeration_says(n: int) -> None:
    table = Tabular(prompts=1, longest=2)
    reward = table_reward(table)
    everything, odds = table.responses(table.prompts[0]), table.probabilities(table.prompts[0])
    scores = reward(everything).round(decimals=0)  # with ties
    wanted = torch.zeros_like(odds)
    for drawn in itertools.product(range(len(everything)), repeat=n):
        best = max(drawn, key=lambda place: float(scores[place]))
        wanted[best] += odds[list(drawn)].prod()
    exact = best_of_n_probabilities(odds, scores, n)
    assert torch.allclose(exact, wanted, atol=1e-9)
    assert kl(exact, odds) <= kl_bound(n) + 1e-12

    def rounded(answered: Sequence[Answered]) -> Tensor:
        return reward(answered).round(decimals=0)

    found = best_of_n(table.prompts * 4000, n, sampler(table), rounded)
    shares = torch.bincount(torch.tensor([everything.index(one.answered) for one in found]), minlength=len(odds)) / 4000
    assert torch.allclose(shares.double(), exact, atol=0.03)
    assert all(one.score == max(one.scores) and len(one.scores) == n for one in found[:50])


def test_best_of_n_needs_scores() -> None:
    table = Tabular(prompts=1)
    drawn = sampler(table)(table.prompts * 9, 0)
    (first,) = best_of_n(table.prompts, 9, sampler(table), table_reward(table, spread=0.0))
    assert first.answered == drawn[0].answered != drawn[-1].answered  # of equal ones
    with pytest.raises(ValueError, match=r"gave nan for the response \[.*\] to the prompt \[100\]"):
        best_of_n(table.prompts, 3, sampler(table), lambda items: torch.full((len(items),), math.nan))
    with pytest.raises(ValueError, match="1 or more responses, not 0"):
        best_of_n(table.prompts, 0, sampler(table), table_reward(table))


def test_pairs_of_own_responses() -> None:
    table = Tabular(prompts=2)
    reward = table_reward(table)
    found = drawn_pairs(table.prompts * 50, sampler(table), reward)
    assert len(found.pairs) + found.identical == 100 and found.identical > 0
    for pair in found.pairs:
        chosen, rejected = reward([pair.chosen, pair.rejected]).tolist()
        assert pair.margin == pytest.approx(chosen - rejected) and chosen >= rejected
        assert pair.label == pytest.approx(1 / (1 + math.exp(rejected - chosen)))
    certain = drawn_pairs(table.prompts * 50, sampler(table), reward, "certain").pairs
    assert {pair.label for pair in certain} == {1.0}
    ties = drawn_pairs(table.prompts * 50, sampler(table), table_reward(table, spread=0.0), "certain").pairs
    assert {pair.label for pair in ties} == {0.5}
    with pytest.raises(ValueError, match="1 prompts are the same"):
        drawn_pairs(table.prompts[:1], lambda prompts, step: sampler(table)(prompts[:1], step) * 2, reward)
    with pytest.raises(ValueError, match="gave nan for the response"):
        drawn_pairs(table.prompts, sampler(table), lambda items: torch.full((len(items),), math.nan))


def test_rejection_sampling_moves_towards_the_reward() -> None:
    policy = PlainGPT()
    settings = RejectionSettings(rounds=4, n=8, epochs=4, batch=2, learning_rate=0.02)
    reports = rejection_sampling(policy, PROMPTS, gpt_sampler(policy), likes(3), settings)
    assert {one.values["kept"] for one in reports} == {4.0}
    first, last = reports[0].values, reports[-1].values
    assert last["score"] > first["score"] + 0.2 and first["best_score"] > first["score"]
    assert [one.step for one in reports] == sorted({one.step for one in reports}) and reports[-1].steps == len(reports)
    assert all(one.seconds < after.seconds for one, after in itertools.pairwise(reports)), "of all rounds, drawing too"
    with pytest.raises(ValueError, match=r"none of 32 responses of round 0 scores 7 or more"):
        rejection_sampling(policy, PROMPTS, gpt_sampler(policy), likes(3), replace(settings, at_least=7.0))


def test_eos_is_an_id_like_others() -> None:
    """No pad token exists, so a prompt may hold the EOS token, and a response is as long as it is."""
    policy = PlainGPT()
    items = [Answered((EOS, EOS, 1), (EOS,), True), Answered((EOS,), (2, 3), False)]
    loss = response_loss(policy, items)
    assert loss == pytest.approx(
        (response_loss(policy, items[:1]) + 2 * response_loss(policy, items[1:])) / 3, rel=1e-5
    )
