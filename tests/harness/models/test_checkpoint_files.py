"""What is told of a folder from its headers alone: one sentence for each kind of fault."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.models.checkpoint_files import read_checkpoint, refuse_file
from harness.models.weight_header import read_header


@pytest.fixture
def folder(llama_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def said(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_checkpoint(folder)
    assert "\n" not in str(caught.value)
    assert (caught.value.place or "").startswith(str(folder))
    return caught.value.message


def test_a_whole_folder(folder: Path) -> None:
    files = read_checkpoint(folder)
    assert files.config["model_type"] == "llama"
    assert files.tensors["model.layers.0.mlp.down_proj.weight"].shape == (32, 48)
    assert {header.dtype for header in files.tensors.values()} == {"F32"}


def shard(folder: Path) -> Path:
    """The folder's weights in two files; returns the second."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    places = {}
    for number, part in enumerate((names[:5], names[5:]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder / "model-00002-of-00002.safetensors"


def test_shards(folder: Path) -> None:
    second = shard(folder)
    index = json.loads((folder / "model.safetensors.index.json").read_bytes())
    assert read_checkpoint(folder).tensors.keys() == index["weight_map"].keys()
    whole = second.read_bytes()
    second.unlink()
    assert said(folder) == (
        "1 of 2 weight files are missing, such as model-00002-of-00002.safetensors: copy the whole model"
    )
    second.write_bytes(whole[:-1])
    assert "the weights are damaged" in said(folder)
    shutil.copy(folder / "model-00001-of-00002.safetensors", second)
    assert "copy the whole model again" in said(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    assert "this index of the weights can't be read" in said(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../../passwd"}}))
    assert "this index of the weights can't be read" in said(folder)
    (folder / "model.safetensors.index.json").unlink()
    assert "model.safetensors.index.json is missing" in said(folder)


Change = Callable[[Path], object]


def weights(content: bytes) -> Change:
    return lambda folder: (folder / "model.safetensors").write_bytes(content)


def config(text: str) -> Change:
    return lambda folder: (folder / "config.json").write_text(text)


def instead(name: str) -> Change:
    return lambda folder: (folder / "model.safetensors").rename(folder / name)


HUGE = struct.pack("<Q", 1 << 60) + b"{}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (weights(b""), "the weights are damaged (no header of safetensors in 0 bytes)"),
        (weights(b"\0" * 900), "the weights are damaged"),
        (weights(HUGE), "the weights are damaged"),
        (weights(struct.pack("<Q", 2) + b"[]"), "the weights are damaged"),
        (weights(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        (lambda folder: (folder / "model.safetensors").unlink(), "this folder has no weights"),
        (instead("model.Q4_K.gguf"), "it holds model.Q4_K.gguf and no weights in safetensors; GGUF files are not read"),
        (
            instead("pytorch_model.bin"),
            "it holds pytorch_model.bin and no weights in safetensors; a pickle may run",
        ),
        (instead("model.pt"), "it holds model.pt and no weights in safetensors; a pickle may run code"),
        (instead("other.safetensors"), "the weights should be in model.safetensors, and there is other.safetensors"),
        (config("{'a': 1}"), "this is not JSON"),
        (config("[1]"), "this holds no settings"),
        (config("[" * 100_000), "this is nested too deeply"),
        (config("{}"), "it doesn't say `model_type`"),
        (lambda folder: (folder / "config.json").write_bytes(b'{"a": "\xff\xfe"}'), "this is not a text file"),
        (lambda folder: (folder / "config.json").unlink(), "this folder has no config.json"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder: Path, change: Change, sentence: str) -> None:
    change(folder)
    assert sentence in said(folder)


def test_a_file_that_is_cut_off_says_how_much_is_there(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[: whole - 100])
    with pytest.raises(UserError, match=f"{whole - 100:,} bytes are there and the header describes {whole:,}"):
        read_header(path)


def test_json_says_its_line(folder: Path) -> None:
    (folder / "config.json").write_text('{\n "a": 1,\n}')
    with pytest.raises(UserError) as caught:
        read_checkpoint(folder)
    assert str(caught.value.place).endswith("config.json:3")


def test_an_adapter_is_never_left_out_in_silence(folder: Path) -> None:
    adapter = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "owner/base"})
    (folder / "adapter_config.json").write_text(adapter)
    (folder / "adapter_model.safetensors").write_bytes(b"")
    assert "an adapter of owner/base lies beside the weights" in said(folder)
    (folder / "model.safetensors").unlink()
    (folder / "config.json").unlink()
    assert "this is an adapter of owner/base (adapter_config.json), not a model: merge it" in said(folder)
    (folder / "adapter_config.json").write_text("[")
    assert "this is an adapter (adapter_config.json), not a model" in said(folder)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("model-Q5_K.gguf", "GGUF files are not read"),
        ("./a/model.GGUF", "GGUF files are not read"),
        ("pytorch_model.bin", "is a file of PyTorch: a pickle may run code"),
        ("m.pt", "is a file of PyTorch"),
        ("m.pth", "is a file of PyTorch"),
        ("model.safetensors", "is a file: give the folder that holds it"),
    ],
)
def test_a_file_is_no_model(path: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        refuse_file(path, "models.m.transformers")


def test_a_folder_and_a_hub_id_may_be_models(folder: Path) -> None:
    for path in (str(folder), "owner/name", "gpt2", "owner/name-v1.5"):
        refuse_file(path, "models.m.transformers")
    with pytest.raises(UserError, match="is a file"):
        refuse_file(str(folder / "config.json"), "models.m.transformers")
