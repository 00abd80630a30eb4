"""The best of n answers as a model of a suite."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness import strict_json
from harness.errors import UserError
from harness.execution.resolve import resolve
from harness.models.best_of import BestOf
from harness.models.best_of_adapter import KIND
from harness.models.contract import Generates, ModelSource, Prompt
from harness.models.open import open_model
from harness.models.resolved import Resolved
from harness.suite.load import parse_suite
from reference_impl.alignment.best_of_n import kl_bound
from reference_impl.alignment.rollout import draw
from reference_impl.alignment.stages.data_settings import DataSettings
from reference_impl.alignment.stages.learner import open_learner, open_reward_model
from reference_impl.alignment.stages.method import run_stage
from reference_impl.alignment.stages.run import Run
from tests.reference_impl.alignment.stages.conftest import make_base

SUITE = """name: s
models:
  base: {reference: nano, train: {steps: 5, context: 32, vocabulary: 300}}
  judge: {from: base, train: {reward: {data: microworld}}}
  other: {reference: nano, train: {steps: 5, context: 32, vocabulary: 400}}
  best: {best_of: OF, SETTINGS}
measures:
  - task: {task: [gsm8k]}
    models: [best]
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("best")
    make_base(folder / "base")
    given = {"learning_rate": 1e-2, "batch": 8}
    run_stage("reward", folder / "base", folder / "judge", DataSettings(most=40), given, Run())
    return folder / "base", folder / "judge"


def opened(folders: tuple[Path, Path], n: int) -> BestOf:
    told = {"of": str(folders[0]), "reward": str(folders[1]), "n": n, "sampled_at": 1.0, "name": "base"}
    source = ModelSource("best", KIND, str(folders[0]), "d", settings=strict_json.dumps(told))
    model = open_model(source)
    assert isinstance(model, BestOf) and isinstance(model, Generates)
    return model


def test_it_gives_the_answer_of_the_highest_reward(folders: tuple[Path, Path]) -> None:
    learner, judge = open_learner(folders[0]), open_reward_model(folders[1])
    texts = ["Emil has a red ball.", "2 + 2 ="]
    prompts = [Prompt(text, (), 6, temperature=1.0, seed=4) for text in texts]
    drawn = draw(learner.policy, [learner.text.prompt(text) for text in texts], 8, max_new=6, eos=learner.eos, seed=4)
    answers = [one.answered for one in drawn]
    scores = judge.raw_scores(answers, 1).view(2, 8)
    right = [learner.text.said("", answers[8 * row + int(scores[row].argmax())].response) for row in range(2)]
    model = opened(folders, 8)
    assert [one.text for one in model.generate_until(prompts)] == right
    assert [one.text for one in model.generate_until(prompts)] == right, "again the same"
    assert [one.text for one in model.generate_until(prompts[::-1])] == right[::-1]
    assert model.kl_bound == kl_bound(8) and "1.2 nats per answer" in model.identity.notes[0]


def test_rewards_rise_with_n(folders: tuple[Path, Path]) -> None:
    learner, judge = open_learner(folders[0]), open_reward_model(folders[1])
    prompts = [Prompt("Emil has a red ball.", (), 6, seed=seed) for seed in range(12)]
    means = []
    for n in (1, 4, 16):
        texts = [one.text for one in opened(folders, n).generate_until(prompts)]
        scored = [learner.text.answered("Emil has a red ball.", text) for text in texts]
        from reference_impl.alignment.answered import Answered

        means.append(float(judge.raw_scores([Answered(*one, ended=True) for one in scored]).mean()))
    assert means[0] < means[1] < means[2]


def test_what_stops_an_answer_is_not_judged_and_not_given(folders: tuple[Path, Path]) -> None:
    model = opened(folders, 4)
    free = model.generate_until([Prompt("2 + 2 =", (), 12, seed=1)])[0]
    assert free.finish in ("end", "length")
    for stop in sorted(set(free.text)):
        [found] = model.generate_until([Prompt("2 + 2 =", (stop,), 12, seed=1)])
        assert stop not in found.text
    [long] = model.generate_until([Prompt("a b c " * 500, (), 1000, seed=1)])
    assert long.finish in ("end", "length") and torch.isfinite(torch.tensor(model.kl_bound))


def made(of: str, settings: str) -> Resolved:
    suite = parse_suite(SUITE.replace("OF", of).replace("SETTINGS", settings), "s.yaml")
    return resolve("best", suite.models["best"], None, False, models=suite.models)


def test_it_needs_the_model_that_draws_and_the_one_that_judges() -> None:
    best = made("base", "reward: judge, n: 4")
    assert [model.source.name for model in best.needed] == ["base", "judge"]
    assert not best.ready and best.is_made_here and best.training is None
    assert best.source.digest != made("base", "reward: judge, n: 5").source.digest
    assert [one.source.name for one in best.stages] == ["base", "judge", "best"]


@pytest.mark.parametrize(
    ("of", "settings", "told"),
    [
        ("base", "reward: other", "models.best.reward: other is no reward model"),
        ("other", "reward: judge", "models.best.reward: judge has another tokenizer than other"),
        ("nobody", "reward: judge", "models.best.best_of: the suite has no model 'nobody'"),
        ("base", "n: 4", "reward"),
        ("base", "reward: judge, n: 0", "models.best.n"),
    ],
)
def test_what_can_t_be_has_a_place(of: str, settings: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        made(of, settings)
    assert told in str(caught.value)
