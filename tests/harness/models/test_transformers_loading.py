"""Opening a `transformers` checkpoint: what doesn't fit its configuration is refused in one sentence, what its
architecture leaves out is told, and nothing is made up or dropped in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness.errors import UserError
from harness.models.contract import ModelIdentity, ModelSource, Precision
from harness.models.open import open_model
from harness.models.transformers_fit import few_modules


def broken(llama_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "model"))


def refusal(folder: str, precision: Precision = "fp32") -> str:
    with pytest.raises(UserError) as caught:
        open_model(ModelSource("m", "transformers", folder, "digest", precision=precision))
    assert (caught.value.place or "").startswith(folder)
    assert "\n" not in caught.value.message
    return caught.value.message


def identity(folder: Path, precision: Precision = "fp32") -> ModelIdentity:
    return open_model(ModelSource("m", "transformers", str(folder), "d", precision=precision)).identity


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor] | None]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    changed = change(tensors)
    save_file(tensors if changed is None else changed, folder / "model.safetensors", metadata={"format": "pt"})


def says(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_no_folder() -> None:
    assert "no such model folder" in refusal("/nowhere/at/all")


def test_no_config(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(str(folder))


def test_broken_config(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    (folder / "config.json").write_text("{")
    assert "not JSON" in refusal(str(folder))


def test_no_weights(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    (folder / "model.safetensors").unlink()
    assert "no weights" in refusal(str(folder))


def test_cut_off_weights(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert "weights are damaged" in refusal(str(folder))


def test_weights_that_are_not_there_are_not_made_up(llama_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = broken(llama_folder, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "model.layers.1.mlp.up_proj.weight" in refusal(str(folder))


def test_weights_of_another_shape(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    assert "down_proj.weight: [32, 48] in the file, [32, 64] by the configuration" in refusal(str(folder))


def test_not_a_language_model(llama_folder: Path, tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    folder = broken(llama_folder, tmp_path)
    ViTModel(
        ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).save_pretrained(folder)
    assert "not a causal language model" in refusal(str(folder))


def test_remote_code_is_off_and_says_so(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "mine", "auto_map": {"AutoConfig": "c.C", "AutoModelForCausalLM": "m.M"}})
    )
    (folder / "c.py").write_text("raise SystemExit('executed')")
    assert "--trust-remote-code" in refusal(str(folder))


UP = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_weight_that_is_no_number_is_named(
    llama_folder: Path, tmp_path: Path, value: float, precision: Precision
) -> None:
    folder = broken(llama_folder, tmp_path)
    rewrite(folder, lambda tensors: tensors[UP].view(-1)[7:8].fill_(value) and None)
    assert f"the weight {UP} holds values that aren't finite" in refusal(str(folder), precision)


def test_overflow_in_fp16_is_said(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    rewrite(folder, lambda tensors: tensors | {UP: tensors[UP] * 1e9})
    assert f"the weight {UP} isn't finite in fp16" in refusal(str(folder), "fp16")
    assert identity(folder, "bf16").notes == ()


def test_activations_that_overflow_in_fp16_are_said(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    rewrite(folder, lambda tensors: {name: t * (1e4 if "mlp" in name else 1) for name, t in tensors.items()})
    assert "the model's numbers overflow in fp16" in refusal(str(folder), "fp16")
    assert identity(folder).notes == ()


def test_tensors_without_a_place_are_not_dropped(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    says(folder, num_hidden_layers=1)
    assert "9 tensors are in the files that the model has no place for, such as model.layers.1." in refusal(str(folder))
    says(folder, num_hidden_layers=2)
    rewrite(folder, lambda tensors: tensors | {"v_head.summary.weight": torch.ones(1, 32)})
    assert "1 tensor is in the files that the model has no place for, such as v_head" in refusal(str(folder))
    with pytest.raises(UserError, match="has no place for 1 tensors of the files, such as v_head"):
        open_model(ModelSource("m", "converted", str(folder), "d"))


def test_what_the_architecture_leaves_out_is_told(gpt2_folder: Path, tmp_path: Path) -> None:
    """Known bad: the architecture's pattern `attn.bias` matches `c_attn.bias` too, which is used."""
    folder = Path(shutil.copytree(gpt2_folder, tmp_path / "model"))
    masks = {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 48, 48) for i in (0, 1)}
    rewrite(folder, lambda tensors: tensors | masks)
    assert [note for note in identity(folder).notes if "leaves out" in note] == [
        "its architecture leaves out 2 tensors (transformer.h.0.attn.bias, transformer.h.1.attn.bias) of the files"
    ]
    open_model(ModelSource("m", "converted", str(folder), "d"))
    assert not any("leaves out" in note for note in identity(gpt2_folder).notes)


def test_a_head_that_should_be_tied_and_is_another(llama_folder: Path, tmp_path: Path) -> None:
    folder = broken(llama_folder, tmp_path)
    tied = identity(folder)
    rewrite(folder, lambda tensors: tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()})
    assert identity(folder).parameters == tied.parameters
    rewrite(folder, lambda tensors: tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"] + 1})
    two = identity(folder)
    assert two.parameters == tied.parameters + 320 * 32
    assert any("config.json ties the head to the embedding" in note for note in two.notes)
    with pytest.raises(UserError, match="they differ in the files"):
        open_model(ModelSource("m", "converted", str(folder), "d"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"num_attention_heads": 5, "num_key_value_heads": 5},
            "is not a multiple of the number of attention heads (5)",
        ),
        ({"num_key_value_heads": 1}, "k_proj.weight: [16, 32] in the file, [8, 32] by the configuration"),
        ({"num_attention_heads": 0}, "config.json describes no model"),
        ({"num_attention_heads": "many"}, "config.json describes no model"),
        ({"vocab_size": 1000}, "embed_tokens.weight: [320, 32] in the file, [1000, 32] by the configuration"),
        ({"vocab_size": 2_000_000_000}, "of another shape than config.json describes"),
        ({"num_hidden_layers": 3}, "9 weights are missing, such as model.layers.2."),
        ({"num_hidden_layers": 60}, "describes a model of "),
        ({"num_hidden_layers": 10**9}, "`num_hidden_layers` is 1,000,000,000, and the weight files hold 20 tensors"),
        ({"model_type": "zorglub"}, "knows no architecture `zorglub`"),
    ],
)
def test_a_configuration_of_another_model(
    llama_folder: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    folder = broken(llama_folder, tmp_path)
    says(folder, **changes)
    assert sentence in refusal(str(folder))


def test_a_tokenizer_of_another_model(llama_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    from reference_impl.text.tokenizer import ByteBPE

    folder = broken(llama_folder, tmp_path)
    words = "cats dogs birds horses sat stood slept rested near under behind above old green river table window"
    ByteBPE.train([f"{a} {b}" for a in words.split() for b in words.split()] * 3, 400).save(tmp_path / "large.json")
    large = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "large.json"))
    large.save_pretrained(folder)
    with pytest.raises(UserError, match=f"gives ids up to {len(large) - 1}, and the model's ids are 0 to 319"):
        identity(folder)
    shutil.copytree(llama_folder, folder, dirs_exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"<{i}>" for i in range(320 - len(tokenizer) + 2)])
    tokenizer.save_pretrained(folder)
    assert any("declares 2 tokens that the model has no row for" in note for note in identity(folder).notes)


def test_the_hub_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "the hub can't be reached and this model is not in its cache" in refusal("nobody/nothing-of-that-name")


def test_a_type_that_config_json_claims_rounds_nothing_before_it_is_quantized(
    llama_folder: Path, tmp_path: Path
) -> None:
    """Known bad: `auto` takes the type of config.json, and rounds fp32 weights to fp16 before they are quantized."""
    folder = broken(llama_folder, tmp_path)
    says(folder, dtype="float16")
    model: Any = open_model(ModelSource("m", "transformers", str(folder), "d", precision="int8"))
    plain: Any = open_model(ModelSource("m", "transformers", str(llama_folder), "d", precision="int8"))
    mine, theirs = (m.module.model.layers[0].mlp.up_proj.weight for m in (model, plain))
    assert torch.equal(mine.values, theirs.values) and torch.equal(mine.scale, theirs.scale)


def test_a_model_of_many_parts_is_not_built_to_the_end() -> None:
    class Parts(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.parts = nn.ModuleList(nn.Identity() for _ in range(count))

    with few_modules(9, "m"):
        Parts(29_000)
    with few_modules(None, "m"):
        Parts(40_000)
    with pytest.raises(UserError, match="more than 30,000 parts, and the files hold 9 tensors"), few_modules(9, "m"):
        Parts(10**9)
    Parts(40_000)
