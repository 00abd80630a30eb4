"""Quantizing from the shell."""

import json
from pathlib import Path

import pytest
import torch

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.__main__ import main
from reference_impl.quantization.quantized_checkpoint import STORABLE, load_quantized
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import save_checkpoint

TEXT = "the cat sat on the mat and looked at the moon. " * 40


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "c", GPT(GPTConfig(300, 32, 2, 2, 32)), ByteBPE.train([TEXT], 300))
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "c"


@pytest.mark.parametrize("scheme", STORABLE)
def test_each_scheme(checkpoint: Path, scheme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--calibrate", str(tmp_path / "text.txt")] if scheme == "int4-gptq" else []
    assert main([str(checkpoint), "--scheme", scheme, "--out", str(tmp_path / "q"), *more]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["scheme"] == scheme and load_quantized(tmp_path / "q").scheme == scheme
    assert (tmp_path / "q" / "tokenizer.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["c", "--scheme", "int4-gptq"], "--calibrate TEXT goes with --scheme int4-gptq"),
        (["c", "--scheme", "int4", "--calibrate", "text.txt"], "--calibrate TEXT goes with"),
        (["nowhere", "--scheme", "int4"], "no config of transformers"),
        (["c", "--scheme", "int4-gptq", "--calibrate", "short.txt"], "too few to calibrate on"),
    ],
)
def test_what_is_wrong_is_said(
    checkpoint: Path, arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "short.txt").write_text("too short")
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--out", "q"]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "q").exists()
