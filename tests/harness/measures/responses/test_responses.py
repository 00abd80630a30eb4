"""Responses and win rates: a model against itself, judges that know lengths alone, and judges that are shown pairs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from harness.errors import Unsupported, UserError
from harness.execution.opened_model import OpenedModel
from harness.execution.requests import Collect
from harness.execution.serve import Loader
from harness.measures.measure import Facts
from harness.measures.responses import responses, win_rate
from harness.measures.responses.judging import better
from harness.measures.responses.responses import ResponsesSettings
from harness.measures.responses.shown_pairs import preferred
from harness.measures.responses.win_rate import WinRateSettings
from harness.models.contract import ModelSource
from harness.results.record import Measurement
from reference_impl.training.checkpoint import load_checkpoint
from tests.reference_impl.alignment.stages.conftest import make_base

NOBODY: Any = None
PROMPTS = [
    {"prompt": [{"role": "user", "content": f"What is {n} and {n + 1}?"}], "answer": str(2 * n + 1)} for n in range(6)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("responses") / "base"
    make_base(folder)
    return folder


@pytest.fixture(scope="module")
def prompts(base: Path) -> Path:
    file = base.with_name("prompts.jsonl")
    file.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    return file


def loader(folder: Path, settings: Any, **asked: Path) -> Loader:
    source = ModelSource("m", "reference", str(folder), str(folder))
    others = tuple((name, replace(source, name=name, path=str(path), digest=str(path))) for name, path in asked.items())
    return Loader(Collect("responses", settings, source, asked=others), OpenedModel(), lambda step: None)


def answered(load: Loader, settings: ResponsesSettings) -> tuple[pd.DataFrame, dict[str, Measurement]]:
    rows = pd.DataFrame(responses.collect(load, settings))
    return rows, {one.metric.name: one for one in responses.summarize(rows, settings, Facts(NOBODY))}


def won(load: Loader, settings: WinRateSettings) -> tuple[pd.DataFrame, dict[str, Measurement]]:
    rows = pd.DataFrame(win_rate.collect(load, settings))
    return rows, {one.metric.name: one for one in win_rate.summarize(rows, settings, Facts(NOBODY))}


def test_samples_of_one_prompt_differ_and_are_the_same_again(base: Path, prompts: Path) -> None:
    settings = ResponsesSettings(prompts=str(prompts), max_new=8, samples=3)
    rows, found = answered(loader(base, settings), settings)
    again, _ = answered(loader(base, settings), settings)
    assert len(rows) == 18 and rows["response"].tolist() == again["response"].tolist()
    assert rows.groupby("prompt")["response"].nunique().min() > 1, "identical samples would make best-of-n best-of-1"
    assert found["response_tokens"].n == 6


def test_a_prompt_has_the_same_answers_whatever_stands_beside_it(base: Path, prompts: Path) -> None:
    few = ResponsesSettings(prompts=str(prompts), max_new=8, samples=1)
    many = ResponsesSettings(prompts=str(prompts), max_new=8, samples=2)
    one, two = (answered(loader(base, chosen), chosen)[0] for chosen in (few, many))
    assert one["response"].tolist() == two[two["sample"] == 0]["response"].tolist()


def test_the_divergence_is_that_of_whole_distributions(base: Path, prompts: Path, tmp_path: Path) -> None:
    """The oracle: both models over prompt and response, the sum over the vocabulary at each prefix."""
    other = tmp_path / "other"
    make_other(base, other)
    settings = ResponsesSettings(prompts=str(prompts), max_new=6, reference="other", count=2)
    rows, found = answered(loader(base, settings, other=other), settings)
    policy, reference = load_checkpoint(base), load_checkpoint(other)
    total = []
    for place, text in enumerate(rows["asked"]):
        content = text.removeprefix("user: ")
        before = [*policy.tokenizer.prefix, *policy.tokenizer.encode(f"User: {content}\nAssistant:")]
        written = answers_of(loader(base, settings, other=other), settings)[place]
        ids = torch.tensor([[*before, *written]])
        with torch.no_grad():
            p, q = (one.model(ids)[0].log_softmax(-1)[len(before) - 1 : -1] for one in (policy, reference))
        total.append(float((p.exp() * (p - q)).sum()))
    assert rows["kl"].tolist() == pytest.approx(total, abs=1e-4)
    assert found["response_kl"].value == pytest.approx(sum(total) / 2, abs=1e-4)
    assert total[0] > 1e-4


def answers_of(load: Loader, settings: ResponsesSettings) -> list[tuple[int, ...]]:
    from harness.measures.going import Going
    from harness.measures.responses.answering import answers

    return [one.tokens for one in answers(load(), settings, Going(load, 0, "responses"))[0]]


def make_other(base: Path, folder: Path) -> None:
    from reference_impl.training.checkpoint import save_checkpoint

    checkpoint = load_checkpoint(base)
    with torch.no_grad():
        for parameter in checkpoint.model.parameters():
            parameter.mul_(1.1)
    save_checkpoint(folder, checkpoint.model, checkpoint.tokenizer)


def test_a_divergence_at_another_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`reference` needs `temperature: 1`, not 0\.5"):
        ResponsesSettings(prompts="p", reference="r", temperature=0.5)


def test_a_rule_that_judges_by_the_right_number(base: Path, prompts: Path) -> None:
    settings = ResponsesSettings(prompts=str(prompts), max_new=4, judge="answers")
    _, found = answered(loader(base, settings), settings)
    assert 0 <= found["response_score"].value <= 1
    assert found["responses_unscored"].value == 0


def test_a_model_against_itself_gets_one_half(base: Path, prompts: Path) -> None:
    """The control."""
    settings = WinRateSettings(prompts=str(prompts), max_new=8, against="same", judge="shorter")
    rows, found = won(loader(base, settings, same=base), settings)
    assert (rows["answer"] == rows["other_answer"]).all()
    assert found["win_rate"].value == 0.5 and found["tied"].value == 1.0
    assert found["win_rate"].interval.startswith("none")


def test_opposite_judges_say_the_opposite(base: Path, prompts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_other(base, other)
    rates = []
    for judge in ("shorter", "longer"):
        settings = WinRateSettings(prompts=str(prompts), max_new=8, against="other", judge=judge)
        rates.append(won(loader(base, settings, other=other), settings)[1]["win_rate"].value)
    assert sum(rates) == pytest.approx(1.0)


def test_what_cannot_be_scored_loses() -> None:
    assert better(1.0, math.nan) == 1 and better(math.nan, 1.0) == 0 and better(math.nan, math.nan) == 0.5
    assert better(2, 1) == 1 and better(1, 2) == 0 and better(1, 1) == 0.5


def test_a_judge_that_answers_neither_is_said(base: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measures.responses.shown_pairs.QUESTION", "{asked} {a} {b}")
    settings = WinRateSettings(prompts=str(prompts), max_new=4, against="other", judge="talker")
    with pytest.raises(UserError, match="the judge talker says neither A nor B"):
        won(loader(base, settings, other=base, talker=base), settings)
    with pytest.raises(Unsupported, match="two answers with their question"):
        monkeypatch.setattr("harness.measures.responses.shown_pairs.QUESTION", "word " * 200 + "{asked} {a} {b}")
        won(loader(base, settings, other=base, talker=base), settings)


class Biased:
    """Stands in for `score`: a judge that likes the first place, or the longer answer."""

    def __init__(self, likes: str) -> None:
        self.likes = likes

    def __call__(self, judge: Any, requests: Any, on_scored: Any) -> list[Any]:
        totals = []
        for at in range(0, len(requests), 2):
            text = judge.tokenizer.decode(list(requests[at].ids[: requests[at].start]))
            a, b = text.split("[Answer A]\n")[1].split("\n\n[Answer B]\n")
            b = b.partition("\n\nThe better")[0]
            first = True if self.likes == "first" else len(a) > len(b)
            totals += [0.9 if first else 0.05, 0.05 if first else 0.9]
        return [Total(math.log(one)) for one in totals]


class Total:
    def __init__(self, total: float) -> None:
        self.total = total


@pytest.mark.parametrize(("likes", "outcome", "place"), [("first", 0.5, 1.0), ("longer", 1.0, 0.5)])
def test_both_orders_unmask_a_judge_of_places(
    likes: str, outcome: float, place: float, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.models.open import open_model

    monkeypatch.setattr("harness.scoring.engine.score", Biased(likes))
    model = open_model(ModelSource("j", "reference", str(base), "d"))
    monkeypatch.setattr(type(model.identity), "context", 4096, raising=False)
    long = replace_context(model)
    [said] = preferred(long, ["Who?"], ["A long answer."], ["Short."], lambda more: None)  # type: ignore[arg-type]
    assert said.outcome == outcome and said.first_place == place


def replace_context(model: Any) -> Any:
    model.identity = model.identity.model_copy(update={"context": 4096})
    return model


def test_the_best_of_n_is_a_model_that_answers(base: Path, prompts: Path) -> None:
    """It writes texts and no more: it has no lengths in tokens, and divergence takes logits."""
    from harness import strict_json
    from harness.models.registry import adapter_of
    from reference_impl.alignment.stages.data_settings import DataSettings
    from reference_impl.alignment.stages.method import run_stage
    from reference_impl.alignment.stages.run import Run

    judge = base.with_name("judge")
    run_stage("reward", base, judge, DataSettings(most=40), {"learning_rate": 1e-2, "batch": 8}, Run())
    told = {"of": str(base), "reward": str(judge), "n": 8, "sampled_at": 1.0, "name": "base"}
    source = ModelSource("best", "best_of", str(base), "best", settings=strict_json.dumps(told))
    settings = WinRateSettings(prompts=str(prompts), max_new=8, against="base", judge="judge")
    plain = ModelSource("m", "reference", str(base), "d")
    asked = (("base", plain), ("judge", replace(plain, name="judge", path=str(judge), digest="j")))
    load = Loader(Collect("win_rate", settings, source, asked=asked), OpenedModel(), lambda step: None)
    rows, found = won(load, settings)
    assert len(rows) == 6 and found["win_rate"].n == 6
    alone = ResponsesSettings(prompts=str(prompts), max_new=8, samples=2)
    rows, said = answered(load, alone)
    assert "response_tokens" not in said and rows["response"].nunique() > 6
    adapter = adapter_of("best_of")
    why = responses.RESPONSES.why_not(NOBODY, ResponsesSettings(prompts="p", reference="base"), adapter)
    assert why is not None and "takes logits" in why
    assert responses.RESPONSES.why_not(NOBODY, alone, adapter) is None
