"""A tokenizer that can't be loaded, or is another model's, is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.models.contract import ModelSource, Precision
from harness.models.open import open_model


def broken(llama_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def refusal(folder: str, precision: Precision = "fp32") -> str:
    with pytest.raises(UserError) as caught:
        open_model(ModelSource("m", "transformers", folder, "digest", precision=precision))
    assert (caught.value.place or "").startswith(folder)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_no_tokenizer(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert "the tokenizer can't be loaded" in refusal(str(folder))
