"""Which token ids a model has: asked in one place, before any of them is read.

A tokenizer may know tokens that the model has no row of its embedding for, such as added ones: a table that is read
beyond its end raises on a CPU, stops the process on a GPU, and in compiled code reads other memory. Ids between the
tokenizer's last one and the last row, where the embedding is padded, are the model's like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from harness.errors import UserError
from harness.models.contract import ModelIdentity, Tokenizer


class Reads(Protocol):
    """Who reads text: a model, of which only what is known about its text is needed."""

    @property
    def identity(self) -> ModelIdentity:
        """What is settled about it."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""


def check_ids(model: Reads, ids: Sequence[int], document: int, source: str) -> None:
    """UserError where a document of `source` has a token that the model hasn't."""
    if (why := why_unknown(model, ids)) is not None:
        raise UserError(f"document {document}: {why}", place=source)


def why_unknown(model: Reads, ids: Sequence[int]) -> str | None:
    """A clause with the first of these ids that the model hasn't, and the fix; None where it has them all."""
    wrong = unknown_id(ids, model.identity.vocabulary)
    return None if wrong is None else told(wrong, model.identity, spelled(model.tokenizer, wrong))


def unknown_id(ids: Sequence[int], vocabulary: int) -> int | None:
    """The first id that is none of 0 to vocabulary - 1."""
    if len(ids) == 0 or (min(ids) >= 0 and max(ids) < vocabulary):
        return None
    return next((int(token) for token in ids if not 0 <= token < vocabulary), None)


def told(wrong: int, identity: ModelIdentity, text: str | None = None) -> str:
    """What is wrong with an id, and the fix."""
    written = f" ({text!r})" if text else ""
    return (
        f"token id {wrong}{written} is not one of the model's, which are 0 to {identity.vocabulary - 1}: use the "
        f"tokenizer that {identity.name} was trained with, or give the model rows for added tokens "
        "(`resize_token_embeddings`) and train them"
    )


def spelled(tokenizer: Tokenizer, token: int) -> str | None:
    """The text of a token; None where the tokenizer has none for it."""
    try:
        return tokenizer.decode([token]) or None
    except Exception:  # an id that the tokenizer hasn't either: each says so in its own way
        return None
