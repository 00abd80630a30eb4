"""`python -m reference_impl.training` from text to checkpoint."""

import json

import pytest

from reference_impl.training.__main__ import main
from reference_impl.training.checkpoint import load_checkpoint


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--text": "nowhere.txt"}, "nowhere.txt: no such file or folder"),
        ({"--preset": "nanno"}, "did you mean 'nano'"),
        ({"--tokens": "0"}, "tokens must be at least 1"),
        ({"--vocabulary": "100"}, "needs at least 257"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(text, tmp_path, capsys, changes, message: str) -> None:
    options = {"--text": str(text), "--tokens": "100", "--out": str(tmp_path / "out")} | changes
    assert main([part for pair in options.items() for part in pair]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
