"""One token per character of a text: the smallest tokenizer, for the field's character-level benchmarks.

It has the face of `ByteBPE` (`tokenizer.py`), with two differences that are its point: a character that is not in its
alphabet is an error, and no special token stands at the start or the end of a document.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

FORMAT = "characters"


class Characters:
    """A character-level tokenizer. Make one with `Characters.train` or `Characters.load`."""

    def __init__(self, alphabet: str) -> None:
        """`alphabet`: each character once; its place is its id. Raises ValueError if one is there twice or none is."""
        if not alphabet or len(set(alphabet)) != len(alphabet):
            raise ValueError("an alphabet has at least one character and each of them once; make it with train")
        self.alphabet = alphabet
        self._ids = {character: token for token, character in enumerate(alphabet)}
        self._bytes_of_token = [len(character.encode()) for character in alphabet]

    @classmethod
    def train(cls, documents: Iterable[str]) -> Characters:
        """The characters of `documents`, in the order of their code points."""
        found: set[str] = set()
        for document in documents:
            found.update(document)
        return cls("".join(sorted(found)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Characters:
        """Reads what `save` wrote. Raises OSError if it can't be read and ValueError if it is not such a file."""
        try:
            told = json.loads(Path(path).read_bytes())
            if told["format"] != FORMAT:
                raise ValueError(f"its format is {told['format']!r}")
            return cls(str(told["alphabet"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"{path}: not a character tokenizer ({str(error)[:300]}); make it again with Characters.train(...).save"
            ) from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the alphabet to one JSON file, whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            told = json.dumps({"format": FORMAT, "alphabet": self.alphabet}, allow_nan=False)
            temporary.write_text(told, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Number of token ids; they are 0 to `size - 1`."""
        return len(self.alphabet)

    @property
    def digest(self) -> str:
        """SHA-256 of the alphabet, in hexadecimal."""
        return hashlib.sha256(f"{FORMAT} {self.alphabet}".encode()).hexdigest()

    @property
    def bos_id(self) -> None:
        """None: no token starts a document."""
        return None

    @property
    def eos_id(self) -> None:
        """None: no token ends a document."""
        return None

    @property
    def prefix(self) -> tuple[int, ...]:
        """Nothing: models are trained on the bare text."""
        return ()

    @property
    def suffix(self) -> tuple[int, ...]:
        """Nothing."""
        return ()

    @property
    def added(self) -> dict[str, int]:
        """No token but the characters."""
        return {}

    def encode(self, text: str) -> list[int]:
        """The id of each character of `text`. Raises ValueError for a character that isn't in the alphabet."""
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            raise ValueError(
                f"the character {error.args[0]!r} is not in this tokenizer's alphabet of {self.size}: "
                "use a text of the kind it was made from."
            ) from None

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each of `texts`."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`. Raises ValueError for an id outside of the alphabet."""
        self._check_ids(ids)
        return "".join(self.alphabet[token] for token in ids)

    def token_bytes(self, ids: Sequence[int]) -> list[int]:
        """UTF-8 bytes of each token's character. Raises ValueError for an id outside of the alphabet."""
        self._check_ids(ids)
        return [self._bytes_of_token[token] for token in ids]

    def _check_ids(self, ids: Sequence[int]) -> None:
        if ids and (min(ids) < 0 or max(ids) >= self.size):
            raise ValueError(f"token ids must be 0 to {self.size - 1}, got {min(ids)} to {max(ids)}")
