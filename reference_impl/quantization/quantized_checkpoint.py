"""A model whose weights were quantized once and kept: a checkpoint folder with a fraction of the bytes.

    model.safetensors    the weights as they are stored: codes, scales, zero points
    config.json          GPTConfig
    quantization.json    the scheme
    checkpoint.json      SHA-256 and size of each file (training/checkpoint_folder.py)

and the files of tokenizer and chat template as they came. Loading reads nothing but these bytes, so that it takes the
memory of the quantized model and no more. A calibrated scheme loads as fast as rounding to nearest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_model

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.quantization.quantize import Scheme, quantize_
from reference_impl.quantization.weight_format import dense_type
from reference_impl.training.checkpoint import read_config, write_config
from reference_impl.training.checkpoint_folder import CONFIG, MODEL, CorruptCheckpoint, verified, write_folder
from reference_impl.training.checkpoint_weights import check_sizes, load_weights

SCHEME = "quantization.json"
PACKED_BY = 2
"""The most weights in one element of a file: two of four bits."""

STORABLE: tuple[Scheme, ...] = ("bf16", "int8", "int8-dynamic", "int4", "int4-gptq")
"""Schemes whose tensors mean the same on every machine. bitsandbytes keeps its formats in objects of its own."""


@dataclass(frozen=True)
class QuantizedCheckpoint:
    """A loaded one."""

    model: GPT
    """On the CPU, in evaluation mode."""
    scheme: Scheme


def save_quantized(
    folder: str | os.PathLike[str], model: GPT, scheme: Scheme, tokenizer_files: Iterable[Path] = ()
) -> None:
    """Write a model that `quantize_` made, whole or not at all.

    Raises ValueError for a scheme that can't be stored, FileExistsError where something else stands, OSError where the
    disk is full.
    """
    if scheme not in STORABLE:
        raise ValueError(
            f"{scheme} weights can't be stored: take one of {', '.join(STORABLE)}, or quantize on loading."
        )

    def write(new: Path) -> None:
        save_model(model, str(new / MODEL))
        write_config(new, model.config)
        (new / SCHEME).write_text(json.dumps({"scheme": scheme}, allow_nan=False))
        for file in tokenizer_files:
            shutil.copyfile(file, new / file.name)

    write_folder(Path(folder), write)


def is_quantized(folder: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint folder holds quantized weights."""
    return (Path(folder) / SCHEME).is_file()


def load_quantized(folder: str | os.PathLike[str]) -> QuantizedCheckpoint:
    """Read one, every file checked against its hash. Raises CorruptCheckpoint where that fails."""
    folder = Path(folder)
    verified(folder, MODEL, CONFIG, SCHEME)
    scheme = _scheme(folder)
    config = read_config(folder)
    check_sizes(config, folder, PACKED_BY)
    model = skeleton(config, scheme)
    load_weights(model, folder)
    for parameter in model.parameters():  # norms, in the type that was fast where they were stored
        parameter.data = parameter.data.to(dense_type("cpu"))
    return QuantizedCheckpoint(model, scheme)


def skeleton(config: GPTConfig, scheme: Scheme) -> GPT:
    """The quantized model of a shape, without memory: every tensor on the meta device."""
    with torch.device("meta"):
        model = GPT(config)
        # The same format as the calibrated one, which needs numbers to look at.
        quantize_(model, "int4" if scheme == "int4-gptq" else scheme, dense_type("cpu"))
    return model.eval()


def _scheme(folder: Path) -> Scheme:
    try:
        scheme: Scheme = json.loads((folder / SCHEME).read_bytes())["scheme"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptCheckpoint(folder / SCHEME, "it doesn't say the scheme") from error
    if not isinstance(scheme, str) or scheme not in STORABLE:
        raise CorruptCheckpoint(folder / SCHEME, f"{scheme!r} is no scheme of this program")
    return scheme
