"""Shapes that a `config.json` gives the weights, compared with the headers of the files before anything is opened.

Only of families whose tensors have known names, and only where the configuration says the sizes itself: what is not
known here is compared when the model is built (`transformers_fit.py`). Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.errors import UserError
from harness.models.weight_header import TensorHeader

FLOATS = ("F64", "F32", "BF16", "F16")
Shape = tuple[int, ...]
_LAYER = re.compile(r"(?:^|\.)(?:layers|h)\.(\d+)\.")


def refuse_stated_shapes(config: Mapping[str, Any], tensors: Mapping[str, TensorHeader], place: str) -> None:
    """UserError where a weight has another shape than its configuration says, or where layers of it are missing.
    config: as `config.json` has it. tensors: of all weight files. place: of the folder."""
    described = _FAMILIES.get(str(config.get("model_type")))
    if described is None or config.get("quantization_config") or config.get("auto_map"):
        return
    sizes = {key: value for key, value in config.items() if type(value) is int and value > 0}
    try:
        stated = list(described(sizes))
    except (KeyError, ZeroDivisionError):  # the configuration leaves a size to its class
        return
    wrong = [
        (name, header.shape, shape)
        for name, header in tensors.items()
        for ending, shape in stated
        if header.dtype in FLOATS and re.search(rf"(?:^|\.){ending}$", name) and header.shape != shape
    ]
    if wrong:
        raise another_shape(wrong, place)
    layers = next((sizes[key] for key in ("num_hidden_layers", "n_layer") if key in sizes), None)
    held = {int(found[1]) for name in tensors if (found := _LAYER.search(name))}
    if layers is not None and held and layers > len(held):
        raise UserError(
            f"config.json describes {layers:,} layers, and the files hold {len(held):,}: is this the whole checkpoint, "
            "and its own config.json?",
            place=place,
        )


def another_shape(wrong: list[tuple[str, Shape, Shape]], place: str) -> UserError:
    """wrong: the name of each tensor, its shape in the files and by the configuration."""
    name, held, described = sorted(wrong)[0]
    many = "1 weight is" if len(wrong) == 1 else f"{len(wrong)} weights are"
    return UserError(
        f"{many} of another shape than config.json describes, such as {name}: {list(held)} in "
        f"the file, {list(described)} by the configuration; is this the model's own config.json?",
        place=place,
    )


def _llama(sizes: Mapping[str, int]) -> Iterator[tuple[str, Shape]]:
    """Of Llama and what has its names: how weights end, and their shapes."""
    vocabulary, width, inner = sizes["vocab_size"], sizes["hidden_size"], sizes["intermediate_size"]
    heads = sizes["num_attention_heads"]
    yield r"embed_tokens\.weight", (vocabulary, width)
    yield r"lm_head\.weight", (vocabulary, width)
    yield r"mlp\.(?:gate|up)_proj\.weight", (inner, width)
    yield r"mlp\.down_proj\.weight", (width, inner)
    if "head_dim" in sizes or width % heads == 0:
        head = sizes.get("head_dim", width // heads)
        yield r"self_attn\.q_proj\.weight", (heads * head, width)
        yield r"self_attn\.o_proj\.weight", (width, heads * head)
        if "num_key_value_heads" in sizes:
            yield r"self_attn\.[kv]_proj\.weight", (sizes["num_key_value_heads"] * head, width)


def _stated_head(sizes: Mapping[str, int]) -> Iterator[tuple[str, Shape]]:
    """The same of families whose class has a head width of its own, where the configuration names none."""
    for ending, shape in _llama(sizes):
        if "head_dim" in sizes or not ending.startswith("self_attn"):
            yield ending, shape


def _gpt2(sizes: Mapping[str, int]) -> Iterator[tuple[str, Shape]]:
    vocabulary, width = sizes["vocab_size"], sizes["n_embd"]
    inner = sizes.get("n_inner", 4 * width)
    yield r"wte\.weight", (vocabulary, width)
    yield r"lm_head\.weight", (vocabulary, width)
    yield r"wpe\.weight", (sizes["n_positions"], width)
    yield r"attn\.c_attn\.weight", (width, 3 * width)
    yield r"mlp\.c_fc\.weight", (width, inner)
    yield r"mlp\.c_proj\.weight", (inner, width)


def _gpt_neox(sizes: Mapping[str, int]) -> Iterator[tuple[str, Shape]]:
    vocabulary, width, inner = sizes["vocab_size"], sizes["hidden_size"], sizes["intermediate_size"]
    yield r"embed_(?:in|out)\.weight", (vocabulary, width)
    yield r"attention\.query_key_value\.weight", (3 * width, width)
    yield r"mlp\.dense_h_to_4h\.weight", (inner, width)


_FAMILIES: Mapping[str, Callable[[Mapping[str, int]], Iterator[tuple[str, Shape]]]] = {
    **dict.fromkeys(("llama", "mistral", "qwen2"), _llama),
    **dict.fromkeys(("qwen3", "gemma", "gemma2"), _stated_head),
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
}
