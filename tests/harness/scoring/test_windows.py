"""Sliding windows: against Hugging Face's loop, and the properties that make them right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.windows import sliding_windows


def huggingface_loop(tokens: int, max_length: int, stride: int) -> list[tuple[int, int, int]]:
    """The loop of https://huggingface.co/docs/transformers/perplexity, with what its shifted labels score."""
    found = []
    prev_end = 0
    for begin in range(0, tokens, stride):
        end = min(begin + max_length, tokens)
        target = end - prev_end
        first = max(end - target, begin + 1)  # labels[:, :-target] = -100, and the loss drops label 0 by its shift
        if first < end:
            found.append((begin, end, first))
        prev_end = end
        if end == tokens:
            break
    return found


shapes = st.integers(2, 40).flatmap(lambda w: st.tuples(st.integers(0, 200), st.just(w), st.integers(1, w - 1)))


@given(shapes)
def test_same_as_hugging_face(shape: tuple[int, int, int]) -> None:
    assert [tuple(w) for w in sliding_windows(*shape)] == huggingface_loop(*shape)


@given(shapes)
def test_each_token_once_with_the_context_that_is_promised(shape: tuple[int, int, int]) -> None:
    tokens, window, stride = shape
    windows = sliding_windows(tokens, window, stride)
    scored = [(t, t - w.start) for w in windows for t in range(w.first, w.end)]
    assert [t for t, _ in scored] == list(range(1, tokens))
    assert all(context >= min(t, window - stride) for t, context in scored)
    assert all(w.end - w.start <= window for w in windows)


def test_by_hand() -> None:
    assert sliding_windows(10, 4, 2) == [(0, 4, 1), (2, 6, 4), (4, 8, 6), (6, 10, 8)]
    assert sliding_windows(3, 8, 4) == [(0, 3, 1)]
    assert sliding_windows(1, 8, 4) == sliding_windows(0, 8, 4) == []


def test_a_stride_of_the_whole_window_would_skip_tokens() -> None:
    skipped = set(range(1, 9)) - {t for b, e, f in huggingface_loop(9, 3, 3) for t in range(f, e)}
    assert skipped == {3, 6}
    with pytest.raises(ValueError, match="between 1 and window - 1 = 2"):
        sliding_windows(9, 3, 3)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (0, 0), (4, 0), (4, -1)])
def test_impossible_windows(window: int, stride: int) -> None:
    with pytest.raises(ValueError, match=r"window|stride"):
        sliding_windows(10, window, stride)
