"""The documents of a text as a model reads them: which of them, how much of each, and as which tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.errors import Unsupported
from harness.measures.evenly_spaced import evenly_spaced
from harness.models.token_ids import Reads


@dataclass(frozen=True)
class TextDocument:
    """A document as one model reads it."""

    number: int
    """Its place in the text."""
    text: str
    """After cutting."""
    encoded: tuple[int, ...]
    """Its tokens, nothing added; it may spell what stands before documents itself."""
    before: tuple[int, ...]
    """What stands before every document: mostly BOS or nothing."""
    ids: tuple[int, ...]
    """What is read: what stands before it, once, and its own tokens."""

    @property
    def own(self) -> tuple[int, ...]:
        """What is read without what stands before it."""
        return self.ids[len(self.before) :]

    @property
    def text_digest(self) -> str:
        """Hash of the text, by which runs are paired under any tokenizer."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def ids_digest(self) -> str:
        """Hash of the tokens that are read."""
        return ids_digest(self.ids)


def ids_digest(ids: Sequence[int]) -> str:
    """Hash of tokens, by which it is told whether two models read the same."""
    return hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).hexdigest()[:16]


def text_documents(
    model: Reads, source: str, before: tuple[int, ...], *, count: int | None = None, size: int | None = None
) -> Iterator[TextDocument]:
    """The documents of the text that `source` names, encoded one after the other.

    before: see `before_documents`. count: so many, evenly spaced; all without. size: each is cut after so many bytes.
    """
    from harness.corpora import documents
    from harness.scoring.document_encoder import with_prefix

    for number, whole in evenly_spaced(list(enumerate(documents(source))), count):
        text = whole if size is None else cut(whole, size)
        encoded = tuple(model.tokenizer.encode(text))
        yield TextDocument(number, text, encoded, before, with_prefix(before, encoded))


def before_documents(model: Reads, rule: Literal["auto", "add", "none"] = "auto") -> tuple[int, ...]:
    """The ids that come before each document: what the tokenizer puts first, mostly BOS or nothing."""
    prefix, bos = model.identity.prefix, model.tokenizer.bos_id
    if rule == "none":
        return ()
    if prefix or rule == "auto":
        return prefix
    if bos is None:
        raise Unsupported("this model's tokenizer has no BOS token: use `bos: none` or `bos: auto`")
    return (bos,)


def unscored_bytes(model: Reads, document: TextDocument) -> int:
    """Bytes of the first token, which nothing predicts where nothing stands before the document."""
    if document.before or not document.ids:
        return 0
    return model.tokenizer.token_bytes(list(document.ids[:1]))[0]


def cut(text: str, size: int) -> str:
    """The longest beginning of `text` that has at most `size` bytes in UTF-8 and ends between two characters."""
    return text.encode()[:size].decode(errors="ignore")
