"""WikiText's pages as ordinary text, and the words and bytes of the pages as they were published."""

import re
from collections.abc import Iterable
from typing import Any

# The rules by which Megatron-LM, and everybody after it, undoes WikiText's tokenization, in their order.
_BEFORE = (
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    (" : ", ": "),
    (" ; ", "; "),
    (" . ", ". "),
    (" ! ", "! "),
    (" ? ", "? "),
    (" , ", ", "),
)
_PAIRS = (
    (r"\(\s*([^\)]*?)\s*\)", r"(\1)"),
    (r"\[\s*([^\]]*?)\s*\]", r"[\1]"),
    (r"{\s*([^}]*?)\s*}", r"{\1}"),
    (r"\"\s*([^\"]*?)\s*\"", r'"\1"'),
    (r"'\s*([^']*?)\s*'", r"'\1'"),
)
_AFTER = (
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
)


def detokenized(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row with its `page` as ordinary `text`."""
    return [{**row, "text": _ordinary(row["page"])} for row in rows]


def per_published_word(row: dict[str, Any], results: tuple[Any, ...]) -> dict[str, tuple[float, int]]:
    """The log-likelihood of the ordinary text over the words and bytes of the published page."""
    log_likelihood = results[0]
    words, size = len(re.split(r"\s+", row["page"])), len(row["page"].encode())
    return {
        "word_perplexity": (log_likelihood, words),
        "byte_perplexity": (log_likelihood, size),
        "bits_per_byte": (log_likelihood, size),
    }


def _ordinary(text: str) -> str:
    for old, new in _BEFORE:
        text = text.replace(old, new)
    for pattern, whole in _PAIRS:
        text = re.sub(pattern, whole, text)
    for old, new in _AFTER:
        text = text.replace(old, new)
    return text
