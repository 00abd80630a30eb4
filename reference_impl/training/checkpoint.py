"""A checkpoint is a folder that proves itself: weights, shape, tokenizer, how it was trained, and their hashes.

    model.safetensors   weights (a tied head is stored once)
    config.json         GPTConfig
    tokenizer.json      ByteBPE, in the `tokenizers` library's format, or Characters in its own
    chat.json           ChatTemplate that it was taught conversations with; absent if it was taught none
    training.json       TrainingResult with settings and loss curve; absent if the model was not trained here
    checkpoint.json     format, version, and SHA-256 and size of each of the files above

No pickle. The folder appears under its name when it is whole, or not at all. Unknown files in
`checkpoint.json` are checked and otherwise left alone. The state of a run that is still going is another
file (`state_file.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors.torch import save_model

from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from reference_impl.text.any_tokenizer import Tokenizer, load_tokenizer
from reference_impl.text.chat_template import ChatTemplate
from reference_impl.training.checkpoint_folder import (
    CHAT,
    CONFIG,
    MODEL,
    TOKENIZER,
    TRAINING,
    CorruptCheckpoint,
    digest_of,
    short,
    verified,
    write_folder,
)
from reference_impl.training.checkpoint_weights import check_sizes, load_weights
from reference_impl.training.result import TrainingResult

_CONFIG = TypeAdapter(GPTConfig)
_TRAINING = TypeAdapter(TrainingResult)


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint."""

    model: GPT
    """On the CPU, in fp32 and evaluation mode."""
    tokenizer: Tokenizer
    config: GPTConfig
    training: TrainingResult | None
    digest: str
    """SHA-256 over the hashes of weights, shape, tokenizer and chat template: the same for the same model, however
    trained."""
    chat_template: ChatTemplate | None = None
    """How it was taught conversations; None where it was taught none."""


def save_checkpoint(
    folder: str | os.PathLike[str],
    model: GPT,
    tokenizer: Tokenizer,
    training: TrainingResult | None = None,
    chat_template: ChatTemplate | None = None,
) -> None:
    """Writes `folder` whole or not at all; a checkpoint that is there already is replaced.

    Raises FileExistsError if `folder` is something else than a checkpoint, ValueError if the tokenizer has
    ids that the model hasn't, and OSError if the disk is full.
    """
    folder = Path(folder)
    if tokenizer.size > model.config.vocabulary:
        raise ValueError(
            f"a tokenizer of {tokenizer.size} tokens doesn't fit a vocabulary of {model.config.vocabulary}."
        )

    def write(new: Path) -> None:
        write_model(new, model, tokenizer, chat_template)
        if training is not None:
            (new / TRAINING).write_bytes(_TRAINING.dump_json(training, indent=2))

    write_folder(folder, write)


def write_model(new: Path, model: GPT, tokenizer: Tokenizer, chat_template: ChatTemplate | None) -> None:
    """Write the files of a checkpoint that say what a model computes into a new folder: see `write_folder`."""
    save_model(model, str(new / MODEL))
    write_config(new, model.config)
    tokenizer.save(new / TOKENIZER)
    if chat_template is not None:
        (new / CHAT).write_text(chat_template.to_json(), encoding="utf-8")


def load_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """Reads a checkpoint after checking every file against its hash.

    Raises CorruptCheckpoint where something is missing, cut off, changed, or of another version.
    """
    folder = Path(folder)
    manifest = verified(folder, MODEL, CONFIG, TOKENIZER)
    config = read_config(folder)
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER)
    except ValueError as error:
        raise CorruptCheckpoint(folder / TOKENIZER, "not a tokenizer") from error
    check_sizes(config, folder)
    with torch.device("meta"):
        model = GPT(config).eval()
    load_weights(model, folder)
    if other := next((name for name, tensor in model.state_dict().items() if tensor.dtype != torch.float32), None):
        raise CorruptCheckpoint(folder / MODEL, f"{other} is not in fp32, as weights are written here")
    training = None
    if TRAINING in manifest.files:
        try:
            training = _TRAINING.validate_json((folder / TRAINING).read_bytes())
        except ValueError as error:
            raise CorruptCheckpoint(folder / TRAINING, f"not a training result ({short(error)})") from error
    chat_template = read_chat_template(folder) if CHAT in manifest.files else None
    return Checkpoint(model, tokenizer, config, training, digest_of(manifest), chat_template)


def write_config(folder: Path, config: GPTConfig) -> None:
    """Write the shape."""
    (folder / CONFIG).write_bytes(_CONFIG.dump_json(config, indent=2))


def read_config(folder: Path) -> GPTConfig:
    """The shape. Raises CorruptCheckpoint."""
    try:
        return _CONFIG.validate_json((folder / CONFIG).read_bytes())
    except ValueError as error:
        raise CorruptCheckpoint(folder / CONFIG, f"not a GPTConfig ({short(error)})") from error


def read_chat_template(folder: Path) -> ChatTemplate | None:
    """How the model of a folder was taught conversations; None where it was taught none. Raises CorruptCheckpoint."""
    if not (folder / CHAT).is_file():
        return None
    try:
        return ChatTemplate.from_json((folder / CHAT).read_bytes())
    except ValueError as error:
        raise CorruptCheckpoint(folder / CHAT, str(error)) from error
