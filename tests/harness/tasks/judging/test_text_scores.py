"""Text similarity: equality after what is ignored as lm-evaluation-harness has it, shared words, sacrebleu's scores."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.tasks.judging.text_scores import corpus_score, corpus_statistics, edit_similarity, is_match, word_f1, words


@pytest.mark.parametrize(
    ("answer", "target", "ignored", "expected"),
    [
        (
            "The Answer, 12!",
            "the answer",
            {"ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True},
            False,
        ),
        ("$1,200", "1200", {"regexes_to_ignore": [",", r"\$"]}, True),
        ("a", "A", {}, False),
        ("x.", "x", {"ignore_punctuation": True}, True),
        ("the 1", "The ", {"ignore_case": True, "ignore_numbers": True}, True),
        (" Paris", "Paris", {}, False),
        ("caf\u00e9", "cafe\u0301", {}, False),
        ("\u201cx\u201d", "x", {"ignore_punctuation": True}, False),
        ("72.0", "72", {"numbers": True}, False),
        ("(?i)Xx", "xx", {"regexes_to_ignore": [r"\(\?i\)"], "ignore_case": True}, True),
    ],
)
def test_exact_match_is_that_of_lm_eval(answer: str, target: str, ignored: dict[str, Any], expected: bool) -> None:
    assert is_match(answer, [target], ignored, "lm-eval") is expected
    assert is_match(answer, ["something else", target], ignored, "lm-eval") is expected


def test_nothing_extracted_equals_nothing() -> None:
    assert not is_match(None, ["None"], {})
    assert is_match(3, ["3"], {})


def test_word_f1_by_hand() -> None:
    # {cat, sat, down} and {cat, sat}: precision 2/3, recall 1
    assert word_f1("The cat sat down.", ["a cat sat"]) == pytest.approx(0.8)
    assert word_f1("dog", ["a cat sat", "Dog!"]) == 1
    assert word_f1("", ["x"]) == 0
    assert word_f1("", [""]) == 1


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("The cat sat, down.", ["cat", "sat", "down"]),
        ("\u5317\u4eac\u5e02\u3002", ["\u5317", "\u4eac", "\u5e02"]),
        ("\u6771\u4eac\u30bf\u30ef\u30fc\u306f2\u3064", [*"\u6771\u4eac\u30bf\u30ef\u30fc\u306f2\u3064"]),
        ("iPhone15\u624b\u673a", ["iphone15", "\u624b", "\u673a"]),
        ("\U00020bb7\u91ce\u5bb6", ["\U00020bb7", "\u91ce", "\u5bb6"]),
        ("\uc11c\uc6b8 \ud2b9\ubcc4\uc2dc", ["\uc11c\uc6b8", "\ud2b9\ubcc4\uc2dc"]),
        ("\u201cCafe\u0301\u201d", ["caf\u00e9"]),
        ("A", ["a"]),
        ("The the", ["the", "the"]),
        ("", []),
    ],
)
def test_what_a_word_is(text: str, units: list[str]) -> None:
    assert words(text) == units


def test_word_f1_of_chinese_counts_characters() -> None:
    # 3 of the answer's 5 characters are the target's 3: precision 0.6, recall 1
    assert word_f1("\u5317\u4eac\u5e02\u4e2d\u5fc3", ["\u5317\u4eac\u5e02"]) == pytest.approx(0.75)
    assert word_f1("\u5317\u4eac\u3002", ["\u5317\u4eac"]) == 1


def test_nothing_is_no_letter() -> None:
    assert word_f1("", ["A"]) == 0
    assert word_f1("the", ["A"]) == 0
    assert word_f1("A.", ["a"]) == 1


def _distance(one: str, other: str) -> int:
    """Levenshtein's recursion as it is defined: slow and obvious."""
    if not one or not other:
        return len(one) + len(other)
    if one[0] == other[0]:
        return _distance(one[1:], other[1:])
    return 1 + min(_distance(one[1:], other), _distance(one, other[1:]), _distance(one[1:], other[1:]))


@given(st.text("ab1", max_size=5), st.text("ab1", max_size=5))
def test_edit_similarity_is_the_recursion(one: str, other: str) -> None:
    longer = max(len(one), len(other))
    expected = 1 - _distance(one, other) / longer if longer else 1.0
    assert edit_similarity(one, [other], {}) == pytest.approx(expected)


def _rows(one: str, other: str) -> int:
    """The distance by Wagner and Fischer's table, a row after the other."""
    row = list(range(len(other) + 1))
    for number, character in enumerate(one, start=1):
        before, row = row, [number]
        for place, wanted in enumerate(other):
            row.append(min(row[place] + 1, before[place + 1] + 1, before[place] + (character != wanted)))
    return row[-1]


@given(*[st.text("ab1é東🙂", max_size=90)] * 2)
def test_edit_similarity_counts_code_points_of_long_texts(one: str, other: str) -> None:
    longer = max(len(one), len(other))
    expected = 1 - _rows(one, other) / longer if longer else 1.0
    assert edit_similarity(one, [other], mode="lm-eval") == expected


def test_edit_similarity_takes_the_nearest_target_after_what_is_ignored() -> None:
    assert edit_similarity("1234", ["9999", "1294"], {}) == 0.75
    assert edit_similarity("Yes!", ["yes"], {"ignore_case": True, "ignore_punctuation": True}) == 1
    assert edit_similarity(None, ["None"], {}) == 0
    assert edit_similarity(" cafe\u0301\n", ["caf\u00e9"]) == 1
    assert edit_similarity(" ab", ["ab"], mode="lm-eval") == pytest.approx(2 / 3)


def test_sacrebleu_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(UserError, match=r"gpt-harness\[translation\]"):
        corpus_statistics("bleu", ["a"], [["a"]])


@pytest.mark.parametrize("name", ["bleu", "chrf", "chrf++", "ter"])
def test_summed_statistics_give_sacrebleus_corpus_score(name: str) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    draw = random.Random(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "big", "red", "dog"]
    references = [[" ".join(draw.choices(words, k=8)) for _ in range(1 + place % 2)] for place in range(12)]
    answers = [" ".join([*texts[-1].split()[:6], "x"]) for texts in references]
    streams = [[texts[0] for texts in references], [texts[1] if len(texts) > 1 else None for texts in references]]
    whole = {
        "bleu": lambda: sacrebleu.corpus_bleu(answers, streams),
        "chrf": lambda: sacrebleu.corpus_chrf(answers, streams),
        "chrf++": lambda: sacrebleu.corpus_chrf(answers, streams, word_order=2),
        "ter": lambda: sacrebleu.corpus_ter(answers, streams),
    }
    found = corpus_score(name, corpus_statistics(name, answers, references).sum(0))
    assert found == pytest.approx(whole[name]().score, rel=1e-12)
