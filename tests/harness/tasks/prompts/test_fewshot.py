"""Few-shot examples: never the document itself, the same whatever else is asked, and as lm-eval draws them."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tasks.prompts.fewshot import Draw, Pool, Sampler, draw, draw_as_lm_eval

SAMPLERS: tuple[Sampler, ...] = ("random", "first_n", "balanced", "fixed")


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"q": number, "label": number % 3} for number in range(start, start + count)]


def how(shots: int, sampler: Sampler = "random", seed: int = 1234, **more: Any) -> Draw:
    return Draw(shots, sampler, seed, "task", **({"label": lambda row: row["label"]} | more))


def pool(held: list[dict[str, Any]], **more: Any) -> Pool:
    return Pool(held, "train", "t.yaml", **more)


@given(
    st.sampled_from(SAMPLERS),
    st.integers(0, 6),
    st.integers(0, 3),
    st.lists(st.integers(0, 11), max_size=12, unique=True),
    st.integers(0, 2**40),
)
def test_a_draw_depends_on_seed_task_and_document_alone(
    sampler: Sampler, shots: int, copies: int, order: list[int], seed: int
) -> None:
    held = rows(12) + rows(copies)  # some documents twice
    source = pool(held, keeps_places=True)
    straight = draw(source, how(shots, sampler, seed), list(enumerate(held[:12])))
    shuffled = draw(source, how(shots, sampler, seed), [(number, held[number]) for number in order])
    assert shuffled == [straight[number] for number in order]
    for number, places in enumerate(straight):
        assert len(set(places)) == shots
        assert all(held[place] != held[number] for place in places)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_document_is_never_its_own_example(sampler: Sampler) -> None:
    held = rows(4)
    documents = list(enumerate(held))
    for source in (pool(held), pool(held, keeps_places=True), pool([*held, *held])):
        for (_, row), places in zip(documents, draw(source, how(3, sampler), documents), strict=True):
            assert all(source.rows[place] != row for place in places)
    # what stands at the document's place is the document, also where its columns were changed
    changed = [{**row, "q": row["q"] + 100} for row in held]
    for number, places in enumerate(draw(pool(changed, keeps_places=True), how(3, sampler), documents)):
        assert number not in places
    assert any(
        number in places for number, places in enumerate(draw(pool(changed), how(3, sampler), documents))
    )  # else another document may stand there


def test_seed_task_and_document_each_change_the_draw() -> None:
    source, documents = pool(rows(50, 100)), list(enumerate(rows(20)))
    drawn = draw(source, how(5), documents)
    assert len(set(drawn)) == 20
    assert draw(source, how(5, seed=1), documents) != drawn
    other = Draw(5, "random", 1234, "another")
    assert draw(source, other, documents) != drawn


@pytest.mark.parametrize("sampler", ["random", "first_n", "fixed"])
def test_the_examples_of_more_shots_begin_with_those_of_fewer(sampler: Sampler) -> None:
    source, documents = pool(rows(9)), list(enumerate(rows(9)))
    longest = draw(source, how(8, sampler), documents)
    for shots in range(8):
        assert draw(source, how(shots, sampler), documents) == [places[:shots] for places in longest]


def test_every_order_is_as_likely() -> None:
    source = pool(rows(4, 100))
    drawn = Counter(draw(source, how(2), [(number, {}) for number in range(6000)]))
    assert len(drawn) == 12  # 4 times 3 ordered pairs
    assert all(400 < count < 600 for count in drawn.values())  # expected 500, standard deviation 21


def test_first_ones_and_fixed_ones_stand_in_their_order() -> None:
    held = rows(5)
    assert draw(pool(held), how(3, "first_n"), [(1, held[1]), (4, held[4])]) == [(0, 2, 3), (0, 1, 2)]
    assert draw(pool(rows(3, 50)), how(3, "fixed"), [(0, held[0])]) == [(0, 1, 2)]


def test_balanced_takes_from_every_class_in_turn() -> None:
    held = [{"q": number, "label": 0} for number in range(40)] + [{"q": 40, "label": 1}, {"q": 41, "label": 2}]
    documents = [(number, {"q": -number}) for number in range(30)]
    last = set()
    for places in draw(pool(held), how(5, "balanced"), documents):
        assert Counter(held[place]["label"] for place in places) == {0: 3, 1: 1, 2: 1}
        last.add(held[places[-1]]["label"])
    assert last == {0, 1, 2}  # no class is always the last one before the question
    for places in draw(pool(held), how(2, "balanced"), documents):
        assert len({held[place]["label"] for place in places}) == 2


def test_examples_that_share_a_value_with_the_document() -> None:
    held = rows(30)
    documents = list(enumerate(held))
    for sampler in SAMPLERS:
        drawn = draw(pool(held), how(4, sampler, same=lambda row: row["q"] % 5), documents)
        for (_, row), places in zip(documents, drawn, strict=True):
            assert all(held[place]["q"] % 5 == row["q"] % 5 for place in places)
    with pytest.raises(UserError, match="document 7: 6 few-shot examples are wanted, split 'train' has only 5"):
        draw(pool(held), how(6, same=lambda row: row["q"] % 5), [(7, held[7])])


def test_only_these_rows_in_this_order() -> None:
    held = rows(6)
    source = pool(held, only=[4, 2, 0])
    assert draw(source, how(2, "first_n"), [(0, held[0]), (4, held[4])]) == [(4, 2), (2, 0)]
    assert {place for places in draw(source, how(2), list(enumerate(held))) for place in places} == {0, 2, 4}
    with pytest.raises(UserError, match="`fewshot_indices` names row 6, and split 'train' has rows 0 to 5"):
        draw(pool(held, only=[6]), how(1), [(0, held[0])])


@pytest.mark.parametrize("draw_by", [draw, draw_as_lm_eval])
@pytest.mark.parametrize("sampler", ["random", "first_n"])
def test_a_pool_that_is_too_small(draw_by: Any, sampler: Sampler) -> None:
    held = rows(3)
    with pytest.raises(
        UserError, match="document 2: 3 few-shot examples are wanted, split 'train' has only 2"
    ) as caught:
        draw_by(pool(held, excludes=True), how(3, sampler), [(2, held[2])])
    assert caught.value.place == "t.yaml"
    with pytest.raises(UserError, match="the task file's examples has none"):
        draw_by(Pool([], None, "t.yaml"), how(1, sampler), [(0, held[0])])


@given(st.integers(1, 5), st.booleans(), st.integers(0, 4), st.integers(0, 99))
def test_one_stream_through_all_documents_as_lm_eval(shots: int, excludes: bool, copies: int, seed: int) -> None:
    """Against the rule written out on the rows themselves: one more is drawn where the document is to be left out."""
    held = rows(6) + rows(1) * copies + rows(5, 50)
    documents = rows(6)
    stream, expected = random.Random(seed), []
    for document in documents:
        chosen = stream.sample(held, shots + 1 if excludes else shots)
        if excludes:
            chosen = [row for row in chosen if row != document][:shots]
        if len(chosen) < shots:
            chosen = stream.sample([row for row in held if row != document], shots)
        expected.append(chosen)
    drawn = draw_as_lm_eval(pool(held, excludes=excludes), how(shots, seed=seed), list(enumerate(documents)))
    assert [[held[place] for place in places] for places in drawn] == expected
    few = draw_as_lm_eval(pool(held, excludes=excludes), how(shots, seed=seed), list(enumerate(documents))[:2])
    assert few == drawn[:2]  # a limit leaves the stream where it is


def test_first_ones_as_lm_eval() -> None:
    held = rows(5)
    documents = [(1, held[1])]
    assert draw_as_lm_eval(pool(held), how(2, "first_n"), documents) == [(0, 1)]
    assert draw_as_lm_eval(pool(held, excludes=True), how(2, "first_n"), documents) == [(0, 2)]
