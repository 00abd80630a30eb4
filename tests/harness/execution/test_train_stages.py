"""Continued pretraining: corpus A, then corpus B from those weights; what several models begin with is trained once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UserError
from harness.execution.events import Preparing
from harness.execution.prepare import prepare_trainings
from harness.execution.resolve import resolve
from harness.models.encoded_corpus import encoded
from harness.models.resolved import Resolved
from harness.models.stage import training_lock
from harness.models.training_evidence import is_trained, training_evidence
from harness.results.folder_lock import holding
from harness.suite.schema import ModelEntry
from reference_impl.model.gpt import GPT
from reference_impl.training.checkpoint import load_checkpoint
from reference_impl.training.pretraining import train

FIRST: dict[str, Any] = {"steps": 6, "batch": 2, "context": 32, "vocabulary": 300}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.txt"
    path.write_text("Seven green boats sail along the river when the wind is strong. " * 60)
    return path


def resolved(train: Any) -> Resolved:
    shape = {"layers": 1, "width": 8, "heads": 1}
    entry = ModelEntry.model_validate({"reference": "nano", "shape": shape, "train": train})
    return replace(resolve("m", entry, None, trust_remote_code=False), title="m")


def prepared(tmp_path: Path, *models: Resolved) -> tuple[dict[str, str | None], list[str]]:
    begun: list[str] = []

    def heard(event: Any) -> None:
        assert isinstance(event, Preparing)
        if event.done == 1 and " train " in event.what:
            begun.append(event.what.rpartition(" on ")[2])

    return prepare_trainings(models, 1, 1, tmp_path / "log", heard), begun


def test_a_second_stage_goes_on_from_the_first_which_is_trained_once(
    tmp_path: Path, story: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    a, b = FIRST | {"corpus": str(story)}, {"corpus": str(other), "steps": 4, "batch": 1, "learning_rate": 1e-3}
    first, second, third = resolved(a), resolved([a, b]), resolved([a, b, b | {"steps": 2}])
    reasons, begun = prepared(tmp_path, first, second)
    assert reasons == {first.source.digest: None, second.source.digest: None}
    assert begun == [str(story), str(other)]
    _, begun = prepared(tmp_path, third)
    assert begun == [str(other)], "the stages before it are there"
    assert third.ready and is_trained(Path(third.source.path))

    before, after = (load_checkpoint(model.source.path) for model in (first, second))
    assert before.tokenizer.digest == after.tokenizer.digest
    training = second.training
    assert training is not None
    assert training_evidence(Path(second.source.path))[0].training == training
    model = GPT(training.config(after.tokenizer.size))
    model.load_state_dict(before.model.state_dict())
    _, tokens, validation, _ = encoded(training)
    assert after.tokenizer.decode(tokens[1:20].tolist()).startswith("Seven green boats")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(model, tokens, validation, training.settings())
    torch.set_num_threads(threads)
    for (name, ours), theirs in zip(model.named_parameters(), after.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6), name
        assert not torch.equal(theirs, dict(before.model.named_parameters())[name]), name


def test_a_first_stage_that_fails_costs_what_goes_on_from_it(
    tmp_path: Path, story: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    wild = FIRST | {"corpus": str(story), "steps": 20, "learning_rate": 1e5, "gradient_clip": 1e9, "warmup": 0.0}
    model = resolved([wild, {"corpus": str(other), "steps": 4}])
    reasons, begun = prepared(tmp_path, model)
    reason = reasons[model.source.digest]
    assert reason is not None and "the training of m, stage 1 of 2 failed: the gradient was not finite" in reason
    assert begun == [str(story)]


def test_characters_that_the_first_corpus_lacks_are_named(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("naïve 東京 " * 50)
    first = {"corpus": str(story), "steps": 1, "context": 32, "tokenizer": "characters"}
    training = resolved([first, {"corpus": str(foreign), "steps": 1}]).training
    assert training is not None
    with pytest.raises(UserError, match=r"whose alphabet the model has, lacks: .*'ï'"):
        encoded(training)


def test_a_training_that_another_run_does_is_waited_for_and_taken(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    model = resolved(FIRST | {"corpus": str(story)})
    folder = Path(model.source.path)
    texts: list[str] = []
    folder.parent.mkdir(parents=True, exist_ok=True)

    def prepare(when_waiting: Callable[[], None]) -> None:
        def heard(event: Any) -> None:
            texts.append(event.text)
            if event.text == "waiting for another run":
                when_waiting()
                other.close()

        texts.clear()
        with ExitStack() as other:
            other.enter_context(holding(training_lock(folder)))
            assert prepare_trainings([model], 1, 1, tmp_path / "log", heard) == {model.source.digest: None}

    prepare(lambda: None)
    assert "reading the text" in texts, "the other run ended without a model, so it is trained here"
    assert is_trained(folder)
    folder.rename(tmp_path / "kept")
    before = (tmp_path / "kept" / "evidence.json").stat()
    prepare(lambda: (tmp_path / "kept").rename(folder) and None)
    assert "reading the text" not in texts and "nats/token" in texts[-1], texts
    assert (folder / "evidence.json").stat() == before
