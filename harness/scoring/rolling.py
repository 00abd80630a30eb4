"""The log-likelihood of a whole text, cut into windows that a model can read."""

from __future__ import annotations

from harness.models.contract import Tokenizer
from harness.scoring.pairs import DocumentEncoder, Mode
from harness.scoring.request import Scored
from harness.scoring.windows import sliding_windows


def rolling_requests(
    tokenizer: Tokenizer, text: str, context: int, mode: Mode = "right", stride: int | None = None
) -> list[Scored]:
    """The windows of `text`; each token of it is scored in exactly one of them. None for an empty text.

    context: the model's, in tokens. Without a stride windows are disjoint: each predicts as many tokens as the model
    holds, given one token before them, and the last one reaches back so that it is full (lm-eval's rule). With a
    stride each token has at least context - stride tokens before it, or all (`sliding_windows`).
    Mode lm-eval scores the BOS that some tokenizers add, given a BOS, as one more token; right takes it as given.
    """
    encode = DocumentEncoder(tokenizer)
    ids = encode(text) if text else ()
    if mode == "right" and ids[:1] == (encode.prefix,):
        ids = ids[1:]
    if not ids:
        return []
    told = (encode.prefix, *ids)
    if stride is not None:
        window = context + 1  # its last token is only predicted
        return [
            Scored(told[start:end], first - start) for start, end, first in sliding_windows(len(told), window, stride)
        ]
    return [Scored(told[begin : end + 1], first - begin) for begin, first, end in _disjoint(len(told), context)]


def _disjoint(tokens: int, context: int) -> list[tuple[int, int, int]]:
    """Of each window the first token that it reads, and the first and last that it predicts; token 0 is given."""
    ends = [(first, min(first + context - 1, tokens - 1)) for first in range(1, tokens, context)]
    return [(max(end - context, 0), first, end) for first, end in ends]
