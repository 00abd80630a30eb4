"""Open a `transformers` checkpoint: the model with its weights, and its tokenizer, or one sentence that says why not.

What the files describe is compared with what the configuration describes before anything is allocated, and what was
loaded with what the files hold afterwards: a model that opens is the one that its files say it is. The weights are read
straight into the type that is asked for, so that there is never a second copy.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING as KNOWN_METHODS
from transformers.utils.peft_utils import find_adapter_config_file

from harness.errors import UserError
from harness.models.already_quantized import AlreadyQuantized, already_quantized, refuse_second, require_packages
from harness.models.checkpoint_files import ADAPTER, CheckpointFiles, TensorHeader, read_checkpoint, refuse_file
from harness.models.contract import ModelSource, Precision
from harness.models.counting import ParameterCounts, count_parameters, visited_experts
from harness.models.quantised import SCHEMES, type_buffers_like
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.training.checkpoint import all_finite

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What the weights are loaded as. The quantised precisions take the file's own type and quantise it layer by layer, in
place: rounding to bf16 first would be a second rounding, widening to fp32 a second copy."""

MAY_BE_DENSE = ("compressed-tensors", "fp_quant", "quark")
"""Kinds of quantised checkpoints whose files may hold rounded weights in floating point."""

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
"""How tensors of quantised checkpoints are called."""


@dataclass(frozen=True)
class LoadedModel:
    """A `transformers` model with its weights, before anything is quantised here."""

    model: Any
    skeleton: nn.Module
    """The same architecture without memory, as a bf16 model: what its buffers are there."""
    written: Mapping[str, Any]
    """`config.json` as it is written, without the defaults of its class."""
    counts: ParameterCounts
    quantized: AlreadyQuantized | None
    """How the weights came, where they came quantised."""
    notes: tuple[str, ...]


def load_model(source: ModelSource) -> LoadedModel:
    """The model with its weights, at the precision that `source` says. UserError where it can't be had."""
    folder = Path(source.path).expanduser()
    files = _checkpoint(folder, source)
    written = files.config if files is not None else _written_config(source)
    quantized = _quantized(written, source)
    config = open_config(source)
    skeleton = _skeleton(config, source)
    if files is not None and quantized is None:
        _refuse_other_shapes(skeleton, files.tensors, source.path)
    if files is not None and quantized is not None:
        _refuse_never_quantized(files.tensors, quantized, source.path)
    model, report = _from_pretrained(source, config, _dtype(source.precision, files), quantized)
    _refuse_other_tensors(report, source.path, quantized)
    _refuse_unfit_values(model, source)
    if quantized is not None:
        _cast_what_is_wide(model, skeleton, DTYPES[source.precision])
    counted = model if quantized is None else skeleton
    return LoadedModel(
        model=model,
        skeleton=skeleton,
        written=written,
        counts=count_parameters(counted, counted.get_output_embeddings(), visited_experts(config)),
        quantized=quantized,
        notes=tuple(_notes(model, files, quantized, config)),
    )


def open_config(source: ModelSource) -> Any:
    """The configuration as its class. Raises UserError where it can't be one."""
    try:
        return AutoConfig.from_pretrained(
            source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
        )
    except Exception as error:  # whatever its class raises at values that can't be
        raise UserError(_what_went_wrong(error, "config.json describes no model"), place=source.path) from error


def _checkpoint(folder: Path, source: ModelSource) -> CheckpointFiles | None:
    """What lies in a local folder; None for a hub id."""
    if folder.is_dir():
        return read_checkpoint(folder)
    refuse_file(source.path, source.path)
    if folder.is_absolute() or source.path.startswith((".", "~")) or source.path.count("/") > 1:
        raise UserError("no such model folder; give a folder, or a hub id such as owner/name", place=source.path)
    try:
        adapter = find_adapter_config_file(source.path, revision=source.revision or "main")
    except Exception:  # what can't be reached is told when the configuration is asked for
        adapter = None
    if adapter is not None:
        raise UserError(
            f"this repository holds an adapter ({ADAPTER}): merge it into its base (`merge_and_unload` of peft, then "
            "`save_pretrained`) and give the merged folder",
            place=source.path,
        )
    return None


def _written_config(source: ModelSource) -> dict[str, Any]:
    try:
        written: dict[str, Any]
        written, _ = PreTrainedConfig.get_config_dict(source.path, revision=source.revision or "main")
        return written
    except Exception as error:  # whatever the hub raises
        raise UserError(_what_went_wrong(error, "transformers can't load this model"), place=source.path) from error


def _quantized(written: Mapping[str, Any], source: ModelSource) -> AlreadyQuantized | None:
    found = already_quantized(written, source.path)
    if found is None:
        return None
    if found.method not in KNOWN_METHODS and found.method != "bitsandbytes":
        raise UserError(
            f"this version of transformers knows no quantization `{found.method}`, which config.json names: "
            "`pip install --upgrade transformers`, or give the checkpoint that it was made from",
            place=source.path,
        )
    if source.precision in SCHEMES:
        refuse_second(found, source.precision, source.path)
    require_packages(found, source.path)
    return found


def _skeleton(config: Any, source: ModelSource) -> Any:
    """The model that the configuration describes, in bf16, without memory."""
    bare = copy.deepcopy(config)
    for part in (bare, bare.get_text_config()):
        if hasattr(part, "quantization_config"):
            del part.quantization_config
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(
                bare, dtype=torch.bfloat16, trust_remote_code=source.trust_remote_code
            )
    except Exception as error:  # whatever an architecture raises at sizes that don't fit together
        raise UserError(
            _what_went_wrong(error, "config.json describes no model that can be built"), place=source.path
        ) from error


def _cast_what_is_wide(model: nn.Module, skeleton: nn.Module, dtype: torch.dtype) -> None:
    """Bring what a quantizer left in floating point to the type that is asked for; transformers leaves it as it is."""
    for parameter in model.parameters():
        if parameter.dtype in FLOATS.values() and not hasattr(parameter, "quant_state"):
            parameter.data = parameter.data.to(dtype)
    if dtype == torch.bfloat16:
        type_buffers_like(model, skeleton)


def _refuse_never_quantized(tensors: Mapping[str, TensorHeader], quantized: AlreadyQuantized, place: str) -> None:
    """UserError where the configuration says that weights are quantised, and all are plain floating point."""
    if quantized.method not in MAY_BE_DENSE and all(header.dtype in FLOATS for header in tensors.values()):
        raise UserError(
            f"config.json says that the weights are quantized ({quantized.label}), and the files hold none that are: "
            "take `quantization_config` out of it, or give the quantized files",
            place=place,
        )


def _refuse_other_shapes(skeleton: nn.Module, tensors: Mapping[str, TensorHeader], place: str) -> None:
    """UserError where a tensor of the files has another shape than the configuration gives it, and where the
    configuration describes a model of far more weights than there are: before anything is allocated.

    Files may call tensors otherwise (older names, experts one by one); those are compared when they are loaded.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    prefix = getattr(skeleton, "base_model_prefix", "")
    wrong = [
        (name, header.shape, shape)
        for name, header in tensors.items()
        for shape in [expected.get(name, expected.get(f"{prefix}.{name}"))]
        if shape is not None and shape != header.shape
    ]
    if wrong:
        raise _another_shape(wrong, place)
    if integers := [name for name, header in tensors.items() if name in expected and header.dtype[0] in "IU"]:
        raise UserError(
            f"the weight {integers[0]}{_and_more(integers)} holds integers, and config.json has no "
            "`quantization_config` that says what they stand for: add it, or give the checkpoint that it was made from",
            place=place,
        )
    described = sum({id(p): p.numel() for p in skeleton.parameters()}.values())
    held = sum(math.prod(header.shape) for header in tensors.values())
    if described > 2 * held:
        raise UserError(
            f"config.json describes a model of {described:,} weights, and the files hold {held:,}: is this the whole "
            "checkpoint, and its own config.json?",
            place=place,
        )


def _another_shape(wrong: list[Any], place: str) -> UserError:
    """wrong: the name of each tensor, its shape in the files and by the configuration."""
    name, held, described = sorted(wrong)[0]
    return UserError(
        f"{_count(len(wrong), 'weight')} of another shape than config.json describes, such as {name}: {list(held)} in "
        f"the file, {list(described)} by the configuration; is this the model's own config.json?",
        place=place,
    )


def _from_pretrained(
    source: ModelSource, config: Any, dtype: torch.dtype | str, quantized: AlreadyQuantized | None
) -> tuple[Any, dict[str, Any]]:
    placed = {} if source.device == "cpu" else {"device_map": {"": source.device}}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            source.path,
            dtype=dtype,
            revision=source.revision or "main",
            trust_remote_code=source.trust_remote_code,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # refused by name, below
            output_loading_info=True,
            **placed,
        )
    except (SafetensorError, EOFError) as error:
        raise UserError(
            f"the weights are damaged ({_first_line(error)}): fetch or write them again", place=source.path
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a loader of someone else's raises
        if any(sign in str(error) for sign in ("allocate", "out of memory")):
            raise
        of = "" if quantized is None else f", whose weights are quantized ({quantized.label})"
        raise UserError(
            _what_went_wrong(error, f"transformers can't load this model{of}"), place=source.path
        ) from error
    return model, report


def _dtype(precision: Precision, files: CheckpointFiles | None) -> torch.dtype | str:
    """What to load the weights as. To be quantised: the widest type that the files hold, whatever config.json says."""
    if precision in DTYPES:
        return DTYPES[precision]
    if files is None:
        return "auto"
    held = {FLOATS[header.dtype] for header in files.tensors.values() if header.dtype in FLOATS}
    if not held or torch.float64 in held:
        return torch.float32
    return held.pop() if len(held) == 1 else torch.float32


def _refuse_other_tensors(report: Mapping[str, Any], place: str, quantized: AlreadyQuantized | None) -> None:
    """UserError where tensors are missing, of another shape, or belong to no part of the model. What the architecture
    declares ignorable is in none of these."""
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    if report["mismatched_keys"]:
        raise _another_shape(list(report["mismatched_keys"]), place)
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


def _refuse_unfit_values(model: nn.Module, source: ModelSource) -> None:
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
            "copy the model again, or train it anew",
            place=source.path,
        )


def _notes(model: Any, files: CheckpointFiles | None, quantized: AlreadyQuantized | None, config: Any) -> Iterable[str]:
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
        f"the model's logits are not finite in {source.precision}, though its weights are: ask for fp32, or fetch "
        "or train the model anew",
        place=source.path,
    )


def open_tokenizer(source: ModelSource) -> TransformersTokenizer:
    """The tokenizer of a folder or of a hub id. Raises UserError where it can't be loaded."""
    try:
        return TransformersTokenizer(
            AutoTokenizer.from_pretrained(
                source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
            )
        )
    except Exception as error:  # the library raises whatever its parsers raise
        none = "instantiate the backend tokenizer" in str(error)
        why = "there is none" if none else _first_line(error)
        raise UserError(
            f"the tokenizer can't be loaded ({why}): put its files (tokenizer.json, tokenizer_config.json) beside the "
            "weights",
            place=source.path,
        ) from error


def _what_went_wrong(error: Exception, otherwise: str) -> str:
    text = str(error)
    if "Unrecognized configuration class" in text:
        return "this is not a causal language model: transformers has no such head for its architecture"
    if "trust_remote_code" in text:
        return "this model needs its own code: if you trust it, run again with --trust-remote-code"
    if kind := re.search(r"model type `(.*?)` but Transformers does not recognize", text):
        return (
            f"this version of transformers knows no architecture `{kind[1]}` (`model_type` in config.json): "
            "`pip install --upgrade transformers`, or fix the name"
        )
    if "no file named" in text and "safetensors" in text:
        return "this model has no weights in safetensors: convert its files (`save_pretrained` of transformers does)"
    if any(word in text.lower() for word in ("connect", "offline", "couldn't find them in the cached files")):
        return "the hub can't be reached and this model is not in its cache: go online, or give a local folder"
    if "is not a local folder and is not a valid model identifier" in text:
        return (
            "there is neither such a folder nor such a model on the hub: check the name (a private one needs a token)"
        )
    return f"{otherwise} ({_first_line(error)}): is it this model's own config.json, and the whole checkpoint?"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    first = " ".join(lines[:3]) if lines[0].endswith(":") else lines[0]
    return re.sub(r"^(Class v|V)alidation error for .*?: \w+Error: ", "", first).rstrip(".")


def _names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} tensors ({', '.join(names[:3])}{', …' * (len(names) > 3)})"


def _and_more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _count(number: int, what: str) -> str:
    """`1 weight is`, `3 weights are`."""
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"
