"""Opening a model that is in this process already: nothing is copied, cast or moved.

Imports all it needs at the top: whoever holds a model has imported most of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import Unsupported, UserError, shown
from harness.models.causality import refuse_other_kinds
from harness.models.contract import LanguageModel, ModelSource, Precision
from harness.models.counting import count_parameters, visited_experts
from harness.models.in_memory import PLACE, Held, InMemory, held, is_contract, name_of
from harness.models.reference import running
from harness.models.transformers_fit import refuse_unfit_values
from harness.models.transformers_loading import LoadedModel
from harness.models.transformers_opening import identified
from harness.models.transformers_tokenizer import TransformersTokenizer
from reference_impl.model.gpt import GPT

PRECISIONS: dict[torch.dtype, Precision] = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}


def open_source(source: ModelSource) -> LanguageModel:
    """The model of this process that the source names. Raises UserError where it is gone, Unsupported at a precision
    that is not its own."""
    found = held(source.path)
    if found is None:
        raise UserError("this model was in the memory of a process; save it, and name the folder", place=source.name)
    if source.precision != found.precision:
        raise Unsupported(f"a model in memory is measured as it is, in {found.precision}: save it to measure another")
    return _opened(found, source)


def _opened(found: Held, source: ModelSource) -> LanguageModel:
    model, tokenizer = found.given.model, found.given.tokenizer
    if is_contract(model):
        model.identity  # noqa: B018 - that it says what it is
        opened: LanguageModel = model
        return opened
    refuse_unfit_values(model, source)
    if isinstance(model, GPT):
        return running(model, tokenizer, source)
    loaded = LoadedModel(
        model=model,
        skeleton=model,
        written=model.config.to_diff_dict(),
        counts=count_parameters(model, model.get_output_embeddings(), visited_experts(model.config)),
        quantized=None,
        notes=(),
    )
    where = replace(source, device=str(next(model.parameters()).device))
    return identified(loaded, TransformersTokenizer(tokenizer), where)


def tokenizer_of(given: InMemory) -> Any:
    """Its tokenizer, found to be of a kind that its model can have. Raises UserError."""
    model, tokenizer = given.model, given.tokenizer
    if isinstance(model, GPT):
        lacking = [name for name in ("encode", "decode", "token_bytes", "digest") if not hasattr(tokenizer, name)]
        if lacking:
            raise UserError("the tokenizer of a GPT is one of reference_impl.text", place=PLACE)
        return tokenizer
    if not isinstance(model, PreTrainedModel) or not model.can_generate():
        raise UserError(
            f"a {shown(type(model).__name__)} is neither a causal language model of transformers nor a GPT: wrap it in "
            "what keeps harness.models.contract.LanguageModel",
            place=PLACE,
        )
    refuse_other_kinds(model.config, name_of(given))
    if getattr(model, "is_quantized", False):
        raise UserError("it came quantized; name its folder or hub id, where how is written", place=PLACE)
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UserError(f"a {shown(type(tokenizer).__name__)} is no tokenizer of transformers", place=PLACE)
    return TransformersTokenizer(tokenizer)


def precision_of(module: nn.Module) -> Precision:
    """The type of all its weights. Raises UserError where there are several, and for one that has no name here."""
    types = {one.dtype for one in module.parameters()}
    places = {str(one.device) for one in module.parameters()}
    if len(places) > 1:
        raise UserError(
            f"its weights are on several devices ({', '.join(sorted(places))}); move it to one", place=PLACE
        )
    if len(types) != 1 or not types <= PRECISIONS.keys():
        names = ", ".join(sorted(str(one).removeprefix("torch.") for one in types)) or "none"
        raise UserError(f"its weights are {names}; give a model that is all fp32, bf16 or fp16", place=PLACE)
    return PRECISIONS[types.pop()]


def digest_of(module: nn.Module, tokenizer: str) -> str:
    """sha256 over its class, its configuration, every stored tensor (name, type, shape, bytes) and its tokenizer's
    digest."""
    config: Any = module.config
    written = config.to_json_string(use_diff=False) if hasattr(config, "to_json_string") else repr(config)
    kind = type(module)
    found = hashlib.sha256(f"{kind.__module__}.{kind.__qualname__}\n{written}\n{tokenizer}\n".encode())
    for name, tensor in sorted(module.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


def _bytes(tensor: Any) -> memoryview:
    return memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
