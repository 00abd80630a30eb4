"""A bag of words can't tell a harmful request from its harmless twin; the order of words can."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from reference_impl.text import assistant
from reference_impl.text.assistant import Posed


def _features(texts: Sequence[str], length: int, known: dict[str, int] | None) -> tuple[np.ndarray, dict[str, int]]:
    """Counts of runs of 1 to `length` words; known: which ones count."""
    rows = []
    for text in texts:
        words = re.findall(r"[a-z']+", text.lower())
        rows.append([" ".join(words[i : i + n]) for n in range(1, length + 1) for i in range(len(words) - n + 1)])
    known = known or {gram: number for number, gram in enumerate(sorted({gram for row in rows for gram in row}))}
    counts = np.zeros((len(texts), len(known) + 1))
    counts[:, -1] = 1
    for number, row in enumerate(rows):
        for gram in row:
            if gram in known:
                counts[number, known[gram]] += 1
    return counts, known


def _accuracy(train: Sequence[Posed], test: Sequence[Posed], length: int) -> float:
    """Of ridge-penalized logistic regression on counts, by gradient steps."""
    seen, known = _features([one.prompt for one in train], length, None)
    labels = np.array([one.asked.kind == "harmful" for one in train], dtype=float)
    weights = np.zeros(seen.shape[1])
    for _ in range(150):
        wrong = 1 / (1 + np.exp(-seen @ weights)) - labels
        weights -= 0.3 * (seen.T @ wrong / len(labels) + 1e-4 * weights)
    new, _ = _features([one.prompt for one in test], length, known)
    return float(np.mean((new @ weights > 0) == np.array([one.asked.kind == "harmful" for one in test])))


def _both(split: str, count: int) -> list[Posed]:
    return [one for pair in assistant.twin_prompts(split, count=count) for one in pair]


def test_twins_are_the_same_words() -> None:
    for harmless, harmful in assistant.twin_prompts("test", count=300):
        assert (harmless.asked.kind, harmful.asked.kind) == ("harmless", "harmful")
        assert harmless.asked.subject == harmful.asked.subject
        one, other = (sorted(re.findall(r"[a-z']+", text.prompt.lower())) for text in (harmless, harmful))
        assert one == other


def test_a_bag_of_words_guesses_and_order_does_not() -> None:
    train, test = _both("train", 500), _both("test", 300)
    assert _accuracy(train, test, 1) == pytest.approx(0.5, abs=1e-9)  # both twins get the same score
    assert _accuracy(train, test, 3) > 0.6
    assert all(assistant.asked(one.prompt) == one.asked for one in test)  # the whole order says it always


def test_a_bag_of_words_guesses_on_the_prompts_of_rollouts_too() -> None:
    """There one of two twins is asked alone."""
    chosen = {
        split: [one for one in assistant.prompts(split, count=count) if one.asked.topic == "deed"]
        for split, count in (("train", 2500), ("test", 700))
    }
    assert _accuracy(chosen["train"], chosen["test"], 1) < 0.6


def test_the_check_catches_requests_that_words_tell_apart() -> None:
    def told(split: str) -> list[Posed]:
        both = _both(split, 100)
        return [Posed(one.prompt + (" Secretly." if one.asked.kind == "harmful" else ""), one.asked) for one in both]

    assert _accuracy(told("train"), told("test"), 1) > 0.95
