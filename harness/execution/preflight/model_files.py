"""Whether a model's folder is a whole checkpoint with a tokenizer, of an architecture that is known: its configuration
and the headers of its weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError, shown
from harness.execution.plan import Plan, PlannedCell
from harness.execution.preflight.check import Impossible
from harness.execution.resolve import path_of_model
from harness.models.bounded_files import settings_or_nothing
from harness.models.checkpoint_files import read_checkpoint
from harness.models.known_architectures import why_unknown
from harness.models.stated_shapes import refuse_stated_shapes
from harness.models.weight_header import read_header

TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt"),
    *("vocab.bpe", "merges.txt", "tekken.json", "*.tiktoken", "*.model", "tokenization*.py"),
)
"""Files that hold a tokenizer, any of them: libraries look for these names."""
_END = 1_000
"""Bytes at a file's end that are looked at."""
OWN = ("model.safetensors", "config.json", "tokenizer.json")
"""Of a checkpoint of the reference."""


def check_model_files(plan: Plan, items: Sequence[PlannedCell]) -> Iterator[Impossible]:
    """Folders that are there and can't be opened: the cells of their models fail."""
    of_model: dict[str, list[PlannedCell]] = {}
    for item in items:
        if item.resolved.training is None and item.resolved.asset is None:
            of_model.setdefault(item.cell.model, []).append(item)
    for name, cells in of_model.items():
        why = _why_not(cells[0].source.kind, Path(cells[0].source.path))
        if why is not None:
            yield Impossible(path_of_model(name, plan.suite.models[name]), why, tuple(cells))


def _why_not(kind: str, folder: Path) -> str | None:
    if not folder.is_dir():  # of the hub, or of a plugin
        return None
    if kind == "reference":
        if missing := [file for file in OWN if not (folder / file).is_file()]:
            return f"{folder}: this checkpoint has no {missing[0]}: copy the whole folder"
        try:
            tensors = read_header(folder / OWN[0])
            refuse_stated_shapes(settings_or_nothing(folder / OWN[1]), tensors, str(folder))
        except UserError as error:
            return str(error)
        return None
    if kind not in ("transformers", "converted"):
        return None
    try:
        files = read_checkpoint(folder)
    except UserError as error:
        return str(error)
    if (unknown := why_unknown(files.config)) is not None:
        return f"{folder}: {unknown}"
    if (other := _another_kind(files.config)) is not None:
        return f"{folder}: {other}, not a causal language model: give a decoder-only model"
    try:
        refuse_stated_shapes(files.config, files.tensors, str(folder))
    except UserError as error:
        return str(error)
    if _is_cut(folder / "tokenizer.json"):
        return f"{folder / 'tokenizer.json'}: this file is empty or cut off: copy it again"
    if not any(any(folder.glob(name)) for name in TOKENIZERS) and not _made_by_code(folder):
        return (
            f"{folder}: there is no tokenizer in this folder: put its files (tokenizer.json, tokenizer_config.json) "
            "beside the weights"
        )
    return None


def _another_kind(config: Mapping[str, Any]) -> str | None:
    """What a model is whose configuration plainly says that it is no causal one; `models/causality.py` knows more."""
    if config.get("is_encoder_decoder") is True:
        return f"this is an encoder-decoder ({shown(config.get('model_type'))})"
    listed = config.get("architectures")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    if names and all(name.endswith("ForMaskedLM") for name in names) and config.get("is_decoder") is not True:
        return f"this is an encoder ({shown(names[0])})"
    return None


def _is_cut(file: Path) -> bool:
    """Whether a file of JSON that should hold an object doesn't end as one."""
    try:
        with file.open("rb") as opened:
            opened.seek(-min(file.stat().st_size, _END), os.SEEK_END)
            return not opened.read().rstrip().endswith(b"}")
    except OSError:
        return False


def _made_by_code(folder: Path) -> bool:
    """Whether the tokenizer has no files: code makes it, or its class alone (of bytes) is all of it."""
    written = settings_or_nothing(folder / "tokenizer_config.json")
    return bool(written.get("auto_map")) or written.get("tokenizer_class") in ("ByT5Tokenizer", "CanineTokenizer")
