"""Memory-mapped token shards: a stream of tokens too big for memory, in one file that proves itself.

A shard is a header and then the tokens, little-endian, 2 bytes each where the vocabulary allows it and else 4:

    bytes 0-7        b"GPTSHARD"
    bytes 8-4095     the header as JSON, padded with spaces
    bytes 4096-end   the tokens

The header holds the count, the SHA-256 of the tokens and the digest of the tokenizer that made them.
Token ids mean nothing under another tokenizer, so a shard is never opened without naming it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from reference_impl.text.packing import Tokens, token_type

MAGIC = b"GPTSHARD"
HEADER_BYTES = 4096
VERSION = 1


class CorruptShard(ValueError):
    """A shard that can't be used: names the file, what is wrong and the fix."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}; write it again with write_shard")


class ShardHeader(BaseModel):
    """What a shard says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    vocabulary: int
    """Every token id is below this."""
    count: int
    """Number of tokens."""
    sha256: str
    """Of the bytes of the tokens."""
    tokenizer_digest: str


def write_shard(
    path: str | os.PathLike[str], pieces: Iterable[Tokens], *, vocabulary: int, tokenizer_digest: str
) -> ShardHeader:
    """Writes a stream of tokens, given in `pieces` of (time,) each, such as `packed(tokenizer, documents)`.

    Memory holds one piece at a time. The file appears at `path` when it is whole, or not at all.
    Raises ValueError for a token outside of the vocabulary and OSError if the disk is full.
    """
    path = Path(path)
    stored = np.dtype(token_type(vocabulary)).newbyteorder("<")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    sha, count = hashlib.sha256(), 0
    try:
        with temporary.open("wb") as file:
            file.write(bytes(HEADER_BYTES))
            for piece in pieces:
                if piece.size and int(piece.max()) >= vocabulary:
                    raise ValueError(f"token {int(piece.max())} is outside of a vocabulary of {vocabulary}")
                data = piece.astype(stored).tobytes()
                sha.update(data)
                count += piece.size
                file.write(data)
            header = ShardHeader(
                version=VERSION,
                vocabulary=vocabulary,
                count=count,
                sha256=sha.hexdigest(),
                tokenizer_digest=tokenizer_digest,
            )
            file.seek(0)
            file.write((MAGIC + header.model_dump_json().encode()).ljust(HEADER_BYTES))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return header


def open_shard(path: str | os.PathLike[str], tokenizer_digest: str) -> Tokens:
    """The tokens of a shard, memory-mapped and read-only: (time,).

    The whole file is checked against its SHA-256 first (about a second per GB), because a model trained on
    damaged tokens gives no other sign. Raises CorruptShard for a file that is damaged, cut off, no shard
    at all, or made by another tokenizer, and FileNotFoundError if there is none.
    """
    path = Path(path)
    header = read_header(path)
    if header.tokenizer_digest != tokenizer_digest:
        raise CorruptShard(
            path,
            f"its tokens were made by tokenizer {header.tokenizer_digest[:12]}, not by {tokenizer_digest[:12]}",
        )
    stored = np.dtype(token_type(header.vocabulary)).newbyteorder("<")
    size, expected = path.stat().st_size, HEADER_BYTES + header.count * stored.itemsize
    if size != expected:
        raise CorruptShard(path, f"it has {size} bytes where {header.count} tokens need {expected}")
    with path.open("rb") as file:
        file.seek(HEADER_BYTES)
        if hashlib.file_digest(file, "sha256").hexdigest() != header.sha256:
            raise CorruptShard(path, "its tokens don't match their SHA-256")
    if not header.count:
        return np.empty(0, dtype=stored)  # nothing can be mapped
    return np.memmap(path, dtype=stored, mode="r", offset=HEADER_BYTES, shape=(header.count,))


def read_header(path: Path) -> ShardHeader:
    """What a shard says of itself; its tokens are not read. Raises CorruptShard and FileNotFoundError."""
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    if not start.startswith(MAGIC):
        raise CorruptShard(path, "not a token shard")
    try:
        header = ShardHeader.model_validate_json(start[len(MAGIC) :])
    except ValidationError as error:
        raise CorruptShard(path, "its header can't be read") from error
    if header.version != VERSION:
        raise CorruptShard(path, f"a shard of version {header.version}, and this program reads {VERSION}")
    return header
