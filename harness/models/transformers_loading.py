"""Open a `transformers` checkpoint: the model with its weights, or one sentence that says why not.

What the files describe is compared with what the configuration describes before anything is allocated, and what was
loaded with what the files hold afterwards: a model that opens is the one that its files say it is. The weights are read
straight into the type that is asked for, so that there is never a second copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING as KNOWN_METHODS
from transformers.utils.peft_utils import find_adapter_config_file

from harness.errors import UserError
from harness.models.already_quantized import (
    NEEDS_HUB_CODE,
    AlreadyQuantized,
    already_quantized,
    refuse_second,
    require_packages,
)
from harness.models.causality import refuse_other_kinds
from harness.models.checkpoint_files import CheckpointFiles, read_checkpoint, refuse_file
from harness.models.code_choices import note_of, refuse_choices, settle
from harness.models.contract import ModelSource, Precision
from harness.models.counting import ParameterCounts, count_parameters, visited_experts
from harness.models.quantized import SCHEMES, type_buffers_like
from harness.models.transformers_failures import first_line, what_went_wrong
from harness.models.transformers_fit import (
    FLOATS,
    few_modules,
    notes_of,
    refuse_never_quantized,
    refuse_other_sizes,
    refuse_other_tensors,
    refuse_unfit_values,
)
from reference_impl.alignment.stages.start_folder import ADAPTER

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What the weights are loaded as. The quantized precisions take the file's own type and quantize it layer by layer, in
place: rounding to bf16 first would be a second rounding, widening to fp32 a second copy."""


@dataclass(frozen=True)
class LoadedModel:
    """A `transformers` model with its weights, before anything is quantized here."""

    model: Any
    skeleton: nn.Module
    """The same architecture without memory, as a bf16 model: what its buffers are there."""
    written: Mapping[str, Any]
    """`config.json` as it is written, without the defaults of its class."""
    counts: ParameterCounts
    quantized: AlreadyQuantized | None
    """How the weights came, where they came quantized."""
    notes: tuple[str, ...]


def load_model(source: ModelSource) -> LoadedModel:
    """The model with its weights, at the precision that `source` says. UserError where it can't be had."""
    folder = Path(source.path).expanduser()
    files = _checkpoint(folder, source)
    written = files.config if files is not None else _written_config(source)
    quantized = _quantized(written, source)
    config = open_config(source)
    refuse_other_kinds(config, source.path)
    skeleton = _skeleton(config, source, None if files is None else len(files.tensors))
    if files is not None:
        refuse_other_sizes(skeleton, files.tensors, source.path, quantized)
    if files is not None and quantized is not None:
        refuse_never_quantized(files.tensors, quantized, source.path)
    model, report = _from_pretrained(source, config, _dtype(source.precision, files), quantized)
    refuse_other_tensors(report, source.path, quantized)
    refuse_unfit_values(model, source)
    if quantized is not None:
        _cast_what_is_wide(model, skeleton, DTYPES[source.precision])
    counted = model if quantized is None else skeleton
    return LoadedModel(
        model=model,
        skeleton=skeleton,
        written=written,
        counts=count_parameters(counted, counted.get_output_embeddings(), visited_experts(config)),
        quantized=quantized,
        notes=(*note_of(written, source.path), *notes_of(model, files, quantized, config)),
    )


def open_config(source: ModelSource) -> Any:
    """The configuration as its class, without what it may not choose (`code_choices`). Raises UserError where it can't
    be one."""
    try:
        config = AutoConfig.from_pretrained(
            source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
        )
        settle(config)
        return config
    except Exception as error:  # whatever its class raises at values that can't be
        raise UserError(what_went_wrong(error, "config.json describes no model"), place=source.path) from error


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
    except Exception as error:  # whatever the hub raises
        raise UserError(what_went_wrong(error, "transformers can't load this model"), place=source.path) from error
    refuse_choices(written, source.path)
    return written


def _quantized(written: Mapping[str, Any], source: ModelSource) -> AlreadyQuantized | None:
    found = already_quantized(written, source.path)
    if found is None:
        return None
    if found.method in NEEDS_HUB_CODE:
        raise UserError(
            f"its weights are quantized ({found.label}), and transformers would fetch code from the hub to load them: "
            "give the checkpoint that it was made from",
            place=source.path,
        )
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


def _skeleton(config: Any, source: ModelSource, tensors: int | None) -> Any:
    """The model that the configuration describes, in bf16, without memory. tensors: those of the files."""
    bare = copy.deepcopy(config)
    for part in (bare, bare.get_text_config()):
        if hasattr(part, "quantization_config"):
            del part.quantization_config
    try:
        with torch.device("meta"), few_modules(tensors, source.path):
            return AutoModelForCausalLM.from_config(
                bare, dtype=torch.bfloat16, trust_remote_code=source.trust_remote_code
            )
    except UserError:
        raise
    except Exception as error:  # whatever an architecture raises at sizes that don't fit together
        raise UserError(
            what_went_wrong(error, "config.json describes no model that can be built"), place=source.path
        ) from error


def _cast_what_is_wide(model: nn.Module, skeleton: nn.Module, dtype: torch.dtype) -> None:
    """Bring what a quantizer left in floating point to the type that is asked for; transformers leaves it as it is."""
    for parameter in model.parameters():
        if parameter.dtype in FLOATS.values() and not hasattr(parameter, "quant_state"):
            parameter.data = parameter.data.to(dtype)
    if dtype == torch.bfloat16:
        type_buffers_like(model, skeleton)


def _from_pretrained(
    source: ModelSource, config: Any, dtype: torch.dtype | str, quantized: AlreadyQuantized | None
) -> tuple[Any, dict[str, Any]]:
    placed = {} if source.device == "cpu" else {"device_map": {"": source.device}}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            source.path,
            config=config,
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
            f"the weights are damaged ({first_line(error)}): fetch or write them again", place=source.path
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a loader of someone else's raises
        if any(sign in str(error) for sign in ("allocate", "out of memory")):
            raise
        of = "" if quantized is None else f", whose weights are quantized ({quantized.label})"
        raise UserError(what_went_wrong(error, f"transformers can't load this model{of}"), place=source.path) from error
    return model, report


def _dtype(precision: Precision, files: CheckpointFiles | None) -> torch.dtype | str:
    """What to load the weights as. To be quantized: the widest type that the files hold, whatever config.json says."""
    if precision in DTYPES:
        return DTYPES[precision]
    if files is None:
        return "auto"
    held = {FLOATS[header.dtype] for header in files.tensors.values() if header.dtype in FLOATS}
    if not held or torch.float64 in held:
        return torch.float32
    return held.pop() if len(held) == 1 else torch.float32
