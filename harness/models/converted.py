"""Adapter: a `transformers` folder of a GPT-2 or a Llama, opened by the reference GPT: the same weights, our engine.

Each block is stored at its precision before the next is read, so two copies of the model never exist.
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.models.already_quantized import already_quantized
from harness.models.checkpoint_files import read_checkpoint
from harness.models.contract import ModelSource
from harness.models.reference import ReferenceModel, as_language_model, running, stored_as
from harness.models.tokenizer_loading import open_tokenizer
from harness.models.transformers_opening import save_throwaway
from reference_impl.model.huggingface_folder import open_folder
from reference_impl.quantization.loading import assemble

__all__ = ["open_source", "save_throwaway"]


def open_source(source: ModelSource) -> ReferenceModel:
    """Load the folder. Raises UserError where it is damaged, or of an architecture that the reference hasn't."""
    path = Path(source.path).expanduser()
    quantized = already_quantized(read_checkpoint(path).config, source.path)
    if quantized is not None:
        raise UserError(
            f"its weights came quantized ({quantized.label}), and the reference GPT reads none such: open it with "
            "`transformers:`, or give the checkpoint that it was made from",
            place=source.path,
        )
    tokenizer = open_tokenizer(source)
    stored = stored_as(source.precision, source.device)
    try:
        folder = open_folder(path)
        if stored == "int4-gptq":  # calibration needs the whole model in full precision
            return as_language_model(assemble(folder.config, folder.tensors()), tokenizer, source)
        model = assemble(folder.config, folder.tensors(), stored)
    except (ValueError, OSError) as error:
        raise UserError(str(error), place=source.path) from error
    return running(model, tokenizer, source)
