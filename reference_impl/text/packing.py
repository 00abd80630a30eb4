"""Documents to the one stream of tokens that a model is trained and validated on.

`<|endoftext|>` stands before every document and after the last one:

    <|endoftext|> first document <|endoftext|> second document <|endoftext|>

so that each document is seen with the token that starts it, and each end can be predicted. A tokenizer without such
a token (`characters.py`) leaves nothing between the documents.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np
import numpy.typing as npt

from reference_impl.text.any_tokenizer import Tokenizer

Tokens = npt.NDArray[np.unsignedinteger]
"""A stream of token ids: (time,), unsigned, possibly memory-mapped."""

DOCUMENTS_AT_ONCE = 1024
"""How many documents are encoded together: enough to keep every core busy, few enough for any memory."""


def token_type(vocabulary: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds every id of a vocabulary of this size."""
    return np.uint16 if vocabulary <= 1 << 16 else np.uint32


def packed(tokenizer: Tokenizer, documents: Iterable[str]) -> Iterator[Tokens]:
    """The stream of `documents` in pieces, each (time,), for a corpus that need not fit in memory."""
    kind = token_type(tokenizer.size)
    end = [] if tokenizer.eos_id is None else [tokenizer.eos_id]
    remaining = iter(documents)
    found = False
    while batch := list(islice(remaining, DOCUMENTS_AT_ONCE)):
        found = True
        yield np.fromiter(chain.from_iterable(chain(end, ids) for ids in tokenizer.encode_batch(batch)), dtype=kind)
    if found and end:
        yield np.array(end, dtype=kind)


def pack(tokenizer: Tokenizer, documents: Iterable[str]) -> Tokens:
    """The stream of `documents` in memory: (time,). No documents give an empty stream."""
    pieces = list(packed(tokenizer, documents))
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=token_type(tokenizer.size))
