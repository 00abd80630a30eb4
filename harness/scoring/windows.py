"""Which tokens are scored with which context, when a document is longer than the model's window.

A pure function of three numbers. It yields what Hugging Face's strided-perplexity loop does
(https://huggingface.co/docs/transformers/perplexity), and scores every token but the document's first exactly once.
"""

from typing import NamedTuple


class Window(NamedTuple):
    """One pass over `tokens[start:end]`, in which `tokens[first:end]` are scored."""

    start: int
    end: int
    first: int
    """The first scored token: from here on no earlier window has scored. The token before it is in the window."""


def sliding_windows(tokens: int, window: int, stride: int) -> list[Window]:
    """The windows over a document of `tokens` tokens.

    Windows start at multiples of `stride` and hold up to `window` tokens; the first scores all its tokens but token 0,
    which nothing predicts, and each later one scores the tokens that no earlier window reached. A token so
    has at least `window - stride` tokens of context, or all that precede it. A small stride gives more context and
    costs window/stride passes over the text.

    `stride` must be below `window`: at stride = window the first token of each window would have no context and
    go unscored, silently (Hugging Face's loop does that). stride = window - 1 is the cheapest that scores all.
    ValueError if window < 2 or stride is not in 1 … window - 1. Fewer than two tokens give no window.
    """
    if window < 2:
        raise ValueError(f"a window of {window} tokens can score nothing: it needs at least 2")
    if not 1 <= stride < window:
        raise ValueError(
            f"stride {stride} must lie between 1 and window - 1 = {window - 1}, so that each scored token has context"
        )
    windows: list[Window] = []
    scored = 1
    for start in range(0, tokens, stride):
        end = min(start + window, tokens)
        if end > scored:
            windows.append(Window(start, end, scored))
            scored = end
        if end == tokens:
            break
    return windows
