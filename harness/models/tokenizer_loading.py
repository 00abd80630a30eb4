"""Open the tokenizer of a folder or of a hub id, found to be one whose numbers are the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.models.auto.tokenization_auto import get_tokenizer_config

from harness.errors import UserError
from harness.models.bounded_files import refuse_odd_entries, settings
from harness.models.code_choices import paths_in
from harness.models.contract import ModelSource
from harness.models.transformers_failures import first_line
from harness.models.transformers_tokenizer import TransformersTokenizer

MOST_HOLES = 1 << 20
"""Ids without a token that a tokenizer may have: what lists tokens goes through them all."""


def open_tokenizer(source: ModelSource) -> TransformersTokenizer:
    """The tokenizer of a folder or of a hub id. Raises UserError where it can't be loaded."""
    paths = paths_in(_tokenizer_settings(source), source.path)
    try:
        opened = AutoTokenizer.from_pretrained(
            source.path, revision=source.revision or "main", trust_remote_code=source.trust_remote_code, **paths
        )
        return _fit_tokenizer(opened, source.path)
    except UserError:
        raise
    except BaseException as error:  # the library raises whatever its parsers raise, panics of Rust among them
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        none = "instantiate the backend tokenizer" in str(error)
        why = "there is none" if none else first_line(error)
        raise UserError(
            f"the tokenizer can't be loaded ({why}): put its files (tokenizer.json, tokenizer_config.json) beside the "
            "weights",
            place=source.path,
        ) from error


def _fit_tokenizer(opened: Any, place: str) -> TransformersTokenizer:
    """The tokenizer, found to be one whose numbers are the same each time. Raises UserError, and whatever it raises."""
    if not isinstance(opened, PreTrainedTokenizerBase):
        raise TypeError(f"its class {type(opened).__name__} is no tokenizer")
    if getattr(getattr(getattr(opened, "backend_tokenizer", None), "model", None), "dropout", None):
        raise UserError(
            "the tokenizer drops merges at random, so that numbers would be others each time: set `dropout` in "
            "tokenizer.json to null",
            place=place,
        )
    found = TransformersTokenizer(opened)
    if found.size > MOST_HOLES + 2 * len(opened.get_vocab()):
        raise UserError(
            f"the tokenizer gives ids up to {found.size - 1:,} to {len(opened.get_vocab()):,} tokens: is this the "
            "model's own tokenizer? Put that beside the weights",
            place=place,
        )
    found.prefix  # noqa: B018 - that it can read a text at all
    return found


def _tokenizer_settings(source: ModelSource) -> dict[str, Any]:
    """`tokenizer_config.json`; nothing where there is none."""
    folder = Path(source.path).expanduser()
    if folder.is_dir():
        refuse_odd_entries(folder)
        file = folder / "tokenizer_config.json"
        return settings(file) if file.exists() else {}
    try:
        found = get_tokenizer_config(source.path, revision=source.revision or "main")
    except Exception:  # what can't be reached is told when the tokenizer is asked for
        return {}
    return found if isinstance(found, dict) else {}
