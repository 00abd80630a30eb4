"""A `transformers` tokenizer with the face that scoring knows."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Any

from harness import strict_json


class TransformersTokenizer:
    """Wraps what `AutoTokenizer` gives (or a `PreTrainedTokenizer` of one's own)."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def size(self) -> int:
        """Number of token ids, added ones included."""
        return len(self._tokenizer)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the definition (vocabulary, merges, rules, special tokens)."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        definition = (
            backend.to_str() if backend is not None else strict_json.dumps(sorted(self._tokenizer.get_vocab().items()))
        )
        special = strict_json.dumps(self._tokenizer.special_tokens_map, sort_keys=True, default=str)
        return hashlib.sha256(f"{definition}\n{special}\n{self.adds_bos}".encode()).hexdigest()

    @property
    def bos_id(self) -> int | None:
        """The BOS token, if one is declared."""
        bos: int | None = self._tokenizer.bos_token_id
        return bos

    @cached_property
    def adds_bos(self) -> bool:
        """Whether the tokenizer puts BOS first when it is called on a text, with nothing said."""
        if self.bos_id is None:
            return False
        ids = self._tokenizer("a", verbose=False)["input_ids"]
        return bool(ids[:1] == [self.bos_id] and self.encode("a")[:1] != [self.bos_id])

    @property
    def eos_id(self) -> int | None:
        """The EOS token, if one is declared."""
        eos: int | None = self._tokenizer.eos_token_id
        return eos

    def encode(self, text: str) -> list[int]:
        """Token ids without any added special token (special tokens written out in `text` are recognised)."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`, special tokens written out, spaces left as they are."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    @property
    def has_chat_template(self) -> bool:
        """Whether it makes prompts of conversations."""
        return bool(getattr(self._tokenizer, "chat_template", None))

    def apply_chat(
        self, messages: list[dict[str, str]], add_generation_prompt: bool, continue_final_message: bool
    ) -> str:
        """A conversation as text, by the tokenizer's chat template. Raises jinja2.TemplateError where that refuses it.

        add_generation_prompt: end with what begins an answer. continue_final_message: leave the last turn open.
        """
        text: str = self._tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=continue_final_message,
        )
        return text

    def token_bytes(self, ids: list[int]) -> list[int]:
        """Bytes of UTF-8 text of each token; 0 for special ones.

        Exact for byte-level tokenizers. Where the tokenizer itself changes the text (SentencePiece puts a space before
        the first word) the sum differs from the text's bytes by that.
        """
        return [self._bytes_of_token[i] for i in ids]

    @cached_property
    def _bytes_of_token(self) -> list[int]:
        special = set(self._tokenizer.all_special_ids)
        added = {int(i): str(token) for i, token in self._tokenizer.added_tokens_decoder.items()}
        pieces: list[str | None] = self._tokenizer.convert_ids_to_tokens(list(range(self.size)))
        byte_level = self._is_byte_level()
        return [
            0 if i in special or piece is None else len(added[i].encode()) if i in added else _bytes(piece, byte_level)
            for i, piece in enumerate(pieces)
        ]

    def _is_byte_level(self) -> bool:
        """Whether a token's characters each stand for one byte (GPT-2's alphabet)."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            return hasattr(self._tokenizer, "byte_decoder")
        return '"ByteLevel"' in strict_json.dumps(strict_json.loads(backend.to_str())["decoder"])


def _bytes(piece: str, byte_level: bool) -> int:
    if byte_level:
        return len(piece)
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", piece):  # SentencePiece's byte fallback
        return 1
    return len(piece.replace("\u2581", " ").encode())
