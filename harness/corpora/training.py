"""A corpus as something to train on: its train part and its validation part, which share no document."""

from __future__ import annotations

import hashlib

from harness import corpora
from harness.corpora import microworld

HELD_OUT = 0.05
"""Part of a text without splits of its own that is held out for validation, where nothing else is said: the end."""


def training_texts(corpus: str) -> tuple[str, ...]:
    """The texts that make up a corpus: its two splits where it has them, else the text itself."""
    if corpus in microworld.NAMES or (corpus.startswith("asset:") and "/" not in corpus):
        return (f"{corpus}/train", f"{corpus}/validation")
    return (corpus,)


def training_documents(corpus: str, held_out: float = HELD_OUT) -> tuple[list[str], list[str]]:
    """(train, validation) documents. Of a text without splits the last documents are held out, or, where it has too
    few of them for one whole, the end of its last document: its train part has floor((1 - held_out) · n) characters."""
    texts = training_texts(corpus)
    if len(texts) == 2:
        return corpora.documents(texts[0]), corpora.documents(texts[1])
    documents = corpora.documents(corpus)
    kept = _kept(len(documents), held_out)
    if len(documents) * held_out >= 1:
        return documents[:kept], documents[kept:]
    last = documents[-1]
    cut = _kept(len(last), held_out)
    return [*documents[:-1], last[:cut]], [last[cut:]]


def _kept(size: int, held_out: float) -> int:
    """How many of `size` are not held out: at least one of them is."""
    return min(int(size * (1 - held_out) + 1e-9), size - 1)  # 0.95 · 60 is 57, whatever its last bit says


def training_digest(corpus: str) -> str:
    """Hash of everything that training on the corpus reads. Fetches nothing."""
    return hashlib.sha256("\n".join(corpora.digest(text) for text in training_texts(corpus)).encode()).hexdigest()
