"""Does a `transformers` checkpoint fit its own configuration? What doesn't is refused in one sentence; what its
architecture leaves out is a note.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from harness.errors import UserError
from harness.models.already_quantized import AlreadyQuantized
from harness.models.checkpoint_files import CheckpointFiles
from harness.models.contract import ModelSource
from harness.models.stated_shapes import another_shape
from harness.models.weight_header import TensorHeader
from reference_impl.training.checkpoint_weights import all_finite

MAY_BE_DENSE = ("compressed-tensors", "fp_quant", "quark")
"""Kinds of quantized checkpoints whose files may hold rounded weights in floating point."""

FLOATS = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
"""Types of weights in safetensors files that a model is run in as they are."""

PACKED = (
    ".qweight",
    ".qzeros",
    ".weight_packed",
    ".absmax",
    ".quant_map",
    ".SCB",
    ".weight_scale",
    ".weight_scale_inv",
)
"""How tensors of quantized checkpoints are called."""


def refuse_never_quantized(tensors: Mapping[str, TensorHeader], quantized: AlreadyQuantized, place: str) -> None:
    """UserError where the configuration says that weights are quantized, and all are plain floating point."""
    if quantized.method not in MAY_BE_DENSE and all(header.dtype in FLOATS for header in tensors.values()):
        raise UserError(
            f"config.json says that the weights are quantized ({quantized.label}), and the files hold none that are: "
            "take `quantization_config` out of it, or give the quantized files",
            place=place,
        )


MOST_MODULES, PER_TENSOR = 30_000, 20
"""Parts of a model that are always believed, and so many more for each tensor of the files: each has one or two."""


@contextlib.contextmanager
def few_modules(tensors: int | None, place: str) -> Iterator[None]:
    """Within this, a model of far more parts than the files have tensors is not built to the end: UserError.

    tensors: None where they aren't known; then nothing is bounded."""
    left = math.inf if tensors is None else MOST_MODULES + PER_TENSOR * tensors

    def count(module: nn.Module, name: str, part: nn.Module) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise UserError(
                f"config.json describes a model of more than {MOST_MODULES:,} parts, and the files hold {tensors:,} "
                "tensors: is this the whole checkpoint, and its own config.json?",
                place=place,
            )

    hook = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


TABLES = 1 << 30
"""Bytes of tables that an architecture computes from its configuration (positions, masks) that are always believed."""
PACKED_BY = 32
"""The most weights that one element of a quantized tensor stands for: 32 of one bit in an integer of 32."""


def refuse_other_sizes(
    skeleton: nn.Module, tensors: Mapping[str, TensorHeader], place: str, quantized: AlreadyQuantized | None
) -> None:
    """UserError where a tensor of the files has another shape than the configuration gives it, where the
    configuration describes a model of far more weights than there are, and where it asks for tables that are larger
    than the weights: before anything is allocated.

    Files may call tensors otherwise (older names, experts one by one); those are compared when they are loaded.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    prefix = getattr(skeleton, "base_model_prefix", "")
    wrong = [
        (name, header.shape, shape)
        for name, header in tensors.items()
        for shape in [expected.get(name, expected.get(f"{prefix}.{name}"))]
        if shape is not None and shape != header.shape and (quantized is None or header.dtype in FLOATS)
    ]
    if wrong:
        raise another_shape(wrong, place)
    if quantized is None and (
        integers := [name for name, header in tensors.items() if name in expected and header.dtype[0] in "IU"]
    ):
        raise UserError(
            f"the weight {integers[0]}{_and_more(integers)} holds integers, and config.json has no "
            "`quantization_config` that says what they stand for: add it, or give the checkpoint that it was made from",
            place=place,
        )
    described = sum({id(p): p.numel() for p in skeleton.parameters()}.values())
    held = sum(math.prod(header.shape) for header in tensors.values())
    if described > (2 if quantized is None else PACKED_BY) * held:
        raise UserError(
            f"config.json describes a model of {described:,} weights, and the files hold {held:,}: is this the whole "
            "checkpoint, and its own config.json?",
            place=place,
        )
    _refuse_tables(skeleton, 4 * held, place)


def _refuse_tables(skeleton: nn.Module, weights: int, place: str) -> None:
    kept = {id(tensor) for tensor in skeleton.state_dict(keep_vars=True).values()}
    tables = {name: tensor for name, tensor in skeleton.named_buffers() if id(tensor) not in kept}
    size = sum(tensor.nbytes for tensor in tables.values())
    if size > TABLES + weights:
        largest = max(tables, key=lambda name: tables[name].nbytes)
        raise UserError(
            f"config.json describes tables of {size:,} bytes beside the weights, such as {largest} "
            f"{list(tables[largest].shape)}: is this the model's own config.json?",
            place=place,
        )


def refuse_other_tensors(report: Mapping[str, Any], place: str, quantized: AlreadyQuantized | None) -> None:
    """UserError where tensors are missing, of another shape, or belong to no part of the model. What the architecture
    declares ignorable is in none of these."""
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if report["mismatched_keys"]:
        raise another_shape(list(report["mismatched_keys"]), place)
    if quantized is None and (packed := [name for name in unexpected if name.endswith(PACKED)]):
        raise UserError(
            f"the weights are packed by a quantizer (such as {packed[0]}), and config.json has no "
            "`quantization_config` that says which: add it, or give the checkpoint that it was made from",
            place=place,
        )
    if missing:
        raise UserError(
            f"{_count(len(missing), 'weight')} missing, such as {missing[0]}; transformers would make them up at "
            "random: is this the whole checkpoint, of a causal language model?",
            place=place,
        )
    if unexpected:
        raise UserError(
            f"{_count(len(unexpected), 'tensor')} in the files that the model has no place for, such as "
            f"{unexpected[0]}; transformers would leave them out: is config.json that of this checkpoint, and is "
            "it a causal language model without an adapter or another head?",
            place=place,
        )


def refuse_unfit_values(model: nn.Module, source: ModelSource) -> None:
    """UserError where a weight holds NaN or infinity."""
    broken = [name for name, parameter in model.named_parameters() if not all_finite(parameter)]
    if broken and source.precision == "fp16":
        raise UserError(
            f"the weight {broken[0]}{_and_more(broken)} isn't finite in fp16, whose largest number is 65504: ask for "
            "bf16 or fp32",
            place=source.path,
        )
    if broken:
        raise UserError(
            f"the weight {broken[0]}{_and_more(broken)} holds values that aren't finite (NaN or infinity): fetch or "
            "copy the model again, or train it again",
            place=source.path,
        )


def refuse_overflow(logits: Tensor, source: ModelSource) -> None:
    """UserError where the first logits of an opened model are not numbers, which nothing measured of it would be.

    Minus infinity is one: architectures mask tokens with it.
    """
    if not bool(logits.isnan().any() | logits.isposinf().any()):
        return
    if source.precision == "fp16":
        raise UserError(
            "the model's numbers overflow in fp16, whose largest is 65504: its logits are not finite; ask for bf16 "
            "or fp32",
            place=source.path,
        )
    raise UserError(
        f"the model's logits are NaN or infinite in {source.precision}: "
        f"{'' if source.precision == 'fp32' else 'ask for fp32, or '}fetch or train the model again",
        place=source.path,
    )


def notes_of(
    model: Any, files: CheckpointFiles | None, quantized: AlreadyQuantized | None, config: Any
) -> Iterable[str]:
    """What a reader of this model's numbers must know of its files."""
    if quantized is not None:
        yield f"its weights came quantized ({quantized.label}): `precision` is the type of its activations"
    if files is None:
        return
    known = model.state_dict().keys()
    used = {*known, *(name.removeprefix(f"{model.base_model_prefix}.") for name in known)}
    if unused := [name for name in _declared(files.tensors, _ignorable(model)) if name not in used]:
        yield f"its architecture leaves out {_names(unused)} of the files"
    made_up = _declared(model.state_dict(), getattr(model, "_keys_to_ignore_on_load_missing", None) or ())
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    if lacking := [name for name in made_up if name not in files.tensors and name not in tied]:
        yield f"the files lack {_names(lacking)}, which its architecture does without"
    if any(header.dtype.startswith("F8") for header in files.tensors.values()) and quantized is None:
        yield "its files hold 8-bit floats without a quantization_config: widened as they are"
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    tied_by_config = getattr(config.get_text_config(), "tie_word_embeddings", False)
    if tied_by_config and quantized is None and head is not None and head.weight is not embedding.weight:
        yield "config.json ties the head to the embedding, and the files hold two different ones: both are used"


def _ignorable(model: Any) -> list[str]:
    """Patterns of tensors that an architecture leaves out, and the buffers that transformers itself drops."""
    declared = list(getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ())
    return [*declared, r"rotary_emb\.inv_freq", r"(^|\.)position_ids$"]


def _declared(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    joined = "|".join(f"({pattern})" for pattern in patterns)
    return [name for name in names if re.search(joined, name)] if joined else []


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tensors ({', '.join(names[:3])}{', …' * (len(names) > 3)})"


def _and_more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _count(number: int, what: str) -> str:
    """`1 weight is`, `3 weights are`."""
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"
