"""Every format on architectures that keep their weights differently, held against numpy; and the oracle itself, which
must fail on models with a planted defect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from harness.models.contract import ModelSource, Precision
from harness.models.open import open_model
from reference_impl.quantization.quantized_modules import QuantizedLinear
from reference_impl.quantization.stored_weight import StoredExperts, StoredWeight
from tests.harness.models.quantization_oracle import check_opened, check_precision

VOCABULARY = 320
TOKENS = torch.randint(1, VOCABULARY, (1, 24), generator=torch.Generator().manual_seed(3))
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
GPT2_SHAPE = {"vocab_size": VOCABULARY, "n_embd": 48, "n_layer": 2, "n_head": 2, "n_positions": 64}
MIXTURE = {"num_experts_per_tok": 2, "num_local_experts": 4}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "GPT2": GPT2_SHAPE,  # Conv1D
    "GPTNeo": {
        **{"vocab_size": VOCABULARY, "hidden_size": 48, "num_layers": 2, "num_heads": 2, "window_size": 8},
        **{"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 64, "intermediate_size": 80},
    },
    "OPT": SHAPE | {"ffn_dim": 80, "word_embed_proj_dim": 48},  # learnt positions of a class of their own
    "Bloom": {"vocab_size": VOCABULARY, "hidden_size": 48, "n_layer": 2, "n_head": 2},
    "Falcon": SHAPE,  # a subclass of Linear
    "Gemma": SHAPE | {"head_dim": 24},  # a scaled embedding, tied
    "Mixtral": SHAPE | MIXTURE,
    "Qwen3Moe": SHAPE | {"head_dim": 24, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 40},
    "GptOss": SHAPE  # transposed experts with biases
    | MIXTURE
    | {"head_dim": 24, "sliding_window": 16, "layer_types": ["full_attention", "sliding_attention"]},
    "Phi3": SHAPE,
    "StableLm": SHAPE,
    "DeepseekV3": SHAPE
    | {
        **{"moe_intermediate_size": 40, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2},
        **{"first_k_dense_replace": 1, "kv_lora_rank": 16, "q_lora_rank": 16, "qk_rope_head_dim": 16},
        **{"qk_nope_head_dim": 16, "v_head_dim": 24, "n_shared_experts": 1},
    },
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, llama_folder: Path) -> Callable[[str], Path]:
    """The folder of a random model whose logits depend on every weight."""
    import shutil

    import transformers

    root = tmp_path_factory.mktemp("architectures")

    def save(name: str) -> Path:
        folder = root / name
        if folder.is_dir():
            return folder
        config = getattr(transformers, f"{name}Config")(**ARCHITECTURES[name])
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            model = transformers.AutoModelForCausalLM.from_config(config)
            for key, weight in model.named_parameters():
                if "bias" in key or weight.dim() < 2:
                    weight.add_(0.2 * torch.randn(weight.shape))
                else:
                    weight.copy_(torch.randn(weight.shape) / weight.shape[-1] ** 0.5)
        model.save_pretrained(folder)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(llama_folder / file, folder)
        return folder

    return save


@pytest.mark.parametrize("precision", ["bf16", "int8", "int4", "nf4"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_is_what_its_precision_says(
    architecture: str, precision: Precision, saved: Callable[[str], Path]
) -> None:
    check_precision(saved(architecture), precision, TOKENS)


@pytest.mark.parametrize("precision", ["fp16", "int8-dynamic", "int4-gptq", "fp4"])
@pytest.mark.parametrize("architecture", ["GPT2", "Falcon", "GptOss"])
def test_the_other_precisions(architecture: str, precision: Precision, saved: Callable[[str], Path]) -> None:
    check_precision(saved(architecture), precision, TOKENS)


def opened_as(folder: Path, precision: Precision) -> Any:
    return open_model(ModelSource("m", "transformers", str(folder), "d", precision=precision))


def exact(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def test_what_stays_wide_is_listed_and_told(saved: Callable[[str], Path]) -> None:
    identity = opened_as(saved("Mixtral"), "int4").identity
    wide = {each.name: (each.tensors, each.format, each.reason) for each in identity.stored.wide}
    assert wide == {
        "model.embed_tokens.weight": (1, "bf16", "an embedding that is only looked up"),
        "model.layers.*.mlp.gate.weight": (
            2,
            "bf16",
            "a parameter of MixtralTopKRouter, which is no linear layer",
        ),
    }
    assert [note for note in identity.notes if "model.layers.*.mlp.gate.weight" in note]
    formats = {each.format: each.tensors for each in identity.stored.formats}
    assert formats["int4"] == 2 * (4 + 4 * 2) + 1, "four projections and two matrices per expert in each layer, a head"
    assert identity.stored.bytes == identity.weight_bytes
    assert opened_as(saved("Mixtral"), "fp32").identity.stored.wide == ()


def test_weights_that_calibration_did_not_reach_are_told(saved: Callable[[str], Path]) -> None:
    identity = opened_as(saved("GptOss"), "int4-gptq").identity
    assert any("were not calibrated but rounded to nearest" in note for note in identity.notes)
    assert not any("calibrated" in note for note in opened_as(saved("Falcon"), "int4-gptq").identity.notes)


def test_one_expert_at_a_time_is_read(saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Widening all experts for a product with one would take a mixture's memory as if it were not quantized."""
    for name in ("Mixtral", "GptOss"):
        model = opened_as(saved(name), "int8")
        with monkeypatch.context() as patch:
            patch.setattr(StoredExperts, "whole", lambda self: pytest.fail("all experts were widened"))
            model.forward(TOKENS)


Defect = Callable[[Any], None]


def leaves_experts(model: Any) -> None:
    """Experts as bf16, and not listed."""
    original = exact(Path(model.module.config._name_or_path))
    for prefix, module in model.module.named_modules():
        for name, child in list(module.named_children()):
            if isinstance(child, StoredExperts):
                wide = original.get_parameter(f"{prefix}.{name}").detach().to(torch.bfloat16)
                del module._modules[name]
                module.register_parameter(name, nn.Parameter(wide, requires_grad=False))


def drops_biases(model: Any) -> None:
    for module in model.module.modules():
        if isinstance(module, QuantizedLinear):
            module.bias = None


def forgets_biases(model: Any) -> None:
    """They are there, and nobody adds them."""
    for module in model.module.modules():
        if isinstance(module, QuantizedLinear) and module.bias is not None:
            module.forward = lambda x, weight=module.weight: weight.times(x)


def wrong_scale(model: Any) -> None:
    one = next(m for m in model.module.modules() if isinstance(m, StoredWeight) and hasattr(m, "scale"))
    one.scale.mul_(1.02)


def unties(model: Any) -> None:
    import copy

    embedding = model.module.get_input_embeddings()
    embedding.weight = copy.deepcopy(embedding.weight)


def swaps_experts(model: Any) -> None:
    """Weights as they should be, read in another order."""

    class Swapped(StoredExperts):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(len(self.experts) - 1 - int(index))

    for module in model.module.modules():
        if isinstance(module, StoredExperts):
            module.__class__ = Swapped


def announces_too_little(model: Any) -> None:
    model.identity = model.identity.model_copy(update={"weight_bytes": model.identity.weight_bytes - 2})


@pytest.mark.parametrize(
    ("architecture", "precision", "defect", "said"),
    [
        ("Mixtral", "int4", leaves_experts, "is not listed"),
        ("GPT2", "int8", drops_biases, "is left out"),
        ("GPT2", "int8", forgets_biases, "logits are"),
        ("Phi3", "int8", wrong_scale, "rounded wrong"),
        ("Phi3", "int4", wrong_scale, "rounded wrong"),
        ("Gemma", "int8", unties, "were tied"),
        ("Mixtral", "int8", swaps_experts, "logits are"),
        ("OPT", "nf4", announces_too_little, "bytes are announced"),
    ],
)
def test_a_defect_is_seen(
    architecture: str, precision: Precision, defect: Defect, said: str, saved: Callable[[str], Path]
) -> None:
    folder = saved(architecture)
    model = opened_as(folder, precision)
    defect(model)
    with pytest.raises(AssertionError, match=said):
        check_opened(exact(folder), model, precision, TOKENS)
