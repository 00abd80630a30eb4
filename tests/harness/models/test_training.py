"""What a suite's training reads: tokenizers, and the part of a text that is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.corpora.training import training_documents
from harness.models.encoded_corpus import encoded
from harness.models.training import Training
from reference_impl.text.characters import Characters


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def play(tmp_path: Path) -> Path:
    file = tmp_path / "input.txt"
    file.write_text("To be, or not to be: that is the question.\n" * 50 + "Zounds!")
    return file


def test_the_last_tenth_of_one_text_is_cut_as_nanogpt_cuts_it(play: Path) -> None:
    text = play.read_text()
    train, validation = training_documents(str(play), 0.1)
    assert train == [text[: int(len(text) * 0.9)]]
    assert validation == [text[int(len(text) * 0.9) :]]


@pytest.mark.parametrize("held_out, documents", [(0.05, 3), (0.1, 6), (0.5, 30)])
def test_of_many_documents_the_last_are_held_out(story: Path, held_out: float, documents: int) -> None:
    train, validation = training_documents(str(story), held_out)
    assert (len(train), len(validation)) == (60 - documents, documents)


def test_few_documents_keep_their_last_ones_end(tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"text": "one"}\n{"text": "0123456789"}\n')
    assert training_documents(str(tmp_path / "few.jsonl"), 0.2) == (["one", "01234567"], ["89"])
    (tmp_path / "short.txt").write_text("ab")
    assert training_documents(str(tmp_path / "short.txt")) == (["a"], ["b"])


def test_characters_of_the_whole_text_even_those_held_out(play: Path) -> None:
    request = Training("nano", str(play), 300, 32, 0, tokenizer="characters", held_out=0.1)
    tokenizer, train, validation, size = encoded(request)
    text = play.read_text()
    assert isinstance(tokenizer, Characters)
    assert tokenizer.alphabet == "".join(sorted(set(text)))
    assert tokenizer.decode([*train.tolist(), *validation.tolist()]) == text
    assert size == len(validation)
    assert request.config(tokenizer.size).vocabulary == len(set(text))


def test_another_tokenizer_or_cut_is_encoded_apart(play: Path) -> None:
    ways = [{}, {"held_out": 0.2}, {"tokenizer": "characters"}, {"vocabulary": 320}]
    first = [encoded(Training("nano", str(play), **({"vocabulary": 300} | way), context=32, seed=0)) for way in ways]  # type: ignore[arg-type]
    again = [encoded(Training("nano", str(play), **({"vocabulary": 300} | way), context=32, seed=0)) for way in ways]  # type: ignore[arg-type]
    assert len({(found[0].digest, len(found[1])) for found in first}) >= 3
    for one, other in zip(first, again, strict=True):
        assert one[0].digest == other[0].digest
        assert np.array_equal(one[1], other[1]) and np.array_equal(one[2], other[2])


def test_a_killed_training_goes_on_to_the_same_bits(
    tmp_path: Path, story: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The known-bad one begins again: its first report after the kill is an early one."""
    from harness.models import training as trainings
    from reference_impl.training.checkpoint import load_checkpoint

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trainings, "WORK_BETWEEN_STATES", 1.0)
    shape = {"layers": 1, "width": 8, "heads": 1}
    training = Training("nano", str(story), 300, 32, 0, shape=shape, recipe={"steps": 20, "batch": 2})
    trainings.train(training, tmp_path / "straight", lambda done, text: None)
    state = tmp_path / "killed.state"

    def killed(done: float, text: str) -> None:
        if done > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainings.train(training, tmp_path / "resumed", killed, state=state)
    assert state.is_file() and not (tmp_path / "resumed").exists()
    heard: list[float] = []
    samples: list[str] = []
    trainings.train(
        training, tmp_path / "resumed", lambda done, text: heard.append(done), state=state, on_sample=samples.append
    )
    assert heard[0] > 0.5 and not state.exists() and samples
    found = [load_checkpoint(tmp_path / name) for name in ("straight", "resumed")]
    assert found[0].digest == found[1].digest

    state.write_bytes(b"damaged")
    monkeypatch.setattr(trainings, "notice", (told := list[str]()).append)
    trainings.train(training, tmp_path / "anew", lambda done, text: None, state=state)
    assert load_checkpoint(tmp_path / "anew").digest == found[0].digest
    assert len(told) == 1 and "begins anew" in told[0]


def test_short_trainings_keep_no_state(tmp_path: Path, story: Path) -> None:
    from harness.models.training import _steps_between_states

    training = Training("nano", str(story), 300, 32, 0, recipe={"steps": 20, "batch": 2})
    assert _steps_between_states(training) is None
    assert _steps_between_states(Training("nano", "a", 1024, 256, 0, recipe={"tokens": 10**9})) == 2521
