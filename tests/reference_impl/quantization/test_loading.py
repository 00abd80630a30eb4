"""Models put together tensor by tensor: the same as loading all and then storing it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.model.huggingface_folder import open_folder
from reference_impl.quantization.loading import assemble
from reference_impl.quantization.quantize import quantize_

TEXT = torch.arange(12)[None]


def saved(folder: Path, kind: str, **more: object) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "llama":
        config = LlamaConfig(
            vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=32, **more
        )  # fmt: skip
        model: torch.nn.Module = LlamaForCausalLM(config)
    else:
        config = GPT2Config(
            vocab_size=61, n_positions=32, n_embd=24, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0
        )
        model = GPT2LMHeadModel(config)
    model.save_pretrained(folder)  # type: ignore[operator]
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "more"),
    [("gpt2", {}), ("llama", {"tie_word_embeddings": True}), ("llama", {"tie_word_embeddings": False})],
)
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, "bf16", "int8", "int4", "nf4"])
def test_a_folder_of_transformers(kind: str, more: dict[str, object], stored, tmp_path: Path) -> None:
    theirs = saved(tmp_path, kind, **more)
    found = open_folder(tmp_path)
    with torch.inference_mode():
        plain = assemble(found.config, found.tensors())
        torch.testing.assert_close(plain(TEXT), theirs(TEXT).logits, rtol=0, atol=1e-5)
        expected = quantize_(plain, stored) if isinstance(stored, str) else plain.to(stored)
        assert torch.equal(assemble(found.config, found.tensors(), stored)(TEXT), expected(TEXT))


def test_sharded_and_unprefixed_files(tmp_path: Path) -> None:
    theirs = saved(tmp_path, "gpt2")
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name.removeprefix("transformer."): t for name, t in tensors.items()}, tmp_path / "model.safetensors")
    found = open_folder(tmp_path)
    torch.testing.assert_close(assemble(found.config, found.tensors())(TEXT), theirs(TEXT).logits, rtol=0, atol=1e-5)
    theirs.save_pretrained(tmp_path, max_shard_size="20KB")
    (tmp_path / "model.safetensors").unlink()
    found = open_folder(tmp_path)
    torch.testing.assert_close(assemble(found.config, found.tensors())(TEXT), theirs(TEXT).logits, rtol=0, atol=1e-5)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    saved(tmp_path, "llama")
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, weights)
    found = open_folder(tmp_path)
    with pytest.raises(ValueError, match=r"the weight model.layers.1.mlp.up_proj.weight is missing"):
        assemble(found.config, found.tensors())
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match="can't be read"):
        assemble(found.config, found.tensors())
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="reads gpt2 and llama, not 'bert'"):
        open_folder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="no config of transformers"):
        open_folder(tmp_path)


def test_tensors_that_do_not_fit_are_refused() -> None:
    config = GPTConfig(61, 32, 2, 4, 24)
    state = {k: v for k, v in GPT(config).state_dict().items() if k != "head.weight"}

    def without(name: str) -> Iterator[tuple[str, torch.Tensor]]:
        return ((k, v) for k, v in state.items() if k != name)

    with pytest.raises(ValueError, match=r"1 weights are missing, such as blocks.1.ffn.up.bias"):
        assemble(config, without("blocks.1.ffn.up.bias"))
    with pytest.raises(ValueError, match=r"final_norm.bias is \(3,\) and should be \(24,\)"):
        assemble(config, [*without("final_norm.bias"), ("final_norm.bias", torch.zeros(3))])
    with pytest.raises(ValueError, match=r"no weight 'blocks\.0\.ffn\.gate\.weight' in a model of this shape"):
        assemble(config, [("blocks.0.ffn.gate.weight", torch.zeros(96, 24))])
    for stored in ("int8", torch.float32):
        with pytest.raises(ValueError, match="aren't finite"):
            assemble(config, [(k, v * torch.nan) for k, v in state.items()], stored)  # type: ignore[arg-type]


def test_each_block_is_stored_before_the_next_is_read() -> None:
    config = GPTConfig(61, 32, 3, 4, 24)
    model = GPT(config)
    import weakref

    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def tensors() -> Iterator[tuple[str, torch.Tensor]]:
        nonlocal most
        for name in model.state_dict():
            if name == "head.weight":
                continue
            tensor = model.get_parameter(name).detach().clone()
            if name.endswith("qkv.weight"):
                alive.append(weakref.ref(tensor.untyped_storage()))
            yield name, tensor
            del tensor
            most = max(most, sum(ref() is not None for ref in alive))

    assemble(config, tensors(), "int8")
    assert most <= 2 and len(alive) == 3
