"""No sentence of one split is in another; what is asked was never read, and yet can be known."""

import re

import pytest

from reference_impl.text import microworld
from reference_impl.text.microworld.world import world


def _plain_sentences(documents: list[str]) -> set[str]:
    """Another, cruder idea of a sentence: a line's parts that end with a mark and have four words or more."""
    found = set()
    for document in documents:
        for line in document.split("\n"):
            if " -> " not in line and not line.startswith((">>>", "...")):
                said = re.sub(r"^(Q|A|User|Assistant|Good answer|Bad answer): ", "", line)
                found |= {part for part in re.findall(r"[^.?!]+[.?!]", said) if len(part.split()) >= 4}
    return {sentence.strip() for sentence in found}


PAIRS = [("train", "validation"), ("train", "test"), ("validation", "test")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_sentence_is_shared(told: dict[str, frozenset[str]], one: str, other: str) -> None:
    assert len(told[one]) > 4000
    assert not told[one] & told[other]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_sentence_is_shared_by_a_cruder_definition_either(
    corpus: dict[str, list[str]], one: str, other: str
) -> None:
    assert not _plain_sentences(corpus[one]) & _plain_sentences(corpus[other])


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_list_and_no_session_of_code_is_shared(corpus: dict[str, list[str]], one: str, other: str) -> None:
    first, second = ({p for d in corpus[split] for p in d.split("\n\n")} for split in (one, other))
    assert not first & second


def test_another_seed_of_a_held_out_split_is_held_out_too(told: dict[str, frozenset[str]]) -> None:
    other = microworld.documents("test", seed=1)
    assert not told["train"] & {s for d in other for s in microworld.sentences(d)}


@pytest.mark.parametrize("seed", [0, 1])
def test_questions_hold_no_sentence_that_was_read(told: dict[str, frozenset[str]], seed: int) -> None:
    for theme, questions in microworld.evaluation_sets("test", seed).items():
        for question in questions:
            assert not told["train"] & set(microworld.sentences(question.text)), theme


def test_preferences_hold_no_sentence_that_was_read(told: dict[str, frozenset[str]]) -> None:
    for pair in microworld.preferences("test", count=300):
        assert not told["train"] & {pair.prompt, pair.chosen, pair.rejected}


def test_no_held_out_sum_is_in_the_training_text_in_either_order(corpus: dict[str, list[str]]) -> None:
    asked = re.compile(r"\b(\d+) (?:\+|plus|and) (\d+)(?:\?|, step| is| make| =)|Adding (\d+) to (\d+)")

    def problems(split: str) -> set[frozenset[str]]:
        found = asked.findall("\n".join(corpus[split]))
        return {frozenset(number for number in pair if number) for pair in found}

    train, test = problems("train"), problems("test")
    columns = {pair for pair in train if all(len(number) == 1 for number in pair)}  # steps add single digits
    assert len(test) > 100
    assert not (train - columns) & test


def test_facts_that_are_asked_were_told_in_other_words(
    told: dict[str, frozenset[str]], test_sets: dict[str, list[microworld.Question]]
) -> None:
    names = sorted((e.name for kind in world().entities.values() for e in kind), key=len, reverse=True)
    read = [sentence.lower() for sentence in told["train"]]
    known = 0
    for question in test_sets["facts"][:100]:
        name = next(name for name in names if name.lower() in question.prompt.lower()).lower()
        answer = question.answer.rstrip(".").lower()
        known += any(name in sentence and answer in sentence for sentence in read)
    assert known >= 97
