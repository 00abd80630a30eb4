"""Stages that learn from pairs which a model draws and something scores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reference_impl.alignment.__main__ import main
from reference_impl.alignment.answered import Answered
from reference_impl.alignment.data.reading import read
from reference_impl.alignment.data.rows import Preference, Prompt
from reference_impl.alignment.drawn_pairs import DrawnTwice, as_pair, with_flips
from reference_impl.alignment.pair import Pair
from reference_impl.alignment.settings.drawn import DrawnPairSettings
from reference_impl.alignment.settings.scorers import CONSTANT, SCORERS
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.drawing import PAIRS, drawn_data
from reference_impl.alignment.stages.learner import open_learner, open_reward_model
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.killing import dying_before_step

DATA = DataSettings(most=30, response=6, held_out=0.3)
GIVEN: dict[str, Any] = {"learning_rate": 1e-2, "batch": 4}


@pytest.fixture
def drawn(reward_model: Path) -> DrawnPairSettings:
    return DrawnPairSettings(str(reward_model), pairs=24, flipped=0.25)


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_drawn_pairs_are_learned_and_killed_it_goes_on_to_the_same_bits(
    method: str, base: Path, drawn: DrawnPairSettings, tmp_path: Path
) -> None:
    straight = run_stage(method, base, tmp_path / "straight", DATA, GIVEN, Run(), drawn=drawn)
    assert straight.learned_from == 24 and straight.held_out == round(24 * 0.3 / 0.7)
    assert straight.drawn["flipped"] == 6 and straight.drawn["drawn"] >= 24
    state = tmp_path / "state"
    with dying_before_step(3):
        run_stage(method, base, tmp_path / "out", DATA, GIVEN, Run(state=state, every=1), drawn=drawn)
    with pytest.raises(ValueError, match="flipped"):
        other = replace(drawn, flipped=0.5)
        run_stage(method, base, tmp_path / "out", DATA, GIVEN, Run(state=state, every=1, resumes=True), drawn=other)
    went_on = run_stage(
        method, base, tmp_path / "out", DATA, GIVEN, Run(state=state, every=1, resumes=True), drawn=drawn
    )
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "out"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [one.values for one in went_on.reports] == [one.values for one in straight.reports]
    assert (tmp_path / "straight" / PAIRS).read_bytes() == (tmp_path / "out" / PAIRS).read_bytes()
    kept = read(tmp_path / "out" / PAIRS, Preference)
    assert len(kept.rows) + sum(one.count for one in kept.excluded) == 24 + straight.held_out


def test_labels_are_those_of_the_judge_but_for_the_flipped_ones(base: Path, drawn: DrawnPairSettings) -> None:
    learner = open_learner(base)
    judge = open_reward_model(Path(drawn.reward)).reward(learner.tokenizer)
    found = drawn_data(learner, DATA, replace(drawn, labels="certain"))

    def differences(pairs: tuple[Pair, ...]) -> torch.Tensor:
        scores = judge([item for pair in pairs for item in (pair.chosen, pair.rejected)]).view(-1, 2)
        return scores[:, 0] - scores[:, 1]

    assert int((differences(found.read.train) < 0).sum()) == 6 and found.counts["right"] == 0.75
    assert bool((differences(found.read.held_out) > 0).all()), "held-out labels are without flips"
    assert all(pair.margin is None for pair in found.read.train), "the scores themselves are not told"
    assert not {one.chosen.prompt for one in found.read.train} & {one.chosen.prompt for one in found.read.held_out}
    again = drawn_data(learner, DATA, replace(drawn, labels="certain"))
    assert again.read == found.read
    other = drawn_data(learner, DATA, replace(drawn, labels="certain", seed=1))
    assert other.read != found.read


def test_the_model_that_draws_may_be_another(base: Path, drawn: DrawnPairSettings, tmp_path: Path) -> None:
    run_stage("sft", base, tmp_path / "sft", DataSettings(most=30), {"learning_rate": 3e-2, "batch": 4}, Run())
    learner = open_learner(base)
    own, others = (drawn_data(learner, DATA, replace(drawn, model=model)) for model in (None, str(tmp_path / "sft")))
    assert own.read.train != others.read.train
    assert drawn_data(open_learner(base), DATA, replace(drawn, model=str(base))).read == own.read


def test_bernoulli_labels_are_drawn_by_the_difference_of_scores() -> None:
    one, other = (Answered((1,), (token,), ended=True) for token in (2, 3))
    twice = DrawnTwice(one, other, (0.0, 1.0986))  # odds of 3
    wins = [as_pair(twice, "bernoulli", (at + 0.5) / 1000).chosen == other for at in range(1000)]
    assert sum(wins) == 750
    flipped = as_pair(twice, "bernoulli", 0.9)
    assert flipped.chosen == one and flipped.margin == pytest.approx(-1.0986) and flipped.label == 1.0
    pairs = [as_pair(twice, "certain")] * 8
    exchanged, count = with_flips(pairs, 0.5, seed=3)
    assert count == 4 and sum(pair.chosen == one for pair in exchanged) == 4


def test_what_leaves_no_pairs_is_told(base: Path, tmp_path: Path) -> None:
    constant = DrawnPairSettings(CONSTANT, pairs=4)
    with pytest.raises(ValueError, match=r"of 40 pairs that were drawn \d+ are of identical .* 0 are left of 4"):
        run_stage("dpo", base, tmp_path / "out", DATA, GIVEN, Run(), drawn=constant)
    with pytest.raises(ValueError, match="sft doesn't learn from pairs"):
        run_stage("sft", base, tmp_path / "out", DATA, GIVEN, Run(), drawn=constant)
    with pytest.raises(ValueError, match="says no answer"):
        run_stage("dpo", base, tmp_path / "out", DATA, GIVEN, Run(), drawn=DrawnPairSettings("answers"))
    for bad in ({"flipped": 1.5}, {"pairs": 0}, {"labels": "sure"}, {"temperature": 0.0}, {"reward": ""}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            DrawnPairSettings(**{"reward": "answers", **bad})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_every_scorer_gives_a_number_for_any_text() -> None:
    for one in SCORERS.values():
        score = one.load()
        for text in ("", "4", "\ud83d", "4 " * 1000):
            assert isinstance(score(Prompt("2 + 2 =", "4"), text, True), float)


def test_from_the_shell(base: Path, reward_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--start", str(base), "--most", "30", "--response", "6", "--learning-rate", "1e-2"]
    out = ["--out", str(tmp_path / "out")]
    assert main(["dpo", *given, *out, "--drawn-pairs", "8"]) == 2
    assert "need --drawn-reward" in capsys.readouterr().err
    assert main(["dpo", *given, *out, "--drawn-reward", str(reward_model), "--drawn-pairs", "8"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["learned_from"] == 8
