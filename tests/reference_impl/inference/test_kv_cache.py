"""Reading with a cache gives the logits of reading without one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.decoding.causal_model import Arrival
from reference_impl.inference.kv_cache import KVCache
from reference_impl.model.config import GPTConfig
from reference_impl.model.gpt import GPT
from tests.tiny_models import sharp_gpt

CONFIG = GPTConfig(vocabulary=61, context=24, layers=3, heads=2, width=16)


def model() -> GPT:
    return sharp_gpt(CONFIG).requires_grad_(False)


def tokens(batch: int, time: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, CONFIG.vocabulary, (batch, time), generator=torch.Generator().manual_seed(seed))


def read_in_pieces(gpt: GPT, text: torch.Tensor, pieces: list[int], mask: torch.Tensor | None = None) -> torch.Tensor:
    """Logits (batch, time, vocabulary) of `text` read through one cache in pieces of these lengths."""
    cache = KVCache.for_model(gpt, text.size(0), sum(pieces))
    logits = []
    for piece in text.split(pieces, dim=1):
        seen = None if mask is None else mask[:, : cache.length + piece.size(1)]
        logits.append(gpt(piece, cache=cache, attention_mask=seen))
    assert cache.length == cache.capacity == text.size(1)
    return torch.cat(logits, dim=1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_any_pieces_equal_no_cache(batch: int, pieces: list[int]) -> None:
    gpt, text = model(), tokens(batch, sum(pieces))
    torch.testing.assert_close(read_in_pieces(gpt, text, pieces), gpt(text), rtol=0, atol=1e-5)


def test_prefill_then_decode_over_the_whole_context() -> None:
    gpt, text = model(), tokens(2, 24)
    torch.testing.assert_close(read_in_pieces(gpt, text, [10] + [1] * 14), gpt(text), rtol=0, atol=1e-5)


def test_bf16() -> None:
    """In bf16 the two paths round differently: within 2 % of the logits' size, four bf16 roundings of 2^-8."""
    gpt, text = model().to(torch.bfloat16), tokens(2, 24)
    cached, plain = read_in_pieces(gpt, text, [10] + [1] * 14).float(), gpt(text).float()
    assert (cached - plain).norm() / plain.norm() < 0.02


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=4), st.integers(1, 5))
def test_left_padded_ragged_batch_equals_single_rows(lengths: list[int], decoded: int) -> None:
    gpt, longest = model(), max(lengths)
    rows = [tokens(1, length + decoded, seed=i) for i, length in enumerate(lengths)]
    padding = [tokens(1, longest - length, seed=50) for length in lengths]
    batch = torch.cat([torch.cat(pair, dim=1) for pair in zip(padding, rows, strict=True)])
    mask = torch.tensor([[0] * (longest - length) + [1] * (length + decoded) for length in lengths])
    logits = read_in_pieces(gpt, batch, [longest] + [1] * decoded, mask)
    for i, row in enumerate(rows):
        torch.testing.assert_close(logits[i : i + 1, longest - lengths[i] :], gpt(row), rtol=0, atol=1e-5)


def test_a_forgotten_mask_would_be_seen() -> None:
    """The known-bad case: a padded batch decoded as if padding were text."""
    gpt, row = model(), tokens(1, 9)
    batch = torch.cat([tokens(1, 5, seed=50), row], dim=1)
    wrong = read_in_pieces(gpt, batch, [13, 1])
    assert (wrong[:, 5:] - gpt(row)).abs().max() > 0.1


def test_bytes_and_capacity() -> None:
    cache = KVCache(CONFIG, batch=2, length=10, dtype=torch.bfloat16)
    assert (cache.capacity, cache.length) == (10, 0)
    assert cache.bytes == 2 * 3 * 2 * 10 * 16 * 2


def test_writes_in_place() -> None:
    gpt, cache = model(), KVCache(CONFIG, batch=1, length=8)
    address = cache.keys.data_ptr()
    gpt(tokens(1, 3), cache=cache)
    before = cache.keys[:, :, :, :3].clone()
    gpt(tokens(1, 2), cache=cache)
    assert cache.keys.data_ptr() == address
    assert torch.equal(cache.keys[:, :, :, :3], before)
    assert not cache.keys[:, :, :, 5:].any()


def test_too_much_is_refused_and_changes_nothing() -> None:
    with pytest.raises(ValueError, match="a cache of 25 tokens is longer than the model's context of 24"):
        KVCache(CONFIG, batch=1, length=25)
    gpt, cache = model(), KVCache(CONFIG, batch=1, length=4)
    gpt(tokens(1, 3), cache=cache)
    with pytest.raises(ValueError, match="the cache has room for 4 tokens and would have to hold 5"):
        gpt(tokens(1, 2), cache=cache)
    assert cache.length == 3
    full = KVCache(CONFIG, batch=1, length=24)
    gpt(tokens(1, 24), cache=full)
    with pytest.raises(ValueError, match="1 tokens after 24 cached ones don't fit"):
        gpt(tokens(1, 1), cache=full)


def test_truncate_forgets_and_goes_on_as_if_it_never_was() -> None:
    gpt, text, other = model(), tokens(2, 10), tokens(2, 4, seed=9)
    cache = KVCache.for_model(gpt, 2, 12)
    gpt(torch.cat([text[:, :6], other], dim=1), cache=cache)
    cache.truncate(6)
    assert cache.length == 6
    torch.testing.assert_close(gpt(text[:, 6:], cache=cache), gpt(text)[:, 6:], rtol=0, atol=1e-5)
    for wrong in (11, -1):
        with pytest.raises(ValueError, match=f"holds 10 tokens can't be cut back to {wrong}"):
            cache.truncate(wrong)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5))
@settings(max_examples=10, deadline=None)
def test_select_takes_rows_in_any_order_and_number(rows: list[int]) -> None:
    gpt, text = model(), tokens(3, 8)
    cache, index = KVCache.for_model(gpt, 3, 8), torch.tensor(rows)
    gpt(text[:, :5], cache=cache)
    cache.select(index)
    torch.testing.assert_close(gpt(text[index, 5:], cache=cache), gpt(text[index])[:, 5:], rtol=0, atol=1e-5)


def held(cache: KVCache, row: int, count: int) -> torch.Tensor:
    """The last `count` tokens' keys and values of one sequence."""
    return torch.stack([part[:, row, :, cache.length - count : cache.length] for part in (cache.keys, cache.values)])


def read(texts: list[torch.Tensor]) -> KVCache:
    """A cache that has read them, padded on the right."""
    gpt, longest = model(), max(text.size(1) for text in texts)
    cache = KVCache.for_model(gpt, len(texts), longest)
    gpt(torch.cat([torch.nn.functional.pad(text, (0, longest - text.size(1))) for text in texts]), cache=cache)
    return cache


def test_sequences_come_go_and_move_without_losing_a_token() -> None:
    lengths = [5, 2, 7, 4]
    source = read([tokens(1, length, seed=length) for length in lengths])
    cache = KVCache(CONFIG, batch=3, length=12)
    address = cache.keys.data_ptr()
    cache.keep([])
    cache.align(7)
    cache.place([Arrival(row, source, row, lengths[row]) for row in range(3)])
    expected = [source.keys[:, row, :, : lengths[row]] for row in range(4)]
    for row in range(3):
        assert torch.equal(held(cache, row, lengths[row])[0], expected[row])
    cache.align(12)
    cache.keep([0, 2])  # the last takes the place that came free
    assert (cache.rows, cache.length) == (2, 12)
    assert torch.equal(held(cache, 1, 7)[0], expected[2])
    cache.align(7)
    cache.place([Arrival(2, source, 3, 4), Arrival(0, source, 1, 2)])
    for row, which in ((0, 1), (1, 2), (2, 3)):
        assert torch.equal(held(cache, row, lengths[which])[0], expected[which])
        assert torch.equal(held(cache, row, lengths[which])[1], source.values[:, which, :, : lengths[which]])
    assert cache.keys.data_ptr() == address, "all in place"
    cache.keep([1, 0, 2])
    assert torch.equal(held(cache, 0, 7)[0], expected[2])


def test_a_stem_is_at_the_beginning_of_every_sequence() -> None:
    gpt, stem, rest = model(), tokens(1, 9), tokens(3, 4, seed=2)
    begun, cache = KVCache.for_model(gpt, 1, 9), KVCache.for_model(gpt, 3, 13)
    gpt(stem, cache=begun)
    cache.begin(begun)
    whole = gpt(torch.cat([stem.expand(3, -1), rest], dim=1))[:, 9:]
    torch.testing.assert_close(gpt(rest, cache=cache), whole, rtol=0, atol=1e-5)
