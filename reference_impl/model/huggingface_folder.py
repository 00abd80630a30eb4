"""A folder in `transformers`' layout (config.json and safetensors), read as ours: GPT-2 and Llama.

Tensors are read one by one, each from a mapping of its own that is gone when the tensor is: what has been read and
stored in fewer bits no longer counts as this process' memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.model.huggingface import config_from_huggingface, tensors_from_huggingface
from reference_impl.model.huggingface_llama import config_from_llama, tensors_from_llama

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class HuggingFaceFolder:
    """A model to be read."""

    path: Path
    config: GPTConfig
    read_all: Callable[[Callable[[str], Tensor], GPTConfig], Iterator[tuple[str, Tensor]]]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Our names and tensors, a block after the other. Raises ValueError where one is missing or damaged, and where
        the files hold tensors that a model of this shape has no place for."""
        files = _files(self.path)
        left = set(files)
        read = _reader(self.path, files)

        def noted(name: str) -> Tensor:
            left.difference_update((name, name.removeprefix("transformer.")))
            return read(name)

        try:
            yield from self.read_all(noted, self.config)
        except RuntimeError as error:  # a tensor of another shape, which can't be cut into heads
            raise ValueError(f"{self.path}: its weights don't fit its config.json ({str(error)[:300]}).") from error
        if HEAD in left and self.config.tie_head:
            left.discard(HEAD)
            embedding = next(name for name in files if name.endswith(EMBEDDINGS))
            if not torch.equal(read(HEAD), read(embedding)):
                raise ValueError(f"{self.path}: config.json ties {HEAD} to {embedding}, and they differ in the files.")
        strange = sorted(name for name in left if not re.search(NO_WEIGHTS, name))
        if strange:
            raise ValueError(
                f"{self.path}: a model of this shape has no place for {len(strange)} tensors of the files, such as "
                f"{strange[0]}: is config.json that of this checkpoint?"
            )

    def trainable(self) -> GPT:
        """The model in fp32 with memory of its own, all of whose weights learn. In training mode.

        Raises ValueError where a tensor is missing, damaged, of another shape or holds values that aren't finite.
        """
        with torch.device("meta"):
            gpt = GPT(self.config)
        state = {}
        for name, tensor in self.tensors():
            state[name] = tensor.to(torch.float32, copy=True).contiguous()
            if not bool(state[name].isfinite().all()):
                raise ValueError(f"{self.path}: {name} holds values that aren't finite numbers; copy the model again.")
        try:
            gpt.load_state_dict(state, strict=not self.config.tie_head, assign=True)
        except RuntimeError as error:
            raise ValueError(f"{self.path}: its weights don't fit its config.json ({str(error)[:300]}).") from error
        if self.config.tie_head:
            gpt.head.weight = gpt.token_embedding.weight
        return gpt


def open_folder(path: Path) -> HuggingFaceFolder:
    """Read the shape. Raises ValueError where it is not a GPT-2 or a Llama that our model computes."""
    from transformers import GPT2Config, LlamaConfig

    try:
        told = json.loads((path / "config.json").read_bytes())
        kind = told["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path / 'config.json'}: no config of transformers; give a folder with one.") from error
    try:
        if kind == "gpt2":
            return HuggingFaceFolder(path, config_from_huggingface(GPT2Config(**told)), tensors_from_huggingface)
        if kind == "llama":
            return HuggingFaceFolder(path, config_from_llama(LlamaConfig(**told)), tensors_from_llama)
    except ValueError:
        raise
    except Exception as error:  # whatever the classes of transformers raise at values that can't be
        raise ValueError(
            f"{path / 'config.json'}: it describes no {kind} ({str(error)[:300]}); copy the model again."
        ) from error
    raise ValueError(f"{path}: the reference GPT reads gpt2 and llama, not {kind!r}; open it with transformers.")


HEAD, EMBEDDINGS = "lm_head.weight", ("wte.weight", "embed_tokens.weight")
NO_WEIGHTS = r"attn\.(masked_)?bias$|rotary_emb\.inv_freq$|position_ids$"
"""Masks and tables that older files hold."""


def _files(path: Path) -> dict[str, Path]:
    if (path / INDEX).is_file() and not (path / WEIGHTS).is_file():
        try:
            places = dict(json.loads((path / INDEX).read_bytes())["weight_map"])
            outside = [file for file in places.values() if Path(file).name != file]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"{path / INDEX}: no index of weights; copy the model again.") from error
        if outside:
            raise ValueError(f"{path / INDEX}: it names {outside[0]!r}, which is not a file of its folder.")
        return {name: path / file for name, file in places.items()}
    try:
        with safe_open(path / WEIGHTS, "pt") as opened:
            return dict.fromkeys(opened.keys(), path / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path / WEIGHTS}: can't be read ({error}); copy the model again.") from error


def _reader(path: Path, files: dict[str, Path]) -> Callable[[str], Tensor]:

    def read(name: str) -> Tensor:
        known = name if name in files else name.removeprefix("transformer.")  # OpenAI's GPT-2 files lack it
        if known not in files:
            raise ValueError(f"{path}: the weight {name} is missing; copy the whole model.")
        try:
            with safe_open(files[known], "pt") as opened:
                return opened.get_tensor(known)  # type: ignore[no-any-return]
        except (OSError, SafetensorError) as error:
            raise ValueError(f"{files[known]}: can't be read ({error}); copy the model again.") from error

    return read
