"""When launches decide, and how often wrongly."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.speed_decision import Decision, Rule, decide, is_faster, may_be_faster, stands

RULE = Rule(margin=0.05)


def first_decision(d: np.ndarray, rule: Rule = RULE) -> tuple[Decision, int]:
    """As a session does: looked at after every launch."""
    for n in range(1, len(d) + 1):
        if (found := decide(d[:n], rule)) is not Decision.INCONCLUSIVE:
            return found, n
    return Decision.INCONCLUSIVE, len(d)


@pytest.mark.parametrize(
    ("change", "decision", "after"),
    [(0.0, Decision.PASS, 5), (-0.2, Decision.PASS, 5), (0.2, Decision.FAIL, 7)],
)
def test_without_noise_the_fewest_launches_decide(change: float, decision: Decision, after: int) -> None:
    assert first_decision(np.full(24, change)) == (decision, after)


def test_a_small_slowdown_that_is_sure_is_minor() -> None:
    assert decide([0.02] * 24, Rule(margin=0.05)) is Decision.MINOR
    assert decide([0.02] * 4, RULE) is Decision.INCONCLUSIVE
    assert decide([], RULE) is Decision.INCONCLUSIVE


def test_more_tests_want_more_evidence() -> None:
    assert Rule().fewest == 7 and Rule(tests=10).fewest == 10
    assert decide([0.4] * 7, Rule(tests=10)) is Decision.INCONCLUSIVE
    assert decide([0.4] * 10, Rule(tests=10)) is Decision.FAIL
    assert decide([0.0] * 5, Rule(tests=10)) is Decision.PASS


@pytest.mark.parametrize("wrong", [{"margin": 0.0}, {"margin": -0.1}, {"fail_alpha": 0.0}, {"tests": 0}])
def test_a_rule_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"margin|chances"):
        Rule(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=24))
def test_a_gain_is_a_loss_turned_round(d: list[float]) -> None:
    turned = [-x for x in d]
    assert is_faster(d, RULE) == (is_faster(d, RULE) and decide(turned, RULE) is Decision.FAIL)
    assert not (is_faster(d, RULE) and decide(d, RULE) is Decision.FAIL)
    assert not (may_be_faster(d, RULE) and is_faster(d, RULE))


def test_a_gain_is_not_claimed_before_it_is_shown() -> None:
    assert may_be_faster([-0.2] * 5, RULE) and not is_faster([-0.2] * 6, RULE)
    assert is_faster([-0.2] * 7, RULE) and not may_be_faster([-0.2] * 7, RULE)
    assert not may_be_faster([-0.01] * 5, RULE)
    assert not is_faster([], RULE) and not may_be_faster([], RULE)


def test_a_finding_has_to_be_there_again() -> None:
    assert stands([0.2] * 7, [0.2] * 5, RULE)
    assert not stands([0.2] * 7, [-0.2] * 5, RULE)
    assert not stands([0.2] * 7, [], RULE)
    assert not stands([0.2] * 7, [0.0] * 5, RULE), "no change is no evidence, so the product alone would stand"
    assert not stands([0.2] * 7, [0.03] * 8, RULE), "the median of all is below the margin"
    assert stands([-0.2] * 7, [-0.1] * 5, RULE, slower=False)
    assert not stands([-0.2] * 7, [0.1] * 5, RULE, slower=False)


def decisions(change: float, noise: float, trials: int = 300, seed: int = 0) -> Counter[str]:
    """Of sessions with at most 24 launches; a FAIL is measured again with 5."""
    generator = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(trials):
        d = generator.standard_t(4, 29) * noise / np.sqrt(2) + change
        decision, after = first_decision(d[:24])
        if decision is Decision.FAIL and not stands(d[:after], d[24:], RULE):
            decision = Decision.INCONCLUSIVE
        found[decision] += 1
    return found


@pytest.mark.parametrize("noise", [0.015, 0.04, 0.1])
def test_simulated_identical_code_does_not_fail(noise: float) -> None:
    found = decisions(0.0, noise)
    assert found[Decision.FAIL] <= 1
    assert noise > 0.04 or found[Decision.PASS] >= 290


def test_simulated_slowdowns_are_found_and_do_not_pass() -> None:
    assert decisions(np.log(1.10), 0.04)[Decision.FAIL] >= 290
    at_margin = decisions(np.log(1.05), 0.04)
    assert at_margin[Decision.PASS] + at_margin[Decision.MINOR] <= 0.05 * 300
