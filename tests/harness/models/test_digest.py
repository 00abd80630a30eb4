"""The digest of a model folder changes with every file that can change an answer, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.models.contract import ModelSource
from harness.models.digest import folder_digest
from harness.models.open import open_model


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "m"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "config.json").write_text("{}")
    return made


@pytest.mark.parametrize(
    "name",
    [
        *("model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
        *("chat_template.jinja", "additional_chat_templates/tools.jinja", "special_tokens_map.json", "merges.txt"),
        *("vocab.txt", "tokenizer.model", "o200k_base.tiktoken", "modeling_own.py", "pytorch_model.bin"),
    ],
)
def test_a_change_of_it_is_another_model(folder: Path, name: str) -> None:
    before = folder_digest(folder)
    assert folder_digest(folder) == before
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("first, longer")
    added = folder_digest(folder)
    (folder / name).write_text("second")
    assert len({before, added, folder_digest(folder)}) == 3


def test_a_readme_is_not_the_model(folder: Path) -> None:
    before = folder_digest(folder)
    (folder / "README.md").write_text("read me")
    assert folder_digest(folder) == before


def test_without_weights_it_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="no weights"):
        folder_digest(tmp_path)


def test_other_weights_of_the_same_sizes_and_times_are_another_model(llama_folder: Path, tmp_path: Path) -> None:
    """Archives set times to one and the same moment; a model that is unpacked over another is another."""
    folder, other = (Path(shutil.copytree(llama_folder, tmp_path / name)) for name in ("model", "other"))
    weights = other / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0x10
    weights.write_bytes(bytes(content))
    for path in (*folder.iterdir(), *other.iterdir()):
        os.utime(path, ns=(10**18, 10**18))
    before = folder_digest(folder)
    shutil.rmtree(folder)
    other.rename(folder)
    assert folder_digest(folder) != before


def test_a_model_that_is_replaced_after_the_plan_is_not_opened(llama_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(llama_folder, tmp_path / "model"))
    digest = folder_digest(folder)
    source = ModelSource("m", "transformers", str(folder), digest, files=digest)
    assert open_model(source).identity.digest == digest
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 0x10
    times = weights.stat()
    weights.write_bytes(bytes(content))
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserError, match="the files of this model changed since the run was planned"):
        open_model(source)
