import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.chat_template import ChatTemplate
from reference_impl.text.tokenizer import ByteBPE
from reference_impl.training.checkpoint import load_checkpoint, save_checkpoint
from reference_impl.training.checkpoint_folder import CorruptCheckpoint, checkpoint_digest
from reference_impl.training.pretraining import train
from reference_impl.training.result import TrainingResult
from reference_impl.training.settings import TrainingSettings

TOKENIZER = ByteBPE.train(["a king and a queen"], 262)
CONFIG = GPTConfig(vocabulary=TOKENIZER.size, context=8, layers=1, heads=2, width=16)
FILES = ["model.safetensors", "config.json", "tokenizer.json", "training.json", "checkpoint.json"]


def a_model(config: GPTConfig = CONFIG) -> GPT:
    torch.manual_seed(0)
    return GPT(config)


@pytest.fixture(scope="module")
def trained() -> tuple[GPT, TrainingResult]:
    model = a_model()
    tokens = np.arange(200, dtype=np.uint16)
    return model, train(model, tokens, tokens, TrainingSettings(tokens=100, batch=2, threads=1))


@pytest.fixture
def folder(tmp_path, trained) -> Path:
    save_checkpoint(tmp_path / "nano", trained[0], TOKENIZER, trained[1])
    return tmp_path / "nano"


def test_what_was_saved_is_loaded_bit_for_bit(folder, trained) -> None:
    model, result = trained
    state = torch.get_rng_state()
    loaded = load_checkpoint(folder)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    assert loaded.model.head.weight is loaded.model.token_embedding.weight
    assert loaded.config == CONFIG
    assert loaded.tokenizer.digest == TOKENIZER.digest
    assert loaded.training == result
    assert not loaded.model.training
    tokens = torch.arange(8)[None]
    assert torch.equal(loaded.model(tokens), model(tokens))


def test_an_untied_head_is_kept_apart(tmp_path) -> None:
    model = a_model(replace(CONFIG, tie_head=False))
    save_checkpoint(tmp_path / "untied", model, TOKENIZER)
    loaded = load_checkpoint(tmp_path / "untied")
    assert torch.equal(loaded.model.head.weight, model.head.weight)
    assert not torch.equal(loaded.model.head.weight, loaded.model.token_embedding.weight)
    assert loaded.training is None


def test_the_folder_holds_these_files_and_nothing_else(folder) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]
    stored = (folder / "model.safetensors").stat().st_size
    assert stored < 4 * sum(p.numel() for p in a_model().parameters()) + 4096  # the tied head once


def test_the_digest_is_of_the_model_not_of_how_it_was_trained(folder, tmp_path, trained) -> None:
    assert checkpoint_digest(folder) == load_checkpoint(folder).digest
    save_checkpoint(tmp_path / "same", trained[0], TOKENIZER, None)
    assert checkpoint_digest(tmp_path / "same") == checkpoint_digest(folder)
    changed = a_model()
    save_checkpoint(tmp_path / "other", changed, TOKENIZER, None)
    assert checkpoint_digest(tmp_path / "other") != checkpoint_digest(folder)


def test_saving_again_replaces_the_checkpoint(folder) -> None:
    model = a_model()
    save_checkpoint(folder, model, TOKENIZER)
    loaded = load_checkpoint(folder)
    assert loaded.training is None
    assert torch.equal(loaded.model.token_embedding.weight, model.token_embedding.weight)
    assert [path.name for path in folder.parent.iterdir()] == ["nano"]


def test_saving_over_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="something else than a checkpoint"):
        save_checkpoint(tmp_path / "thesis", a_model(), TOKENIZER)
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_nothing_is_left_when_saving_fails(tmp_path, monkeypatch) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reference_impl.training.checkpoint.save_model", disk_full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "nano", a_model(), TOKENIZER)
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_that_is_too_big_for_the_model_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="doesn't fit a vocabulary of 100"):
        save_checkpoint(tmp_path / "nano", a_model(replace(CONFIG, vocabulary=100)), TOKENIZER)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CorruptCheckpoint, match=rf"{name}: missing.*(copy the checkpoint again|train it again)"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES[:4])
def test_a_cut_off_file_is_named(folder, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptCheckpoint, match=rf"{name}: it has \d+ bytes and should have \d+"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES[:4])
def test_a_changed_file_is_named(folder, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(CorruptCheckpoint, match=rf"{name}: changed since it was written"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: "", "not a checkpoint's manifest"),
        (lambda manifest: "{}", "not a checkpoint's manifest"),
        (lambda manifest: manifest[:-20], "not a checkpoint's manifest"),
        (lambda manifest: manifest.replace('"version": 1', '"version": 9'), "version 9; this program reads 1"),
        (lambda manifest: manifest.replace('"config.json"', '"../config.json"'), "not a file of its folder"),
        (lambda manifest: json.dumps(json.loads(manifest) | {"files": {}}), "it doesn't list model.safetensors"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, change, message: str) -> None:
    path = folder / "checkpoint.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(CorruptCheckpoint, match=message):
        load_checkpoint(folder)


def test_weights_of_another_shape_are_refused(folder, tmp_path) -> None:
    save_checkpoint(tmp_path / "wide", a_model(replace(CONFIG, width=32)), TOKENIZER)
    (folder / "model.safetensors").write_bytes((tmp_path / "wide" / "model.safetensors").read_bytes())
    manifest = json.loads((folder / "checkpoint.json").read_text())
    other = json.loads((tmp_path / "wide" / "checkpoint.json").read_text())
    manifest["files"]["model.safetensors"] = other["files"]["model.safetensors"]
    (folder / "checkpoint.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptCheckpoint, match=r"model\.safetensors: its weights don't fit config\.json"):
        load_checkpoint(folder)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_weights_that_are_not_numbers_are_refused(tmp_path, poison: float) -> None:
    model = a_model()
    with torch.no_grad():
        model.blocks[0].attention.qkv.weight[3, 1] = poison
    save_checkpoint(tmp_path / "broken", model, TOKENIZER)
    with pytest.raises(CorruptCheckpoint, match=r"blocks\.0\.attention\.qkv\.weight holds values that aren't finite"):
        load_checkpoint(tmp_path / "broken")


def test_a_missing_folder_is_refused(tmp_path) -> None:
    with pytest.raises(CorruptCheckpoint, match="there is no such folder"):
        load_checkpoint(tmp_path / "nowhere")


def test_the_loss_curve_survives(folder, trained) -> None:
    training = load_checkpoint(folder).training
    assert training is not None
    assert training.curve == trained[1].curve
    assert math.isfinite(training.curve[-1].validation_loss or math.nan)


def test_a_chat_template_is_kept_and_is_part_of_the_model(folder, tmp_path, trained) -> None:
    assert load_checkpoint(folder).chat_template is None
    template = ChatTemplate(user="Human")
    save_checkpoint(tmp_path / "chats", trained[0], TOKENIZER, trained[1], template)
    loaded = load_checkpoint(tmp_path / "chats")
    assert loaded.chat_template == template
    assert loaded.digest == checkpoint_digest(tmp_path / "chats") != checkpoint_digest(folder)


def test_a_chat_template_that_is_none_is_refused(tmp_path, trained) -> None:
    class Broken(ChatTemplate):
        def to_json(self) -> str:
            return '{"format": "other"}'

    save_checkpoint(tmp_path / "chats", trained[0], TOKENIZER, chat_template=Broken())
    with pytest.raises(CorruptCheckpoint, match=r"chat.json: not a chat template"):
        load_checkpoint(tmp_path / "chats")
