"""The passes of a plan, replayed on paper: each scored token is read once, after exactly its own context."""

from __future__ import annotations

import random
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scoring.budget import Budget
from harness.scoring.plan import Pass, passes
from harness.scoring.prefix_tree import common_prefix, prefix_tree
from harness.scoring.request import Scored


@st.composite
def many_requests(draw: st.DrawFn, longest: int = 16) -> list[Scored]:
    rng = random.Random(draw(st.integers(0, 2**32)))
    requests = []
    for _ in range(rng.randint(0, 14)):
        ids = tuple(rng.randrange(2) for _ in range(rng.randint(2, longest)))
        requests.append(Scored(ids, rng.randint(1, len(ids) - 1)))
    return requests


def check(planned: list[Pass], requests: list[Scored], budget: Budget, context: int) -> None:
    scored: set[tuple[int, int]] = set()
    cached: list[int | None] = []
    for step in planned:
        assert step.held <= len(cached)
        cached = cached[: step.held]
        assert 0 < step.tokens <= min(budget.tokens, context - step.held) and step.rows <= budget.rows
        paths: list[list[int | None]] = []
        for ids, parent, spans in step.segments:
            before = cached if parent < 0 else paths[parent]
            paths.append([*before, *ids])
            for request, place, offset, count in spans:
                for i in range(count):
                    assert (request, place + i) not in scored
                    scored.add((request, place + i))
                    ids_before = requests[request].ids[: requests[request].start + place + i]
                    assert tuple(paths[-1][: len(before) + offset + i + 1]) == ids_before
        # what follows a fork in the cache is nobody's prefix
        cached = paths[0] if len(paths) == 1 else [*cached, *[None] * step.tokens]
    assert len(scored) == sum(len(request.ids) - request.start for request in requests)


@settings(max_examples=300, deadline=None)
@given(
    requests=many_requests(),
    budget=st.builds(Budget, st.integers(1, 12), st.integers(1, 8), st.sampled_from([0, 3, 16])),
)
def test_a_plan_scores_each_token_once_after_its_context(requests: list[Scored], budget: Budget) -> None:
    check(list(passes(prefix_tree(requests), budget, 15)), requests, budget, 15)


def test_a_prefix_of_all_is_read_once_and_kept() -> None:
    prefix = tuple(range(100))
    requests = [Scored((*prefix, 200 + i, 300, 301, 400), 102) for i in range(50)]
    planned = list(passes(prefix_tree(requests), Budget(64, 64), 1000))
    assert sum(step.tokens for step in planned) == 100 + 50 * 3
    assert [step.held for step in planned[:3]] == [0, 50, 100] and {step.held for step in planned[3:]} == {100}


def test_a_short_prefix_is_repeated_rather_than_a_pass_of_its_own() -> None:
    requests = [Scored((1, 2, 100 + i, *range(30), 5), 20) for i in range(20)]
    planned = list(passes(prefix_tree(requests), Budget(200, 200), 1000))
    assert {step.held for step in planned} == {0}
    assert sum(step.tokens for step in planned) == 20 * 31 + 2 * len(planned)


def test_a_long_text_is_read_in_even_chunks() -> None:
    planned = list(passes(prefix_tree([Scored(tuple(range(1002)), 1)]), Budget(400, 400), 2000))
    assert [step.tokens for step in planned] == [334, 334, 333]


def test_prefixes_of_prefixes_need_no_deep_recursion() -> None:
    deep = sys.getrecursionlimit() + 500
    ids = tuple(i % 7 for i in range(deep))
    requests = [Scored(ids[:n], n - 1) for n in range(2, deep)]
    budget = Budget(100, 100)
    check(list(passes(prefix_tree(requests), budget, deep)), requests, budget, deep)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_common_prefix(a: list[int], b: list[int]) -> None:
    found = common_prefix(tuple(a), tuple(b))
    assert a[:found] == b[:found]
    assert found == min(len(a), len(b)) or a[found] != b[found]
