"""What is written is what was read, bit for bit, and `transformers` computes the same with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference_impl.model.gpt import GPT
from reference_impl.model.huggingface_export import export
from reference_impl.model.huggingface_folder import open_folder
from reference_impl.model.huggingface_llama import from_llama, tensors_from_llama, tensors_to_llama
from tests.tiny_models import END, gpt2, llama, save_byte_pairs, save_folder

TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
MODELS = {
    "llama": llama,
    "llama with a head": lambda: llama(tie_word_embeddings=False),
    "gpt2": gpt2,
    "gpt2 with a head": lambda: gpt2(tie_word_embeddings=False),
}


@pytest.fixture(params=MODELS)
def source(request: Any, tmp_path: Path) -> Path:
    tokenizer = save_byte_pairs(tmp_path / "tokenizer.json", ["a text and a text"], 300)
    return save_folder(tmp_path / "source", MODELS[request.param](), tokenizer, TEMPLATE)


def test_there_and_back_is_the_same_bit_for_bit(source: Path, tmp_path: Path) -> None:
    gpt = open_folder(source).trainable()
    export(gpt, source, tmp_path / "to")
    before, after = load_file(source / "model.safetensors"), load_file(tmp_path / "to" / "model.safetensors")
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert tensor.dtype == after[name].dtype and torch.equal(tensor, after[name]), name
    again = open_folder(tmp_path / "to").trainable()
    for (name, mine), theirs in zip(again.named_parameters(), gpt.parameters(), strict=True):
        assert torch.equal(mine, theirs), name


def test_what_was_learned_is_what_transformers_computes(source: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gpt = open_folder(source).trainable()
    assert all(parameter.requires_grad for parameter in gpt.parameters())
    assert (gpt.head.weight is gpt.token_embedding.weight) == gpt.config.tie_head
    untouched = load_file(source / "model.safetensors")
    text = torch.randint(300, (2, 12), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=1e-2, fused=True)
    gpt(text).logsumexp(-1).mean().backward()
    optimizer.step()
    export(gpt, source, tmp_path / "to")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "to")
    torch.testing.assert_close(theirs(text).logits, gpt.eval()(text), rtol=1e-4, atol=1e-4)
    kept = load_file(source / "model.safetensors")
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in kept.items()), "the source is not written to"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "to")
    assert tokenizer.chat_template == TEMPLATE and tokenizer.eos_token == END
    assert tokenizer("a text").input_ids == AutoTokenizer.from_pretrained(source)("a text").input_ids


def test_other_types_are_written_as_they_are(source: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    export(open_folder(source).trainable().to(torch.bfloat16), source, tmp_path / "to")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "to").dtype == torch.bfloat16
    assert all(parameter.dtype == torch.float32 for parameter in open_folder(tmp_path / "to").trainable().parameters())


def test_gradients_go_the_same_way() -> None:
    theirs = llama()
    state = dict(theirs.state_dict())
    config = from_llama(theirs).config
    found = dict(tensors_to_llama(dict(tensors_from_llama(state.__getitem__, config)), config))
    assert found.keys() == state.keys() - {"lm_head.weight"}
    assert all(torch.equal(tensor, state[name]) for name, tensor in found.items())


def test_bad_input_is_one_sentence_and_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: Any) -> None:
    gpt = open_folder(source).trainable()
    to = tmp_path / "new" / "to"
    with pytest.raises(ValueError, match="describes another shape"):
        export(GPT(gpt.config.__class__(vocabulary=300, context=8, layers=1, heads=1, width=8)), source, to)
    with pytest.raises(FileExistsError, match="something is there already"):
        export(gpt, source, source)
    from peft import LoraConfig, inject_adapter_in_model

    adapted = open_folder(source).trainable()
    inject_adapter_in_model(LoraConfig(target_modules=["qkv"]), adapted)
    with pytest.raises(ValueError, match="merge adapters"):
        export(adapted, source, to)

    def disk_full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reference_impl.model.huggingface_export.save_file", disk_full)
    with pytest.raises(OSError, match="No space left"):
        export(gpt, source, to)
    assert not to.exists() and not list(to.parent.iterdir())


def test_broken_weights_are_named(source: Path) -> None:
    tensors = load_file(source / "model.safetensors")
    name = min(tensors)
    tensors[name].flatten()[3] = float("nan")
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="holds values that aren't finite"):
        open_folder(source).trainable()
    tensors[name] = tensors[name][1:].nan_to_num()
    save_file(tensors, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="don't fit its config"):
        open_folder(source).trainable()
