"""Where a continuation ends by its text: token ids become text as they come, and stop strings are looked for in it.

A token is not a piece of text. With byte-level BPE one character may be spread over several tokens, and a stop string
may begin in the middle of one token and end in the middle of another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[list[int]], str]
"""Token ids to text; bytes that are not (yet) a character become U+FFFD."""

UNFINISHED = "\ufffd"


class TextStream:
    """The text of tokens that come one by one, without characters that are not whole yet.

    After `push` of all tokens and `flush`, `text` is `decode(tokens)`, for tokenizers whose text of a sequence is made
    of its parts (byte-level BPE, SentencePiece). Each token is decoded a few times, however long the sequence is.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._from = 0  # where decoding starts: a token before the last whole one, because a tokenizer may treat
        self._upto = 0  # the first token of what it decodes differently (a space at the beginning). Shown so far.
        self.text = ""

    def push(self, token: int) -> None:
        """Add one token; `text` grows by the characters that it completes."""
        self._tokens.append(token)
        self._show(final=False)

    def flush(self) -> None:
        """Show the rest as it is: no further token will complete it."""
        self._show(final=True)

    def _show(self, final: bool) -> None:
        shown = self._decode(self._tokens[self._from : self._upto])
        now = self._decode(self._tokens[self._from :])
        if len(now) > len(shown) and (final or not now.endswith(UNFINISHED)):
            self.text += now[len(shown) :]
            self._from, self._upto = self._upto, len(self._tokens)


def find_stop(text: str, strings: Sequence[str], seen: int = 0) -> int | None:
    """Where to cut the text: the beginning of the stop string that is complete first (of two, the longer); else None.

    seen: so many characters were searched before, without a find. The answer is that of reading character by
    character, so it doesn't depend on how the text was cut into tokens.
    """
    found = []
    for string in strings:
        start = text.find(string, max(0, seen - len(string) + 1))
        if start >= 0:
            found.append((start + len(string), start))
    return min(found)[1] if found else None
