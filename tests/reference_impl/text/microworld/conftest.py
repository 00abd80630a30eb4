"""Every split and evaluation set, made once for all tests of the corpus."""

import pytest

from reference_impl.text import microworld
from reference_impl.text.microworld import Question


@pytest.fixture(scope="session")
def corpus() -> dict[str, list[str]]:
    return {split: microworld.documents(split) for split in microworld.SPLITS}


@pytest.fixture(scope="session")
def test_sets() -> dict[str, list[Question]]:
    return microworld.evaluation_sets("test")


@pytest.fixture(scope="session")
def told(corpus: dict[str, list[str]]) -> dict[str, frozenset[str]]:
    """The sentences of each split."""
    return {split: frozenset(s for d in texts for s in microworld.sentences(d)) for split, texts in corpus.items()}
