"""Orders are pure functions of (seed, step): each item once an epoch, whatever was asked before."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.alignment.data.batches import Order, OrderWithin

SMALL = st.integers(1, 9)
LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=9)


@given(SMALL, SMALL, st.integers(0, 3))
def test_each_epoch_has_every_item_once(items: int, batch: int, seed: int) -> None:
    order = Order(items, batch, seed)
    drawn = [place for step in range(3 * items) for place in order.places(step)]  # 3 * batch epochs
    for epoch in range(3 * batch):
        assert sorted(drawn[epoch * items : (epoch + 1) * items]) == list(range(items))


@given(SMALL, SMALL, st.permutations(range(12)))
def test_a_step_does_not_depend_on_what_was_asked_before(items: int, batch: int, asked: list[int]) -> None:
    straight = [Order(items, batch, 1).places(step) for step in range(12)]
    resumed = Order(items, batch, 1)
    assert {step: resumed.places(step) for step in asked} == dict(enumerate(straight))


def test_epochs_and_seeds_differ() -> None:
    order = Order(50, 50)
    assert order.places(0) != order.places(1)
    assert order.places(0) != Order(50, 50, seed=1).places(0)


def test_epochs_are_counted() -> None:
    order = Order(10, 4)
    assert [order.epoch(step) for step in (0, 5, 10)] == [0, 2, 4]
    assert [order.steps(epochs) for epochs in (0, 0.5, 1, 2, 3)] == [0, 2, 3, 5, 8]


@given(LENGTHS, st.integers(7, 20), st.none() | SMALL, st.integers(0, 3))
def test_batches_within_a_budget(lengths: list[int], tokens: int, batch: int | None, seed: int) -> None:
    order = OrderWithin(lengths, tokens, batch=batch, seed=seed)
    for epoch in range(3):
        first, after = order.steps(epoch), order.steps(epoch + 1)
        drawn = [order.places(step) for step in range(first, after)]
        assert sorted(place for places in drawn for place in places) == list(range(len(lengths)))
        for places, following in zip(drawn, [*drawn[1:], None], strict=True):
            used = sum(lengths[place] for place in places)
            assert used <= tokens
            assert len(places) <= (batch or len(lengths))
            if following is not None:  # greedy: the next item didn't fit
                assert used + lengths[following[0]] > tokens or len(places) == batch
        assert order.epoch(first) == epoch


@given(LENGTHS, st.permutations(range(12)))
def test_a_budgeted_step_does_not_depend_on_what_was_asked_before(lengths: list[int], asked: list[int]) -> None:
    straight = OrderWithin(lengths, 9, seed=1)
    resumed = OrderWithin(lengths, 9, seed=1)
    expected = [straight.places(step) for step in range(12)]
    assert {step: resumed.places(step) for step in asked} == dict(enumerate(expected))


def test_a_budget_of_items_alone_has_the_order_of_whole_batches() -> None:
    order, within = Order(12, 4, seed=5), OrderWithin([1] * 12, 12, batch=4, seed=5)
    assert [within.places(step) for step in range(9)] == [order.places(step) for step in range(9)]


def test_an_epoch_within_a_budget_is_a_part_of_the_items() -> None:
    order = OrderWithin([3, 3, 3, 3], 6)
    assert Counter(len(order.places(step)) for step in range(4)) == {2: 4}
    assert [order.epoch(step) for step in range(4)] == [0, 0.5, 1, 1.5]


@pytest.mark.parametrize(("items", "batch"), [(0, 1), (1, 0), (0, 0)])
def test_nothing_to_draw(items: int, batch: int) -> None:
    with pytest.raises(ValueError, match="1 at least"):
        Order(items, batch)
    with pytest.raises(ValueError, match="1 at least"):
        OrderWithin([1] * items, 9, batch=batch)


def test_an_item_larger_than_the_budget_is_named() -> None:
    with pytest.raises(ValueError, match="item 1 has 9 tokens, and a batch at most 8"):
        OrderWithin([3, 9, 3], 8)
