"""What the corpus says is right: sums, steps, code, families and stories against slow, independent oracles."""

import contextlib
import io
import re
from fractions import Fraction
from operator import add, mul, sub, truediv

import pytest

from reference_impl.text import microworld
from reference_impl.text.microworld import Question, code
from reference_impl.text.microworld.arithmetic import working
from reference_impl.text.microworld.lexicon import with_article
from reference_impl.text.microworld.world import world

_EQUATION = re.compile(r"(?<![\w.])(\d+(?: [-+*/] \d+)+) = (\d+)")


def _value(expression: str) -> Fraction:
    first, *rest = expression.split()
    value = Fraction(int(first))
    for sign, number in zip(rest[::2], map(int, rest[1::2]), strict=True):
        value = {"+": add, "-": sub, "*": mul, "/": truediv}[sign](value, number)
    return value


def test_every_equation_in_every_split_holds(corpus: dict[str, list[str]]) -> None:
    for documents in corpus.values():
        equations = _EQUATION.findall("\n".join(documents))
        assert len(equations) > 500
        for left, right in equations:
            assert _value(left) == int(right), f"{left} = {right}"


@pytest.mark.parametrize(("a", "b"), [(0, 0), (9, 9), (7, 85), (999, 1), (9999, 9999), (1000, 1), (450, 550)])
def test_columns_written_out_give_the_sum(a: int, b: int) -> None:
    written = re.findall(r"write (\d+)", working(a, b))
    assert int("".join(reversed(written))) == a + b


def test_the_steps_of_a_word_problem_follow_each_other(test_sets: dict[str, list[Question]]) -> None:
    for question in test_sets["word_problems"]:
        if question.reasoning == "steps":
            equations = _EQUATION.findall(question.target)
            assert len(equations) == question.level
            start = re.search(r"\d+", question.prompt)
            assert start is not None
            count = start.group()
            for left, right in equations:
                assert count in left.split()
                count = right
            assert count == question.answer
            assert re.findall(r"\d+", question.target)[-1] == question.answer


@pytest.mark.parametrize("function", code.FUNCTIONS, ids=lambda function: function.name)
def test_functions_compute_what_their_source_says(function: code.Function) -> None:
    scope: dict[str, object] = {}
    exec("\n".join(line[4:] for line in code.source(function).split("\n")), scope)
    typed = scope[function.name]
    assert callable(typed)
    arguments: dict[str, list[object]] = {"int": list(range(1, 21)), "word": list(code.WORDS)}
    lists: list[object] = [[3, 1], [12, 5, 5], [1, 2, 3, 12], [7, 7]]
    for argument in arguments.get(function.argument, lists):
        assert typed(argument) == function.compute(argument)


def test_sessions_in_the_text_run_as_shown(corpus: dict[str, list[str]]) -> None:
    sessions = [part for document in corpus["test"] for part in document.split("\n\n") if part.startswith(">>>")]
    assert len(sessions) > 50
    for session in sessions:
        typed = [line[4:] for line in session.split("\n") if line.startswith((">>> ", "... "))]
        calls = [line for line in typed if not line.startswith(("def ", " "))]
        scope: dict[str, object] = {}
        exec("\n".join(line for line in typed if line not in calls), scope)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            for call in calls:
                print(repr(eval(call, scope)))
        assert printed.getvalue().split() == " ".join(re.findall(r"^(?!>>>|\.\.\.).+$", session, re.M)).split()


def test_the_end_of_a_story_is_where_its_last_event_left_the_thing(test_sets: dict[str, list[Question]]) -> None:
    """The last sentence on the thing before the question names who has it or where it is."""
    for question in test_sets["stories"]:
        *told, ending = microworld.sentences(question.text)
        named = re.findall(r"(?i)\bthe (?=(\w+ \w+))", ending)
        last = [sentence for sentence in told if any(name in sentence for name in named)][-1]
        assert question.answer.rstrip(".") in last, question.text


def test_families_follow_from_what_was_told(test_sets: dict[str, list[Question]]) -> None:
    """An oracle by generations: each relation climbs or descends; the answer's climb is the sum of what was told."""
    climbs = {"father": 1, "son": -1, "brother": 0, "husband": 0, "uncle": 1, "nephew": -1}
    climbs |= {"mother": 1, "daughter": -1, "sister": 0, "wife": 0, "aunt": 1, "niece": -1}
    climbs |= {"grandfather": 2, "grandmother": 2, "grandson": -2, "granddaughter": -2}
    climbs |= {"great-grandfather": 3, "great-grandmother": 3, "great-uncle": 2, "great-aunt": 2}
    told = re.compile(
        r"(?P<x>[A-Z]\w+) is the (?P<r>[\w-]+) of (?P<y>[A-Z]\w+)"
        r"|(?P<y2>[A-Z]\w+) has an? (?P<r2>[\w-]+) called (?P<x2>[A-Z]\w+)"
        r"|[Tt]he (?P<r3>[\w-]+) of (?P<y3>[A-Z]\w+) is (?P<x3>[A-Z]\w+)"
        r"|(?P<x4>[A-Z]\w+) is (?P<y4>[A-Z]\w+)'s (?P<r4>[\w-]+)"
    )
    for question in test_sets["kinship"]:
        *premises, ending = microworld.sentences(question.text)
        assert len(premises) == question.level
        generation: dict[str, int] = {}
        triples = []
        for premise in premises:
            match = told.search(premise)
            assert match is not None, premise
            got = {key[0]: value for key, value in match.groupdict().items() if value}
            triples.append((got["x"], got["r"], got["y"]))
        generation[triples[-1][2]] = 0
        for x, relation, y in reversed(triples):
            generation[x] = generation[y] + climbs[relation]
        names = [name for name in re.findall(r"[A-Z]\w+", ending) if name in generation]
        up = generation[names[0]] - generation[names[1]]
        assert abs(climbs[question.answer.rstrip(".")]) == abs(up), question.text


def test_objects_of_facts_are_unique_and_articles_right() -> None:
    for kind, entities in world().entities.items():
        names = [entity.name for entity in entities]
        assert len(set(names)) == len(names), kind
    capitals = [entity.facts["capital"] for entity in world().entities["country"]]
    assert len(set(capitals)) == len(capitals)
    assert with_article("uncle") == "an uncle" and with_article("baker") == "a baker"
