"""A kept model, opened to be trained by a stage of alignment, and kept again afterwards.

Two kinds of folder are opened: a checkpoint of our GPT, and a `transformers` folder, whose model is trained whole or
with LoRA. What is kept is a model of the same kind, an adapter merged into it, so that whatever reads the one reads the
other.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from reference_impl.alignment.data.own_text import OwnText
from reference_impl.alignment.data.text_ids import SpokenText
from reference_impl.alignment.gpt_policy import GPTPolicy
from reference_impl.alignment.policy import Policy
from reference_impl.alignment.reference_policy import AdapterOff, FrozenCopy
from reference_impl.alignment.reward_model import RewardModel
from reference_impl.alignment.rollout import DrawingPolicy
from reference_impl.alignment.settings.lora import LoRA
from reference_impl.alignment.settings.reward import REWARD_HEAD
from reference_impl.alignment.stages.start_folder import base_folder, is_adapter, merged, model_folder
from reference_impl.alignment.value_head import RewardHead
from reference_impl.text.chat_template import PLAIN_TURNS
from reference_impl.training.checkpoint import load_checkpoint, write_model
from reference_impl.training.checkpoint_folder import MANIFEST, verified, write_folder


@dataclass(frozen=True)
class Learner:
    """A policy with what makes text of its tokens."""

    policy: DrawingPolicy
    text: SpokenText
    eos: int
    """Ends a response."""
    tokenizer: str
    """Digest of what its tokens mean."""
    start: str
    """Digest of the weights that it starts from."""
    context: int
    """Longest prompt with its response, in tokens."""
    write: Callable[[Path], None] = field(repr=False)
    """Writes the model's own files, with the weights of that moment, into an empty folder."""
    folder: Path
    """Where it came from."""
    lora: LoRA | None = None
    """The adapter that alone learns."""
    merged_adapter: Path | None = None
    """An adapter that was merged into the weights of `folder` before it began."""

    @property
    def device(self) -> torch.device:
        """Where it learns."""
        return next(self.policy.module.parameters()).device

    def reference(self) -> Policy:
        """The policy as it is now, frozen."""
        model: Any = self.policy
        return AdapterOff(model) if hasattr(model.module, "disable_adapter") else FrozenCopy(self.policy)

    def copy(self) -> Policy:
        """A second policy of the same weights, which shares none and learns by itself."""
        return copy.deepcopy(self.policy)


def open_learner(folder: Path, lora: LoRA | None = None, device: torch.device | str = "cpu") -> Learner:
    """The model of a folder, on a device. lora: only an adapter of a `transformers` model learns.

    folder: also a hub id of the local cache, and a folder of `peft`, whose adapter is merged into its base.
    Raises CorruptCheckpoint and ValueError for a folder that can't be trained from.
    """
    folder = model_folder(folder)
    if is_adapter(folder):
        return merged_learner(base_folder(folder), folder, lora, device)
    if (folder / "tokenizer_config.json").is_file():
        return _of_transformers(folder, lora, device)
    if (folder / MANIFEST).is_file():
        if lora is not None:
            raise ValueError("LoRA is for `transformers` models; a GPT of ours is trained whole: leave `lora` out.")
        return _of_ours(folder, device)
    raise ValueError(f"{folder} is neither a checkpoint of ours nor a `transformers` folder with its tokenizer.")


def merged_learner(base: Path, adapter: Path, lora: LoRA | None = None, device: torch.device | str = "cpu") -> Learner:
    """The `transformers` model of a folder with an adapter of `peft` merged into it. Raises ValueError where it doesn't
    fit."""
    return _of_transformers(base, lora, device, adapter=adapter)


def open_reward_model(folder: Path, device: torch.device | str = "cpu") -> RewardModel:
    """The reward model that a stage kept. Raises ValueError where the folder has none."""
    from safetensors.torch import load_file

    if not (folder / REWARD_HEAD).is_file():
        raise ValueError(f"{folder} is no reward model: it has no {REWARD_HEAD}. Train one with the method `reward`.")
    verified(folder, REWARD_HEAD)
    learner = open_learner(folder, device=device)
    tensors = load_file(folder / REWARD_HEAD)
    head = RewardHead(tensors["weight"].size(1))
    head.load_state_dict(tensors)
    learner.policy.module.requires_grad_(False)
    return RewardModel(learner.policy, head.to(device), learner.tokenizer)


def write_reward_head(folder: Path, head: RewardHead) -> None:
    """Beside its trunk."""
    save_file({name: tensor.detach().contiguous() for name, tensor in head.state_dict().items()}, folder / REWARD_HEAD)


def _of_ours(folder: Path, device: torch.device | str) -> Learner:
    found = load_checkpoint(folder)
    tokenizer, model = found.tokenizer, found.model.to(device)
    template = found.chat_template or PLAIN_TURNS
    text = OwnText(tokenizer, template)
    assert tokenizer.eos_id is not None  # `OwnText` refuses a tokenizer without

    def write(new: Path) -> None:
        write_model(new, model, tokenizer, template)

    return Learner(
        policy=GPTPolicy(model, tokenizer.size),
        text=text,
        eos=tokenizer.eos_id,
        tokenizer=tokenizer.digest,
        start=found.digest,
        context=model.config.context,
        write=write,
        folder=folder,
    )


def _of_transformers(
    folder: Path, lora: LoRA | None, device: torch.device | str, *, adapter: Path | None = None
) -> Learner:
    import hashlib

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from reference_impl.alignment.data.transformers_text import TransformersText
    from reference_impl.alignment.lora import add_lora
    from reference_impl.alignment.transformers_policy import TransformersPolicy
    from reference_impl.training.weights_digest import weights_digest

    has_tokenizer = adapter is not None and (adapter / "tokenizer_config.json").is_file()
    tokenizer: Any = AutoTokenizer.from_pretrained(adapter if has_tokenizer else folder, local_files_only=True)
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer of {folder} has no EOS token, so a response can't end: give it one.")
    # Not the bytes of a file: `save_pretrained` writes other ones for the same tokenizer.
    meaning = sorted((place, token) for token, place in tokenizer.get_vocab().items())
    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    if adapter is not None:
        model = merged(model, adapter)
    start = weights_digest(dict(model.named_parameters()))
    model.to(device).requires_grad_(True)
    trained: Any = model if lora is None else add_lora(model, lora)
    policy = TransformersPolicy(trained, min(len(tokenizer), len(model.get_output_embeddings().weight)))

    def write(new: Path) -> None:
        whole = model if lora is None else copy.deepcopy(trained).merge_and_unload()
        whole.save_pretrained(new)
        tokenizer.save_pretrained(new)
        if lora is not None and adapter is None:  # of a base that is a folder
            write_folder(new / "adapter", save_adapter)

    def save_adapter(new: Path) -> None:
        for one in trained.peft_config.values():  # wherever it is read from
            one.base_model_name_or_path = str(folder.resolve())
        trained.save_pretrained(new, save_embedding_layers=False)
        tokenizer.save_pretrained(new)

    return Learner(
        policy=policy,
        text=TransformersText(tokenizer),
        eos=int(tokenizer.eos_token_id),
        tokenizer=hashlib.sha256(json.dumps(meaning, allow_nan=False).encode()).hexdigest(),
        start=start,
        context=policy.context or 2048,
        write=write,
        folder=folder,
        lora=lora,
        merged_adapter=adapter,
    )
