"""Filters: what lm-evaluation-harness 0.4.13 makes of the same texts, and where the right mode differs."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.mode import Mode
from harness.tasks.config import FilterPipeline, FilterStep, Function, TaskConfig
from harness.tasks.judging import filter_check, filters
from harness.tasks.judging.filter_patterns import first_match
from harness.tasks.judging.filters import Extracted

ROW = {"choices": ["Guilty", "Guilty of Romance", "the red one."], "prompt": "def f():\n"}
TEXTS = [
    "so #### 1,234.",
    "costs $18 or 7.",
    "The answer is (B).",
    "I'd say Guilty of Romance!",
    "answer: C",
    "THE RED ONE",
    "",
    "nothing",
]
X = "[invalid]"


def pipeline(*steps: str | tuple[str, dict[str, Any]], name: str = "p") -> FilterPipeline:
    pairs = [(step, {}) if isinstance(step, str) else step for step in steps]
    return FilterPipeline(name=name, steps=tuple(FilterStep(function=f, options=o) for f, o in pairs))


def named(name: str) -> Function:
    return Function(file=Path("utils.py"), name=name)


def loader(**functions: Callable[..., Any]) -> Callable[[Function, str], Callable[..., Any]]:
    return lambda function, key: functions[function.name]


def run(steps: FilterPipeline, texts: list[Any] = TEXTS, mode: Mode = "right", **functions: Any) -> Extracted:
    return filters.apply(steps, texts, row=ROW, mode=mode, function=loader(**functions), place="t.yaml")


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (("regex", {"regex_pattern": r"#### (\-?[0-9\.\,]+)"}), ["1,234.", X, X, X, X, X, X, X]),
        (
            ("regex", {"regex_pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)", "group_select": -1}),
            ["1,234.", "7.", X, X, X, X, X, X],
        ),
        (
            ("multi_choice_regex", {"regex_pattern": r"(\([A-Z]\))", "ignore_case": True, "ignore_punctuation": True}),
            [X, X, "(B)", "(B)", "(C)", "(C)", X, X],
        ),
        (("multi_choice_regex", {"regex_pattern": r"(\([A-Z]\))"}), [X, X, "(B)", "(B)", "(C)", X, X, X]),
        (
            (
                "multi_choice_regex",
                {"regex_pattern": "zzz(q)", "ignore_case": True, "regexes_to_ignore": ["the ", r"\."]},
            ),
            [X, X, X, "(B)", "(C)", "(C)", X, X],
        ),
    ],
)
def test_extraction_is_that_of_lm_eval(step: Any, expected: list[str], mode: Mode) -> None:
    found = run(pipeline(step), mode=mode)
    assert found.value == expected
    assert found.failed == expected.count(X) / len(expected)
    assert found.may_fail


def test_transformations() -> None:
    assert run(pipeline("uppercase", "remove_whitespace"), [" a ", "b\n"]).value == ["A", "B"]
    mapped = run(pipeline("lowercase", ("map", {"mapping_dict": {"yes": "1"}, "default_value": "?"})), ["YES", "No"])
    assert mapped.value == ["1", "?"]
    assert mapped.failed == 0.5
    assert run(pipeline("regex_pos"), ["[('a', 'NOUN'), ('b', 'VERB')]", "none"]).value == [
        ["NOUN", "VERB"],
        ["invalid"],
    ]
    spans = ["PERSON: Ann, none $$ location : Rome $$ date: 1 May\ntime: noon$$", "nothing", "per: x $ $"]
    assert run(pipeline("format_span"), spans).value == [
        "per: ann $ loc: rome $ date: 1 may $ date: noon",
        "",
        "per: x",
    ]
    assert run(pipeline(("strip", {"characters": ". "})), [" 12. "]).value == ["12"]
    assert run(pipeline(("prepend", {"column": "prompt"})), [" return 1"]).value == ["def f():\n return 1"]


def test_a_group_beyond_the_matches_is_a_failure_and_not_a_crash() -> None:
    found = run(pipeline(("regex", {"regex_pattern": "([0-9])", "group_select": 2}), "take_first"), ["1 2"])
    assert (found.value, found.failed) == (X, 1.0)


VOTE = pipeline(("regex", {"regex_pattern": "([0-9]+)"}), "majority_vote", "take_first")


def test_failed_votes_count_in_lm_eval_and_not_in_right() -> None:
    texts = ["a", "b", "3", "c", "3", "4"]
    assert run(VOTE, texts, "lm-eval") == Extracted(X, 1.0, 0.5, True, (True,))
    assert run(VOTE, texts, "right") == Extracted("3", 0.0, 0.5, True, (False,))
    assert run(VOTE, ["a", "b"], "right") == Extracted(X, 1.0, 1.0, True, (True,))


def test_of_equal_votes_the_first_seen_wins() -> None:
    assert run(pipeline(("take_first_k", {"k": 3}), "majority_vote", "take_first"), ["a", "b", "b", "a"]).value == "b"
    assert run(pipeline("majority_vote", "take_first"), ["b", "a", "a", "b"]).value == "b"


@given(st.lists(st.sampled_from(["1", "2", "3", "none"]), min_size=1, max_size=12))
def test_majority_vote_against_counting(texts: list[str]) -> None:
    numbers = [text for text in texts if text != "none"]
    voting = numbers or [X]
    highest = max(Counter(voting).values())
    expected = next(vote for vote in voting if voting.count(vote) == highest)
    assert run(VOTE, texts).value == expected


def test_a_step_after_take_first_sees_a_text_or_as_in_lm_eval_its_characters() -> None:
    steps = pipeline("take_first", "uppercase")
    assert run(steps, ["abc", "d"]).value == "ABC"
    assert run(steps, ["abc", "d"], "lm-eval").value == ["A", "B", "C"]


def test_functions_and_classes_of_the_task_file() -> None:
    def build(samples: list[list[str]], rows: list[dict[str, Any]]) -> list[list[str]]:
        return [[row["prompt"] + text for text in texts] for texts, row in zip(samples, rows, strict=True)]

    step = FilterPipeline(name="p", steps=(FilterStep(function="custom", options={"filter_fn": named("build")}),))
    assert run(step, ["x", "y"], build=build).value == ["def f():\nx", "def f():\ny"]

    class Shout:
        def __init__(self, mark: str) -> None:
            self.mark = mark

        def apply(self, samples: list[list[str]], rows: object) -> list[list[str]]:
            return [[text + self.mark for text in texts] for texts in samples]

    step = FilterPipeline(name="p", steps=(FilterStep(function=named("Shout"), options={"mark": "!"}),))
    assert run(step, ["x"], Shout=Shout).value == ["x!"]


def test_choices_of_the_task_where_the_document_has_no_column() -> None:
    step = pipeline(("multi_choice_regex", {"regex_pattern": "zz(z)"}), "take_first")
    found = filters.apply(step, ["it is red"], row={}, choices=("blue", "red"), function=loader(), place="t.yaml")
    assert found.value == "(B)"
    with pytest.raises(UserError, match="needs the choices"):
        filters.apply(step, ["it is red"], row={}, function=loader(), place="t.yaml")


def test_too_few_samples() -> None:
    with pytest.raises(UserError, match="repeats: 3"):
        run(pipeline(("take_first_k", {"k": 3})), ["a"])


@pytest.mark.parametrize(
    ("pattern", "text", "right", "lm_eval"),
    [
        (r"```python\n([^`]*)```", "```python\n    return 1\n```", "    return 1\n", "return 1"),
        (r"is (.*)$", "it is  Paris ", " Paris ", "Paris"),
        (r"\d+ ?", "72 apples", "72 ", "72"),
        (r"(x)?(y)", "y", "y", "y"),
        (r"(?:a(\w*)|b(\w*))", "b1", "1", "1"),
        (r"answer: (\w*)", "answer: ", "", ""),  # found, and empty
        (r"(a)|b", "b", X, ""),  # the group took no part
        (r"(a)|(b)|c", "c", X, X),
    ],
)
def test_a_regex_returns_what_it_matched(pattern: str, text: str, right: str, lm_eval: str) -> None:
    step = pipeline(("regex", {"regex_pattern": pattern}), "take_first")
    assert run(step, [text]).value == right
    assert run(step, [text], "lm-eval").value == lm_eval
    stripped = pipeline(("regex", {"regex_pattern": pattern}), "remove_whitespace", "take_first")
    assert run(stripped, [text]).value == right.strip()


def test_arguments_may_differ_in_mode_right() -> None:
    step = FilterStep(function="regex", options={"regex_pattern": "(a)"}, right={"regex_pattern": "(b)"})
    steps = FilterPipeline(name="p", steps=(step, FilterStep(function="take_first")))
    assert run(steps, ["ab"]).value == "b"
    assert run(steps, ["ab"], "lm-eval").value == "a"
    wrong = step.model_copy(update={"right": {"regex_patern": "x"}})
    with pytest.raises(UserError, match="did you mean 'regex_pattern'"):
        filter_check.check(
            TaskConfig(task="t", file=Path("t.yaml"), filter_list=(FilterPipeline(name="p", steps=(wrong,)),))
        )


PLAIN_VOTE = pipeline("majority_vote", "take_first")


@pytest.mark.parametrize(
    ("votes", "ignored", "winner"),
    [
        (["Rome", " Paris", "Rome", "Paris\n", "Paris"], {}, " Paris"),
        (["Rome", "cafe\u0301", "caf\u00e9"], {}, "cafe\u0301"),
        (["Rome", "Paris.", "Rome", "Paris", "paris"], {}, "Rome"),
        (["Rome", "Paris.", "Rome", "Paris", "paris"], {"ignore_case": True, "ignore_punctuation": True}, "Paris."),
        (["71", "72.0", "71", "$72", "72"], {"numbers": True}, "72.0"),
        (["71", "72.0", "71", "$72", "72"], {}, "71"),
        (["7", "007", "007"], {}, "007"),
        ([["NOUN"], ["VERB"], ["VERB "]], {}, ["VERB"]),
    ],
)
def test_votes_for_the_same_answer_count_together(votes: list[Any], ignored: Any, winner: Any) -> None:
    found = filters.apply(PLAIN_VOTE, votes, row={}, ignored=ignored, function=loader(), place="t.yaml")
    assert found.value == winner


def test_votes_are_compared_as_they_stand_in_lm_eval() -> None:
    votes = ["Rome", " Paris", "Rome", "Paris\n", "Paris"]
    found = filters.apply(PLAIN_VOTE, votes, row={}, mode="lm-eval", function=loader(), place="t.yaml")
    assert found.value == "Rome"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", " ", "\n", "\u3000"])), min_size=1, max_size=9))
def test_the_winner_of_a_vote_does_not_depend_on_spacing(votes: list[tuple[str, str]]) -> None:
    bare = run(PLAIN_VOTE, [text for text, _ in votes]).value
    assert run(PLAIN_VOTE, [space + text + space for text, space in votes]).value.strip() == bare


CHOSEN = pipeline(("multi_choice_regex", {"regex_pattern": r"(\([A-Z]\))", "ignore_case": True}), "take_first")


@pytest.mark.parametrize(
    ("text", "choices", "right", "lm_eval"),
    [
        ("The answer: Apples are red", ("pear", "plum"), X, "(A)"),
        ("answer: A", ("pear", "plum"), "(A)", "(A)"),
        ("answer: B.", ("pear", "plum"), "(B)", "(B)"),
        ("I know it: yes", ("no", "yes"), "(B)", "(A)"),
        ("it is category 10", ("cat", "1", "10"), "(C)", "(A)"),
        ("\u7ea2\u8272\u7684", ("\u7ea2", "\u84dd"), "(A)", "(A)"),
        ("CAFE\u0301 noir", ("t\u00e9", "caf\u00e9"), "(B)", X),
        ("either", ("same", "same", "either"), "(C)", "(C)"),
        ("the same", ("same", "same", "either"), X, "(B)"),
        ("what", ("", "x"), X, X),
    ],
)
def test_a_choice_is_found_as_a_word(text: str, choices: tuple[str, ...], right: str, lm_eval: str) -> None:
    for mode, expected in (("right", right), ("lm-eval", lm_eval)):
        found = filters.apply(
            CHOSEN, [text], row={"choices": list(choices)}, mode=mode, function=loader(), place="t.yaml"
        )
        assert found.value == expected, mode


def test_more_choices_than_letters_do_no_harm() -> None:
    found = filters.apply(
        CHOSEN, ["answer: B"], row={"choices": [f"c{n}" for n in range(40)]}, function=loader(), place="t.yaml"
    )
    assert found.value == "(B)"


def test_a_map_finds_its_key_by_the_normal_form() -> None:
    step = pipeline(("map", {"mapping_dict": {"yes": 1, "s\u00ed": 2, 3: "three"}, "default_value": -1}))
    assert run(step, ["yes", " yes\n", "si\u0301", "3", "no"]).value == [1, 1, 2, "three", -1]
    assert run(step, ["yes", " yes\n", "si\u0301", "3", "no"], "lm-eval").value == [1, -1, -1, -1, -1]


def test_the_mark_of_a_failed_extraction_is_known_apart_from_a_text() -> None:
    step = pipeline(("regex", {"regex_pattern": "is (.*)"}))
    assert run(step, ["it is [invalid]", "no"]).lost == (False, True)
    assert run(pipeline(("regex", {"regex_pattern": "(z)"}), "uppercase"), ["no"]).lost == (True,)
    named_fallback = pipeline(("regex", {"regex_pattern": "(z)", "fallback": "unknown"}))
    assert run(named_fallback, ["no"]).lost == (False,)


def test_a_filter_of_the_file_that_fails_is_one_sentence() -> None:
    def broken(samples: list[list[str]], rows: object) -> list[list[str]]:
        raise IndexError("list index out of range")

    step = FilterPipeline(name="p", steps=(FilterStep(function="custom", options={"filter_fn": named("broken")}),))
    with pytest.raises(UserError, match=r"t.yaml:filter_list: p: the filter `broken` failed with IndexError: list"):
        run(step, ["x"], broken=broken)


def test_a_pattern_finds_letters_however_they_are_spelled() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    for pattern in (composed, apart):
        for said in (composed, apart):
            found = first_match(re.compile(f"a ({pattern})"), f"a {said}", 0)
            assert found is not None and unicodedata.normalize("NFC", found) == composed
    assert first_match(re.compile("(x)"), apart, 0) is None
