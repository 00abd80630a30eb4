"""`python -m reference_impl.training` from text to checkpoint."""

import json

import pytest

from reference_impl.text.characters import Characters
from reference_impl.training import loop
from reference_impl.training.__main__ import main
from reference_impl.training.checkpoint import load_checkpoint
from reference_impl.training.checkpoint_folder import checkpoint_digest


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text("".join(json.dumps({"text": f"{n} and {n + 1} are numbers. " * 20}) + "\n" for n in range(40)))
    return path


def test_text_becomes_a_checkpoint(text, tmp_path, capsys) -> None:
    out = tmp_path / "nano"
    options = ["--text", str(text), "--tokens", "2000", "--batch", "2", "--vocabulary", "300", "--out", str(out)]
    assert main(options) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    checkpoint = load_checkpoint(out)
    assert checkpoint.training is not None
    assert summary["validation_loss"] == checkpoint.training.validation_loss
    assert summary["bits_per_byte"] > 0
    assert checkpoint.config.vocabulary == checkpoint.tokenizer.size


def test_characters_and_the_settings_of_the_ablations(tmp_path, capsys) -> None:
    text = tmp_path / "play.txt"
    text.write_text("To be, or not to be: that is the question.\n" * 60)
    options = ["--text", str(text), "--tokens", "2000", "--batch", "2", "--tokenizer", "characters", "--context", "32"]
    ablation = ["--optimizer", "sgd", "--betas", "0", "0.95", "--warmup", "0", "--schedule", "wsd", "--dropout", "0.1"]
    assert main([*options, *ablation, "--out", str(tmp_path / "out")]) == 0
    checkpoint = load_checkpoint(tmp_path / "out")
    assert isinstance(checkpoint.tokenizer, Characters)
    assert checkpoint.tokenizer.decode(checkpoint.tokenizer.encode("to be")) == "to be"
    assert checkpoint.config.context == 32
    assert checkpoint.training.settings.optimizer == "sgd"
    assert checkpoint.training.settings.schedule == "wsd"


def test_ctrl_c_keeps_the_state_and_resume_ends_as_the_straight_run(text, tmp_path, capsys, monkeypatch) -> None:
    def options(out: str, *more: str) -> list[str]:
        return ["--text", str(text), "--tokens", "20000", "--batch", "2", "--vocabulary", "300", "--threads", "1",
                "--dropout", "0.1", "--out", str(tmp_path / out), "--save-every", "10", *more]  # fmt: skip

    assert main(options("straight")) == 0
    honest = loop.save_state

    def interrupted(path, state, identity) -> None:
        honest(path, state, identity)
        if state.step == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", interrupted)
    assert main(options("other")) == 130
    assert "go on with --resume" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    monkeypatch.undo()
    assert main(options("other", "--learning-rate", "0.5", "--resume")) == 2
    assert "resume with the same model, tokens and settings" in capsys.readouterr().err
    assert main(options("other", "--resume")) == 0
    assert checkpoint_digest(tmp_path / "other") == checkpoint_digest(tmp_path / "straight")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "straight", "text.jsonl"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--text": "nowhere.txt"}, "nowhere.txt: no such file or folder"),
        ({"--preset": "nanno"}, "did you mean 'nano'"),
        ({"--tokens": "0"}, "tokens must be at least 1"),
        ({"--save-every": "0"}, "saved every 1 or more steps, not every 0"),
        ({"--vocabulary": "100"}, "needs at least 257"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(text, tmp_path, capsys, changes, message: str) -> None:
    options = {"--text": str(text), "--tokens": "100", "--out": str(tmp_path / "out")} | changes
    assert main([part for pair in options.items() for part in pair]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
