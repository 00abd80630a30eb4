"""Open a `transformers` checkpoint: the model with its weights, and its tokenizer, or one sentence that says why not.

The weights are read straight into the type that is asked for, so that there is never a second copy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.errors import UserError
from harness.models.contract import ModelSource, Precision
from harness.models.quantised import SCHEMES
from harness.models.transformers_tokenizer import TransformersTokenizer

DTYPES: dict[Precision, Any] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    **dict.fromkeys(SCHEMES, "auto"),
}
"""What the weights are loaded as. The quantised precisions take the file's own type and quantise it layer by layer, in
place: rounding to bf16 first would be a second rounding, widening to fp32 a second copy."""


def load_model(source: ModelSource) -> Any:
    """The model with its weights, at the precision that the files or `source` say. UserError where it can't be had."""
    _check_folder(source)
    placed = {} if source.device == "cpu" else {"device_map": {"": source.device}}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            source.path,
            dtype=DTYPES[source.precision],
            revision=source.revision or "main",
            trust_remote_code=source.trust_remote_code,
            output_loading_info=True,
            **placed,
        )
    except (SafetensorError, EOFError) as error:
        raise UserError(
            f"the weights are damaged ({_first_line(error)}): fetch or write them again", place=source.path
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise UserError(_what_went_wrong(error), place=source.path) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{len(missing)} weights are missing, such as {missing[0]}; transformers would make them up at random: "
            "is this the whole checkpoint, of a causal language model?",
            place=source.path,
        )
    return model


def open_tokenizer(source: ModelSource) -> TransformersTokenizer:
    """The tokenizer of a folder or of a hub id. Raises UserError where it can't be loaded."""
    try:
        return TransformersTokenizer(
            AutoTokenizer.from_pretrained(
                source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
            )
        )
    except Exception as error:  # the library raises whatever its parsers raise
        raise UserError(
            f"the tokenizer can't be loaded ({_first_line(error)}): put its files (tokenizer.json, "
            "tokenizer_config.json) beside the weights",
            place=source.path,
        ) from error


def _check_folder(source: ModelSource) -> None:
    """Say what is missing in a local folder before the library does, at length."""
    folder = Path(source.path).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or source.path.startswith((".", "~")) or source.path.count("/") > 1:
            raise UserError("no such model folder; give a folder, or a hub id such as owner/name", place=source.path)
        return
    if not (folder / "config.json").is_file():
        raise UserError("this folder has no config.json, so it holds no model of transformers", place=source.path)
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise UserError("this folder has no weights (*.safetensors): copy the whole model", place=source.path)


def _what_went_wrong(error: Exception) -> str:
    text = str(error)
    if "Unrecognized configuration class" in text:
        return "this is not a causal language model: transformers has no such head for its architecture"
    if "trust_remote_code" in text:
        return "this model needs its own code: if you trust it, run again with --trust-remote-code"
    if "connect" in text.lower() or "offline" in text.lower():
        return "the hub can't be reached and this model is not in its cache: go online, or give a local folder"
    return f"transformers can't load this model ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def active_experts(config: Any) -> float:
    """The share of a mixture's experts that one token visits; 1 for a dense model."""
    text = config.get_text_config()
    experts = next((getattr(text, n) for n in ("num_local_experts", "num_experts") if getattr(text, n, None)), None)
    visited = getattr(text, "num_experts_per_tok", None)
    return visited / experts if experts and visited else 1.0
