"""A pattern that tries every way to read an answer ends, and so does its task alone."""

import signal
import threading
import time

import pytest

from harness.errors import UserError
from harness.tasks.config import FilterPipeline, FilterStep
from harness.tasks.judging import pattern_time
from harness.tasks.judging.filters import apply
from harness.tasks.judging.normal_form import normal_form

ENDLESS = r"(a|aa)+$"
TEXT = "a" * 60 + "!"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_time, "SECONDS", 0.2)


@pytest.mark.parametrize("function", ["regex", "multi_choice_regex"])
@pytest.mark.parametrize("mode", ["right", "lm-eval"])
def test_a_filter(function: str, mode: str) -> None:
    pipeline = FilterPipeline(name="f", steps=(FilterStep(function=function, options={"regex_pattern": ENDLESS}),))
    with pytest.raises(UserError, match=r"a\.yaml:filter_list: f: the pattern in `regex_pattern` takes longer than"):
        apply(
            *(pipeline, [TEXT]),
            **{"row": {}, "choices": ("a", "b"), "mode": mode, "function": None, "place": "a.yaml"},  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("mode", ["right", "lm-eval"])
def test_what_a_comparison_ignores(mode: str) -> None:
    with pytest.raises(UserError, match="the pattern in `regexes_to_ignore` takes longer than"):
        normal_form(TEXT, mode, {"regexes_to_ignore": [ENDLESS]})  # type: ignore[arg-type]


def test_no_alarm_is_left_and_an_outer_one_stays() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pattern_time.limited("x"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        with pattern_time.limited("y"):
            pass
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        with pytest.raises(UserError, match="`x`"):
            time.sleep(5)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is before


def test_another_thread_has_none() -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(normal_form(" a1 ", "right", {"regexes_to_ignore": ["1"]})))
    thread.start()
    thread.join()
    assert found == ["a"]
