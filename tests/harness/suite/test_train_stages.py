"""`train:` as a list of stages: a mapping is a list of one, and mistakes have a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.execution.resolve import resolve
from harness.models.resolved import Resolved
from harness.suite.load import parse_suite, suite_text
from harness.suite.schema import ModelEntry


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, test_cache: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(test_cache))


FIRST: dict[str, Any] = {"steps": 5, "batch": 2, "context": 32, "vocabulary": 300, "dropout": 0.1, "seed": 3}
SECOND: dict[str, Any] = {"steps": 2, "batch": 1, "corpus": "asset:shakespeare", "learning_rate": 1e-3}


def resolved(train: Any, seed: int | None = None) -> Resolved:
    entry = ModelEntry.model_validate({"reference": "nano", "train": train})
    return resolve("m", entry, seed, trust_remote_code=False)


def test_a_mapping_and_a_list_of_one_are_the_same_model() -> None:
    assert resolved(FIRST) == resolved([FIRST])


def test_a_later_stage_has_its_own_settings_and_the_first_one_s_tokenizer_and_context() -> None:
    found = resolved([FIRST, SECOND])
    assert [stage.source.digest for stage in found.stages] == [resolved(FIRST).source.digest, found.source.digest]
    training = found.training
    assert training is not None and training.after == resolved(FIRST).training
    assert (training.context, training.vocabulary, training.tokenizer) == (32, 300, "bpe")
    assert (training.corpus, training.seed, training.config().dropout) == ("asset:shakespeare", 0, 0.0)
    assert training.settings().tokens == 2 * 1 * 32
    assert training.settings().learning_rate == 1e-3


def test_every_stage_before_is_in_the_digest() -> None:
    trains = [[FIRST, SECOND], [FIRST | {"steps": 6}, SECOND], [FIRST, SECOND | {"batch": 2}], [FIRST, SECOND, SECOND]]
    digests = [resolved(train).source.digest for train in trains]
    assert len(set(digests)) == len(digests)
    assert resolved([FIRST, SECOND, SECOND]).stages[1].source.digest == digests[0]


def test_the_axis_seed_is_every_stage_s() -> None:
    stages = resolved([FIRST, SECOND], seed=7).stages
    assert [stage.training.seed for stage in stages if stage.training is not None] == [7, 7]


SUITE = """name: s
models:
  m:
    reference: nano
    train:
      - {steps: 5, context: 32}
      - {SECOND}
measures:
  - training: {}
"""


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            "steps: 5, vocabulary: 300",
            "s.yaml:7: models.m.train.1.vocabulary: stage 2 keeps the vocabulary",
        ),
        ("steps: 5, tokenizer: bpe", "s.yaml:7: models.m.train.1.tokenizer: stage 2 keeps the tokenizer"),
        ("corpus: microworld", "s.yaml:7: models.m.train.1: stage 2 of a training needs `tokens` or `steps`"),
        ("stepps: 5", "s.yaml:7: models.m.train.1.stepps: unknown key 'stepps'; did you mean 'steps'"),
        ("steps: 0", "s.yaml:7: models.m.train.1.steps: should be greater than 0"),
        ("steps: 5, tokens: 5", "s.yaml:7: models.m.train.1: a training has `tokens` or `steps`, not both"),
    ],
)
def test_mistakes_in_a_stage_are_located(second: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_suite(SUITE.replace("SECOND", second), "s.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_stage_at_all_is_refused() -> None:
    text = SUITE.replace("      - {steps: 5, context: 32}\n      - {SECOND}\n", "").replace("train:", "train: []")
    with pytest.raises(UserError, match=r"s.yaml:5: models.m.train: this list is empty"):
        parse_suite(text, "s.yaml")


def test_a_sequence_that_is_too_long_names_its_stage() -> None:
    with pytest.raises(UserError, match=r"models.m.train.1: sequences of 64 tokens don't fit the context of 32"):
        resolved([FIRST, SECOND | {"sequence": 64}])


def test_a_suite_with_stages_is_written_and_read_back() -> None:
    suite = parse_suite(SUITE.replace("SECOND", "steps: 5, corpus: asset:shakespeare"))
    assert parse_suite(suite_text(suite)) == suite


FROM = """name: s
models:
  base: {reference: nano, train: {steps: 5, context: 32, vocabulary: 300}}
  more: {from: BASE, train: {STAGE}}
measures:
  - perplexity: {text: microworld/test}
"""


def of_suite(base: str = "base", stage: str = "steps: 2, batch: 1") -> dict[str, Resolved]:
    suite = parse_suite(FROM.replace("BASE", base).replace("STAGE", stage), "s.yaml")
    return {name: resolve(name, entry, 3, False, models=suite.models) for name, entry in suite.models.items()}


def test_a_model_that_is_from_another_is_that_one_with_a_stage_more() -> None:
    found = of_suite()
    train = [{"steps": 5, "context": 32, "vocabulary": 300}, {"steps": 2, "batch": 1}]
    assert found["more"].source.digest == resolved(train, seed=3).source.digest
    assert found["more"].stages[0].source.digest == found["base"].source.digest
    assert [stage.depth for stage in found["more"].stages] == [0, 1]


def test_a_name_that_is_none_and_a_circle_are_sentences() -> None:
    with pytest.raises(UserError, match=r"the suite has no model 'bse'; did you mean 'base'\?; it has: base"):
        of_suite("bse")
    with pytest.raises(UserError, match="none can be the first: more -> more"):
        of_suite("more")
    entry = ModelEntry.model_validate({"from": "base", "train": {"steps": 1}})
    with pytest.raises(UserError, match="'base' is to be a model of the same suite, and no suite is here"):
        resolve("m", entry, None, trust_remote_code=False)


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("batch: 2", "models.more.train: a stage of pretraining needs `tokens` or `steps` here"),
        ("steps: 2, context: 64", "models.more.train.context: a model that is trained further keeps its context"),
        ("steps: 2, learning_rat: 1", "unknown key 'learning_rat'; did you mean 'learning_rate'?"),
    ],
)
def test_mistakes_in_a_stage_from_another_model(stage: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        of_suite(stage=stage)
    assert told in str(caught.value)
