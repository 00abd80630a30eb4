"""The text of an answer with its special tokens: searched where they are written out, shown without them."""

from __future__ import annotations

from harness.common_prefix import common_prefix
from harness.models.contract import Tokenizer
from harness.scoring.thinking import Tags

_FIRST_MARK = 0xD800
"""Marks are lone surrogates, which no decoded text holds."""


class SpecialText:
    """Decodes the tokens of answers. A tag of a thought counts as text, special token or not."""

    def __init__(self, tokenizer: Tokenizer, tags: Tags = ()) -> None:
        self._tokenizer = tokenizer
        self._is_text = {token: True for pair in tags for tag in pair for token in tokenizer.encode(tag)}
        self._marks: dict[str, str] = {}

    def plain(self, ids: list[int]) -> str:
        """The text without special tokens."""
        return self._tokenizer.decode([token for token in ids if self._stands_for_text(token)])

    def marked(self, ids: list[int]) -> str:
        """The text with each special token written out in marks, one for each character of its spelling."""
        whole, parts, done = self.plain(ids), [], 0
        for place, token in enumerate(ids):
            if not self._stands_for_text(token):
                # of what the tokens before it say, all but a last character that is not complete
                upto = max(done, common_prefix(whole, self.plain(ids[:place])))
                spelling = self._tokenizer.decode([token])
                parts += [whole[done:upto], "".join(map(self._mark, spelling))]
                done = upto
        return "".join([*parts, whole[done:]])

    def spelled(self, marked: str) -> str:
        """A marked text with special tokens written out; every character stays in its place."""
        return marked.translate({ord(mark): character for character, mark in self._marks.items()})

    def without_marks(self, marked: str) -> str:
        """A marked text without special tokens."""
        return marked.translate(dict.fromkeys(map(ord, self._marks.values())))

    def _mark(self, character: str) -> str:
        return self._marks.setdefault(character, chr(_FIRST_MARK + len(self._marks)))

    def _stands_for_text(self, token: int) -> bool:
        if token not in self._is_text:
            self._is_text[token] = self._tokenizer.token_bytes([token]) != [0]
        return self._is_text[token]
