import numpy as np

from reference_impl.text import packing
from reference_impl.text.packing import pack, packed, token_type
from reference_impl.text.tokenizer import ByteBPE

TOKENIZER = ByteBPE.train(["one two three"], 270)


def test_the_end_of_text_stands_before_every_document_and_after_the_last() -> None:
    tokens = pack(TOKENIZER, ["one", "two three"])
    assert tokens.tolist() == [0, *TOKENIZER.encode("one"), 0, *TOKENIZER.encode("two three"), 0]
    assert tokens.dtype == np.uint16


def test_pieces_join_to_the_same_stream_whatever_their_size(monkeypatch) -> None:
    documents = [f"document {number}" for number in range(10)]
    whole = pack(TOKENIZER, documents)
    monkeypatch.setattr(packing, "DOCUMENTS_AT_ONCE", 3)
    pieces = list(packed(TOKENIZER, documents))
    assert len(pieces) == 5
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_no_documents_give_an_empty_stream() -> None:
    assert pack(TOKENIZER, []).shape == (0,)


def test_the_token_type_holds_every_id() -> None:
    assert token_type(65536) is np.uint16
    assert token_type(65537) is np.uint32
