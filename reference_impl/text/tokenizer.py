"""Byte-level byte-pair encoding: any text to token ids and back, without loss.

Training and encoding are the `tokenizers` library's; this file chooses the rules and gives them the one
face that the rest of the house knows. The rules:

* The alphabet is the 256 bytes, so no text is unknown and `decode(encode(text)) == text`.
* Text is first cut as GPT-2 does it (words with their leading space, runs of punctuation), and every digit
  stands alone: a number is always the same sequence of tokens, which is what makes sums learnable.
* One special token, `<|endoftext|>` with id 0, starts and ends every document. Those characters inside
  a text are ordinary characters: no text can smuggle in the end of a document.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"

RULES = ("Digits", "ByteLevel")
"""How texts are cut, as the `tokenizers` library calls it."""

SMALLEST_VOCABULARY = 257
"""The 256 bytes and `END_OF_TEXT`."""


class ByteBPE:
    """A byte-level BPE tokenizer. Make one with `ByteBPE.train` or `ByteBPE.load`."""

    def __init__(self, definition: Tokenizer) -> None:
        self._tokenizer = definition
        self._tokenizer.encode_special_tokens = True  # `<|endoftext|>` in a text is text
        definition_of = json.loads(definition.to_str())
        _check(definition_of)
        self._digest = _digest_of(definition_of)
        self._bytes_of_token = [
            0 if token == END_OF_TEXT else len(token) for token in _tokens_by_id(definition_of["model"]["vocab"])
        ]

    @classmethod
    def train(cls, documents: Iterable[str], vocabulary: int) -> ByteBPE:
        """Learns merges from `documents` until there are `vocabulary` tokens.

        The same documents in the same order give the same tokenizer. A small corpus may run out of pairs to
        merge before `vocabulary` is reached; `size` says what came of it.
        Raises ValueError if `vocabulary` is below `SMALLEST_VOCABULARY`.
        """
        if vocabulary < SMALLEST_VOCABULARY:
            raise ValueError(
                f"a byte-level vocabulary needs at least {SMALLEST_VOCABULARY} tokens "
                f"(256 bytes and {END_OF_TEXT}), not {vocabulary}"
            )
        definition = Tokenizer(models.BPE())
        definition.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        definition.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        definition.train_from_iterator(documents, trainer)
        return cls(definition)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ByteBPE:
        """Reads the `tokenizer.json` that `save` wrote.

        Raises OSError if it can't be read and ValueError if it is not such a tokenizer.
        """
        text = Path(path).read_bytes()
        try:
            definition = Tokenizer.from_str(text.decode("utf-8"))
            return cls(definition)
        except BaseException as error:  # the library raises bare Exception, and panics of Rust
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            why = str(error)[:300]
            raise ValueError(
                f"{path}: not a byte-level BPE tokenizer ({why}); make it again with ByteBPE.train(...).save"
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole tokenizer to one file in the `tokenizers` library's format."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(self._tokenizer.to_str(pretty=True), encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Number of token ids; they are 0 to `size - 1`."""
        return len(self._bytes_of_token)

    @property
    def digest(self) -> str:
        """SHA-256 of the vocabulary, the merges and the rules for cutting text, in hexadecimal."""
        return self._digest

    @property
    def end_id(self) -> int:
        """The id of `<|endoftext|>`, which starts and ends documents."""
        return 0

    @property
    def bos_id(self) -> int:
        """The token that starts a document: `end_id`."""
        return self.end_id

    @property
    def eos_id(self) -> int:
        """The token that ends a document: `end_id`."""
        return self.end_id

    @property
    def prefix(self) -> tuple[int, ...]:
        """`bos_id`: models are trained with it before every document."""
        return (self.bos_id,)

    @property
    def suffix(self) -> tuple[int, ...]:
        """Nothing: what ends a document is put there by who packs them."""
        return ()

    @property
    def added(self) -> dict[str, int]:
        """The token that isn't made of text."""
        return {END_OF_TEXT: self.end_id}

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without any special token."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each of `texts`, on all cores."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; `<|endoftext|>` is written out. Bytes that are not UTF-8 become U+FFFD.

        Raises ValueError for an id outside of the vocabulary.
        """
        self._check_ids(ids)
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def token_bytes(self, ids: Sequence[int]) -> list[int]:
        """How many bytes of text each token stands for; `<|endoftext|>` stands for none.

        Exact, because each character of a byte-level token is one byte: the sum over `encode(text)` is
        `len(text.encode())`. Raises ValueError for an id outside of the vocabulary.
        """
        self._check_ids(ids)
        return [self._bytes_of_token[token] for token in ids]

    def _check_ids(self, ids: Sequence[int]) -> None:
        if ids and (min(ids) < 0 or max(ids) >= self.size):
            raise ValueError(f"token ids must be 0 to {self.size - 1}, got {min(ids)} to {max(ids)}")


def _tokens_by_id(vocabulary: dict[str, int]) -> list[str]:
    return sorted(vocabulary, key=vocabulary.__getitem__)


def _check(definition: dict[str, Any]) -> None:
    """Raises ValueError unless `definition` has the properties that the class promises."""
    vocabulary: dict[str, int] = definition["model"]["vocab"]
    if definition["model"]["type"] != "BPE" or definition["model"].get("dropout"):
        raise ValueError("it is not plain BPE")
    cut = definition["pre_tokenizer"]
    if any(rule["type"] not in RULES for rule in cut.get("pretokenizers", [cut])):
        raise ValueError(f"it cuts texts by other rules than {' and '.join(RULES)}")
    for name in ("normalizer", "truncation", "padding"):
        if definition.get(name) is not None:
            raise ValueError(f"its {name} changes texts")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise ValueError("its token ids have gaps")
    if vocabulary.get(END_OF_TEXT) != 0:
        raise ValueError(f"{END_OF_TEXT} is not its token 0")
    if missing := set(pre_tokenizers.ByteLevel.alphabet()) - set(vocabulary):
        raise ValueError(f"{len(missing)} of the 256 bytes have no token")
    if (added := [token["content"] for token in definition["added_tokens"]]) != [END_OF_TEXT]:
        raise ValueError(f"it adds the tokens {added}"[:200])


def _digest_of(definition: dict[str, Any]) -> str:
    """Only what determines the ids: the library may add fields to its file without changing a tokenizer."""
    model = definition["model"]
    identity = {
        "tokens": _tokens_by_id(model["vocab"]),
        "merges": model["merges"],
        "cut": [rule["type"] for rule in definition["pre_tokenizer"].get("pretokenizers", [])],
    }
    return hashlib.sha256(json.dumps(identity, ensure_ascii=True, allow_nan=False).encode()).hexdigest()
