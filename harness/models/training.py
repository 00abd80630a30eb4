"""Training a reference model for a suite: the request as data, and its execution in a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cache import cache_folder
from harness.file_digest import file_sha256

if TYPE_CHECKING:
    from reference_impl.text.packing import Tokens
    from reference_impl.text.tokenizer import ByteBPE

TOKENIZER_BYTES = 2_000_000
"""The tokenizer is trained on so much of the corpus, from its beginning: more text does not make shorter streams."""
VALIDATIONS = 2
"""Full passes over the validation text: half-way and at the end."""


@dataclass(frozen=True)
class Training:
    """Everything that determines a trained reference model, beside the code and the corpus' bytes."""

    preset: str
    corpus: str
    tokens: int
    vocabulary: int
    context: int
    batch: int | None
    learning_rate: float | None
    seed: int


def train(training: Training, folder: Path, on_step: Callable[[float, str], None]) -> dict[str, Any]:
    """Train the model and save its checkpoint in `folder`; returns the summary that the manifest keeps.

    The tokenizer is trained on the corpus' train part; it and the encoded corpus are cached for the next size.
    `on_step` hears the share done and the last loss.
    """
    import torch

    from reference_impl.model.gpt import GPT
    from reference_impl.model.presets import preset
    from reference_impl.training.checkpoint import save_checkpoint
    from reference_impl.training.loop import train as train_gpt
    from reference_impl.training.result import Progress
    from reference_impl.training.settings import TrainingSettings

    on_step(0.0, "reading the corpus")
    tokenizer, train_tokens, validation_tokens, validation_bytes = _encoded(training)
    chosen = {name: value for name in ("batch", "learning_rate") if (value := getattr(training, name)) is not None}
    settings = TrainingSettings(tokens=training.tokens, seed=training.seed, validations=VALIDATIONS, **chosen)
    torch.manual_seed(training.seed)
    model = GPT(preset(training.preset, vocabulary=tokenizer.size, context=training.context))

    def told(progress: Progress) -> None:
        rate = f"{progress.tokens_per_second:,.0f} tokens/s"
        on_step(progress.step / progress.steps, f"loss {progress.loss:.3f} nats/token, {rate}")

    result = train_gpt(model, train_tokens, validation_tokens, settings, told, validation_bytes=validation_bytes)
    save_checkpoint(folder, model, tokenizer, training=result)
    return trained_summary(folder)


def trained_summary(folder: Path) -> dict[str, Any]:
    """How a checkpoint was trained, as its folder says; empty where it does not say."""
    path = folder / "training.json"
    if not path.is_file():
        return {}
    try:
        return _summary(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # it says nothing that can be read; the weights are checked when they are opened


def _summary(told: dict[str, Any]) -> dict[str, Any]:
    kept = ("parameters", "tokens", "epochs", "seconds", "validation_loss", "bits_per_byte", "skipped_steps")
    summary = {name: told[name] for name in kept if told.get(name) is not None}
    bits = f", {told['bits_per_byte']:.3f} bits/byte" if told.get("bits_per_byte") is not None else ""
    text = (
        f"{told['parameters']:,} parameters, {told['tokens']:,} tokens in {told['seconds']:.0f} s, "
        f"validation {told['validation_loss']:.3f} nats/token{bits}"
    )
    return summary | {"settings": told["settings"], "text": text}


def _encoded(training: Training) -> tuple[ByteBPE, Tokens, Tokens, int]:
    """Tokenizer, train tokens, validation tokens and the bytes of the validation text: cached by what makes them."""
    from harness.corpora.training import training_digest
    from reference_impl.text import packing, tokenizer

    code = "".join(file_sha256(Path(str(name))) for name in (__file__, packing.__file__, tokenizer.__file__))
    made_of = f"{training_digest(training.corpus)} {training.vocabulary} {code}"
    folder = cache_folder("tokens", hashlib.sha256(made_of.encode()).hexdigest()[:24])
    try:
        return _read_encoded(folder)
    except (OSError, ValueError, KeyError, TypeError):  # not there yet, or damaged: make it (again)
        _write_encoded(training, folder)
        return _read_encoded(folder)


def _read_encoded(folder: Path) -> tuple[ByteBPE, Tokens, Tokens, int]:
    from reference_impl.text.shards import open_shard
    from reference_impl.text.tokenizer import ByteBPE

    validation_bytes = int(json.loads((folder / "facts.json").read_bytes())["validation_bytes"])
    tokenizer = ByteBPE.load(folder / "tokenizer.json")
    train_tokens = open_shard(folder / "train.bin", tokenizer.digest)
    return tokenizer, train_tokens, open_shard(folder / "validation.bin", tokenizer.digest), validation_bytes


def _write_encoded(training: Training, folder: Path) -> None:
    from harness.corpora.training import training_documents
    from reference_impl.text.packing import packed
    from reference_impl.text.shards import write_shard
    from reference_impl.text.tokenizer import ByteBPE

    train_documents, validation_documents = training_documents(training.corpus)
    made = ByteBPE.train(_beginning(train_documents, TOKENIZER_BYTES), training.vocabulary)
    made.save(folder / "tokenizer.json")
    for name, documents in (("train", train_documents), ("validation", validation_documents)):
        stream = packed(made, documents)
        write_shard(folder / f"{name}.bin", stream, vocabulary=made.size, tokenizer_digest=made.digest)
    size = sum(len(document.encode()) for document in validation_documents)
    (folder / "facts.json").write_text(json.dumps({"validation_bytes": size}))  # last: with it the folder is whole


def _beginning(documents: list[str], size: int) -> list[str]:
    """The first documents, up to `size` bytes of UTF-8 and one document more."""
    taken: list[str] = []
    for document in documents:
        if size <= 0:
            break
        taken.append(document)
        size -= len(document.encode())
    return taken
