"""Turns a GGUF file into a folder that `transformers` opens: config, fp32 weights, tokenizer.

`from_pretrained(gguf_file=...)` dequantizes on every load, which takes many times longer than reading
safetensors; so it is done once here, with `gguf` and numpy alone (no torch). Only what the file itself says
is used. Three things differ between the two worlds:

* llama.cpp rotates neighboring components of a head (0 with 1, 2 with 3), transformers components half a
  head apart; the rows of the query and key projections are stored in an order that suits the former.
* Tensor names: `blk.3.attn_q.weight` is `model.layers.3.self_attn.q_proj.weight`.
* A model without `output.weight` uses its token embedding as the head (tied).

The same file gives the same bytes on every machine: element-wise float32 arithmetic, fixed order.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import strict_json
from harness.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

CONVERSION_VERSION = 1
"""Enters the digest of a converted model: raise it when the same GGUF file gives other bytes."""

_TOP_LEVEL = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert(gguf_file: Path, folder: Path) -> None:
    """Write `gguf_file`, a model of the Llama architecture, to `folder` as a transformers model.

    Makes config.json, generation_config.json, model.safetensors (float32), tokenizer.json and
    tokenizer_config.json. Raises UserError for a file that is no GGUF or holds something else.
    """
    from safetensors.numpy import save_file

    from harness.assets.gguf_tokenizer import write_tokenizer

    reader = _open(gguf_file)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    config = _config(metadata, {tensor.name for tensor in reader.tensors}, gguf_file)
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", config)
    tokens = {key: config[key] for key in config if key.endswith("token_id")}
    _write_json(folder / "generation_config.json", tokens | _ends(metadata))
    write_tokenizer(metadata, folder, place=str(gguf_file))
    weights = _weights(reader.tensors, config["num_attention_heads"], config["num_key_value_heads"], gguf_file)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    # safetensors makes a file that only its owner may read; a cache may be shared.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode & 0o777)


def unpermute(weight: Array, heads: int) -> Array:
    """Rows of a query or key projection from llama.cpp's order to transformers'.

    weight: (heads * head_width, columns). Within each head llama.cpp keeps the two halves of every rotated pair
    beside each other, (pair, half); transformers wants (half, pair). The inverse of `LlamaModel.permute` in
    llama.cpp's convert_hf_to_gguf.py.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _open(gguf_file: Path) -> Any:
    import numpy as np
    from gguf import GGUFReader

    class QuickReader(GGUFReader):  # type: ignore[misc]
        """Slices a plain view of the file: slicing np.memmap itself costs 3 s for 98,000 strings."""

        data: Any

        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
            if isinstance(self.data, np.memmap):
                self.data = np.asarray(self.data)
            return super()._get(offset, dtype, count, override_order)

    try:
        return QuickReader(gguf_file)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise UserError(f"not a whole GGUF file ({error}); fetch it again", place=str(gguf_file)) from error


def _config(metadata: dict[str, Any], tensors: set[str], gguf_file: Path) -> dict[str, Any]:
    """transformers' LlamaConfig as JSON, from the metadata's `llama.*` keys."""
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise UserError(
            f"this GGUF file holds a model of the architecture '{architecture}'; only 'llama' can be converted",
            place=str(gguf_file),
        )

    def of(key: str) -> Any:
        if f"llama.{key}" not in metadata:
            raise UserError(f"the GGUF file does not say 'llama.{key}'", place=str(gguf_file))
        return metadata[f"llama.{key}"]

    heads, width = of("attention.head_count"), of("embedding_length")
    theta = _short(metadata.get("llama.rope.freq_base", 10000.0))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "hidden_size": width,
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.get("llama.attention.head_count_kv", heads),
        "head_dim": metadata.get("llama.rope.dimension_count", width // heads),
        "hidden_act": "silu",
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": _short(of("attention.layer_norm_rms_epsilon")),
        "rope_theta": theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": "output.weight" not in tensors,
        "dtype": "float32",
    }
    for key, name in (("bos", "bos"), ("eos", "eos"), ("padding", "pad")):
        if f"tokenizer.ggml.{key}_token_id" in metadata:
            config[f"{name}_token_id"] = metadata[f"tokenizer.ggml.{key}_token_id"]
    return config


def _ends(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """All end tokens that the file names, where there are several: of text, of a turn, of a message."""
    named = (metadata.get(f"tokenizer.ggml.{key}_token_id") for key in ("eos", "eot", "eom"))
    ends = list(dict.fromkeys(token for token in named if token is not None))
    return {"eos_token_id": ends} if len(ends) > 1 else {}


def _weights(tensors: list[Any], heads: int, key_value_heads: int, gguf_file: Path) -> dict[str, Array]:
    """Every tensor, dequantized to float32 under its transformers name."""
    import gguf
    import numpy as np

    def dequantized(tensor: Any) -> tuple[str, Array]:
        name = _name(tensor.name, gguf_file)
        weight = np.asarray(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
        if ".q_proj." in name:
            weight = unpermute(weight, heads)
        elif ".k_proj." in name:
            weight = unpermute(weight, key_value_heads)
        return name, np.ascontiguousarray(weight)

    with ThreadPoolExecutor(2) as pool:
        return dict(sorted(pool.map(dequantized, tensors)))


def _name(gguf_name: str, gguf_file: Path) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    match gguf_name.split("."):
        case ["blk", layer, part, "weight"] if part in _IN_BLOCK:
            return f"model.layers.{layer}.{_IN_BLOCK[part]}.weight"
        case [part, "weight"] if part in _TOP_LEVEL:
            return f"{_TOP_LEVEL[part]}.weight"
    raise UserError(
        f"the tensor '{gguf_name}' has no place in a plain Llama model; this file can't be converted",
        place=str(gguf_file),
    )


def _short(value: float) -> float:
    """The shortest decimal that is this float32: 1e-05, not 9.999999747378752e-06."""
    import numpy as np

    return float(str(np.float32(value)))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(strict_json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
