"""A corpus as something to train on: its train part and its validation part, which share no document."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from harness import corpora

HELD_OUT = 20
"""One part in so many of a text without splits of its own is held out for validation: the last one."""


def training_texts(corpus: str) -> tuple[str, ...]:
    """The texts that make up a corpus: its two splits where it has them, else the text itself."""
    if corpus == "microworld" or (corpus.startswith("asset:") and "/" not in corpus):
        return (f"{corpus}/train", f"{corpus}/validation")
    return (corpus,)


def training_documents(corpus: str) -> tuple[list[str], list[str]]:
    """(train, validation) documents. Of a text without splits the last twentieth of its documents is held out, or,
    where it has fewer than twenty, the last twentieth of its last document's characters."""
    texts = training_texts(corpus)
    if len(texts) == 2:
        return corpora.documents(texts[0]), corpora.documents(texts[1])
    documents = corpora.documents(corpus)
    held_out = len(documents) // HELD_OUT
    if held_out:
        return documents[:-held_out], documents[-held_out:]
    last = documents[-1]
    cut = len(last) - max(len(last) // HELD_OUT, 1)
    return [*documents[:-1], last[:cut]], [last[cut:]]


def training_digest(corpus: str) -> str:
    """Hash of everything that training on the corpus reads. Fetches nothing."""
    return hashlib.sha256("\n".join(corpora.digest(text) for text in training_texts(corpus)).encode()).hexdigest()


def ensure_training(corpus: str, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Bring the corpus into reach."""
    for text in training_texts(corpus):
        corpora.ensure(text, on_progress)
