"""Checkpoints whose weights came quantized (`quantization_config`): their label, and the packages that load them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.models.bounded_files import settings_or_nothing
from harness.models.checkpoint_files import CONFIG

NEEDED: Mapping[str, Mapping[str, str]] = {
    "gptq": {"optimum": "optimum", "gptqmodel": "gptqmodel"},
    "awq": {"gptqmodel": "gptqmodel"},
    "aqlm": {"aqlm": "aqlm[cpu,gpu]"},
    "quanto": {"optimum": "optimum-quanto"},
    "quark": {"quark": "amd-quark"},
    "fp_quant": {"fp_quant": "fp_quant"},
    "higgs": {"flute": "flute-kernel"},
    "hqq": {"hqq": "hqq"},
    "compressed-tensors": {"compressed_tensors": "compressed-tensors"},
    "torchao": {"torchao": "torchao"},
    "vptq": {"vptq": "vptq"},
    "spqr": {"spqr_quant": "spqr_quant[gpu]"},
    "auto-round": {"auto_round": "auto-round"},
    "sinq": {"sinq": "sinq"},
    "bitsandbytes": {"bitsandbytes": "bitsandbytes", "accelerate": "accelerate"},
    "fp8": {"accelerate": "accelerate"},
    "mxfp4": {"accelerate": "accelerate"},
}
"""The modules that loading each kind needs, and how pip calls them."""
NEEDS_HUB_CODE = frozenset({"eetq", "fbgemm_fp8", "metal"})
"""Kinds whose kernels transformers fetches from the hub when it loads them."""


@dataclass(frozen=True)
class AlreadyQuantized:
    """What `quantization_config` says of a checkpoint."""

    method: str
    """`quant_method`: bitsandbytes, gptq, awq, fp8 …"""
    label: str
    """As tables show it: `nf4 by bitsandbytes`, `4 bits by gptq`."""


def already_quantized(config: Mapping[str, Any], place: str | None = None) -> AlreadyQuantized | None:
    """How a checkpoint is quantized, by its `config.json` or that of its text model; None where it isn't."""
    text = config.get("text_config")
    said = config.get("quantization_config") or (text.get("quantization_config") if isinstance(text, Mapping) else None)
    if not said:
        return None
    if not isinstance(said, Mapping):
        raise UserError("`quantization_config` in config.json is no object: copy the model again", place=place)
    method = said.get("quant_method")
    if method is None and (said.get("load_in_4bit") or said.get("load_in_8bit")):
        method = "bitsandbytes"  # what transformers takes it for
    if not isinstance(method, str):
        raise UserError(
            "`quantization_config` in config.json doesn't say its `quant_method`: copy the model again", place=place
        )
    bits = _bits(method, said)
    return AlreadyQuantized(method, f"{bits} by {method}" if bits else method)


def quantized_label(folder: Path) -> str:
    """The label of a folder's weights that came quantized, for a table; empty where they didn't, or where its
    configuration can't be read (what opens the model says so)."""
    try:
        found = already_quantized(settings_or_nothing(folder / CONFIG))
    except UserError:
        return ""
    return found.label if found is not None else ""


def refuse_second(found: AlreadyQuantized, precision: str, place: str) -> None:
    """UserError: weights that are rounded already are not rounded again."""
    raise UserError(
        f"its weights are quantized already ({found.label}), and quantizing them again as {precision} would measure "
        "neither: ask for `precision: fp32` or `bf16` (the type of its activations), or give the checkpoint that it "
        "was made from",
        place=place,
    )


def require_packages(found: AlreadyQuantized, place: str) -> None:
    """UserError that names the packages which loading such a checkpoint needs and that are not there."""
    needed = NEEDED.get(found.method, {})
    missing = [package for module, package in needed.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"its weights are quantized ({found.label}), and loading them needs {' and '.join(missing)}: "
            f"`pip install {' '.join(missing)}`, or give the checkpoint that it was made from",
            place=place,
        )


def _bits(method: str, said: Mapping[str, Any]) -> str:
    if method == "bitsandbytes":
        return str(said.get("bnb_4bit_quant_type", "fp4")) if said.get("load_in_4bit") else "int8"
    for name in ("bits", "w_bit", "nbits", "wbits", "num_bits"):
        if isinstance(said.get(name), int):
            return f"{said[name]} bits"
    form = said.get("format") or said.get("weights") or said.get("quant_type")
    return form if isinstance(form, str) else ""
