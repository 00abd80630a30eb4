"""A `transformers` tokenizer with the face that scoring knows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from harness import strict_json
from harness.errors import UserError, told
from harness.models import long_text
from harness.models.chat_rendering import bounded


class TransformersTokenizer:
    """Wraps what `AutoTokenizer` gives (or a `PreTrainedTokenizer` of one's own)."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def own(self) -> Any:
        """The tokenizer of `transformers`."""
        return self._tokenizer

    @cached_property
    def size(self) -> int:
        """Number of token ids, added ones included: one more than the largest, where some in between have no token."""
        return max(len(self._tokenizer), 1 + max(self._tokenizer.get_vocab().values(), default=-1))

    @property
    def longest(self) -> int | None:
        """Tokens of the longest text that its configuration names, be it as large as it may."""
        found = getattr(self._tokenizer, "model_max_length", None)
        return found if isinstance(found, int) else None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the definition (vocabulary, merges, rules, special tokens)."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        definition = (
            backend.to_str() if backend is not None else strict_json.dumps(sorted(self._tokenizer.get_vocab().items()))
        )
        special = strict_json.dumps(self._tokenizer.special_tokens_map, sort_keys=True, default=str)
        adds_bos = self.prefix == (self.bos_id,)
        around: object = adds_bos if adds_bos or not self.prefix else self.prefix
        return hashlib.sha256(f"{definition}\n{special}\n{around}".encode()).hexdigest()

    @property
    def bos_id(self) -> int | None:
        """The BOS token, if one is declared."""
        bos: int | None = self._tokenizer.bos_token_id
        return bos

    @property
    def eos_id(self) -> int | None:
        """The EOS token, if one is declared."""
        eos: int | None = self._tokenizer.eos_token_id
        return eos

    @property
    def turn_end_id(self) -> int | None:
        """The token that is declared to end a turn (`eot_token` in tokenizer_config.json), if one is."""
        token = getattr(self._tokenizer, "eot_token", None)
        return self.added.get(str(token)) if token is not None else None

    @property
    def prefix(self) -> tuple[int, ...]:
        """What it puts first when it is called on a text, with nothing said: BOS, or several tokens, or nothing."""
        return self._around[0]

    @property
    def suffix(self) -> tuple[int, ...]:
        """What it puts last then: EOS, for some that were made for training."""
        return self._around[1]

    @cached_property
    def added(self) -> dict[str, int]:
        """Tokens that are declared beside the vocabulary, special ones among them, by their text."""
        declared = {str(token): int(i) for i, token in self._tokenizer.added_tokens_decoder.items()}
        named = zip(self._tokenizer.all_special_tokens, self._tokenizer.all_special_ids, strict=True)
        return declared | {str(token): int(i) for token, i in named if i is not None}

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Tokens that stand for no text."""
        declared = {int(i) for i, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        return frozenset(declared | {i for i in self._tokenizer.all_special_ids if i is not None})

    @cached_property
    def _around(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        probe = "a b"
        whole: list[int] = self._tokenizer(probe, verbose=False)["input_ids"]
        plain = self.encode(probe)
        for before in range(len(whole) - len(plain) + 1):
            if whole[before : before + len(plain)] == plain:
                return tuple(whole[:before]), tuple(whole[before + len(plain) :])
        return (), ()

    def encode(self, text: str) -> list[int]:
        """Token ids without any added special token (special tokens written out in `text` are recognized)."""
        if len(text) > long_text.PIECE and getattr(self._tokenizer, "is_fast", False):
            in_pieces = long_text.encode_in_pieces(self._with_places, text)
            if in_pieces is not None:
                return in_pieces
        ids: list[int] = self._called(text)["input_ids"]
        return ids

    def _with_places(self, text: str) -> long_text.Encoded:
        found = self._called(text, return_offsets_mapping=True)
        return found["input_ids"], found["offset_mapping"]

    def _called(self, text: str, **options: bool) -> Any:
        """Raises UserError where the library itself breaks down (a regular expression that never ends is given up)."""
        try:
            return self._tokenizer(text, add_special_tokens=False, verbose=False, **options)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust, and no Exception of Python
                raise
            raise UserError(
                f"the tokenizer can't read a text of {len(text):,} characters ({told(error)}): is its tokenizer.json "
                "damaged? Copy it again",
                place=getattr(self._tokenizer, "name_or_path", None),
            ) from None

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`, special tokens written out, spaces left as they are."""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    @property
    def chat_template(self) -> str | None:
        """The template that makes a prompt of a conversation; of several the one that is named `default`."""
        template: Any = getattr(self._tokenizer, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        return template if isinstance(template, str) and template else None

    def apply_chat(
        self,
        template: str,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool,
        continue_final_message: bool,
        arguments: Mapping[str, Any],
    ) -> str:
        """A conversation as text. Raises jinja2.TemplateError where the template refuses it, TooMuch where it takes
        more time or text than it may, and whatever else its expressions raise.

        add_generation_prompt: end with what begins an answer. continue_final_message: leave the last turn open.
        arguments: more names that the template may know (`enable_thinking`).
        """
        with bounded(template):
            text: str = self._tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=template,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=continue_final_message,
                **arguments,
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
        special = self.special_ids
        added = {int(i): str(token) for i, token in self._tokenizer.added_tokens_decoder.items()}
        pieces: list[str | None] = self._tokenizer.convert_ids_to_tokens(list(range(self.size)))
        byte_level = self._is_byte_level()
        return [
            0 if i in special or piece is None else len(added[i].encode()) if i in added else _bytes(piece, byte_level)
            for i, piece in enumerate(pieces)
        ]

    @cached_property
    def byte_fallback_ids(self) -> frozenset[int]:
        """Tokens such as `<0xE2>`: a run of them is text once it is whole characters, and until then none of it is."""
        pieces: list[str | None] = self._tokenizer.convert_ids_to_tokens(list(range(self.size)))
        return frozenset(i for i, piece in enumerate(pieces) if piece and re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", piece))

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
