"""How far a collection is: what is told of it."""

from __future__ import annotations

import pytest

from harness.measures.going import Going


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Heard:
    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def __call__(self) -> None: ...

    def tell(self, done: float, text: str) -> None:
        self.told.append((done, text))


def test_it_counts_and_has_a_rate() -> None:
    load, clock = Heard(), Clock()
    going = Going(load, 20_000, "tokens", clock)
    clock.now = 2.0
    going(5_000)
    clock.now = 10.0
    going(5_000)
    going(10_000, "3.2 tokens/s")
    assert load.told == [
        (0.25, "5,000 of 20,000 tokens, 2,500 tokens/s"),
        (0.5, "10,000 of 20,000 tokens, 1,000 tokens/s"),
        (1.0, "20,000 of 20,000 tokens, 3.2 tokens/s"),
    ]


def test_a_slow_one_keeps_its_digits_and_none_is_more_than_whole() -> None:
    load, clock = Heard(), Clock()
    going = Going(load, 2, "iterations", clock)
    going()
    assert load.told[-1] == (0.5, "1 of 2 iterations")
    clock.now = 8.0
    going()
    going()
    assert load.told[-2:] == [
        (1.0, "2 of 2 iterations, 0.25 iterations/s"),
        (1.0, "3 of 2 iterations, 0.38 iterations/s"),
    ]


def test_nobody_needs_to_listen_and_nothing_has_no_share() -> None:
    Going(lambda: None, 3, "tokens")(1)
    load = Heard()
    Going(load, 0, "tokens")(0)
    assert load.told == []


@pytest.mark.parametrize("seconds", [0.1, 0.6])
def test_a_worker_tells_no_more_often_than_a_person_reads(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    from harness.execution import opened_model
    from harness.execution.requests import Step

    clock, sent = Clock(), list[Step]()
    monkeypatch.setattr(opened_model.time, "monotonic", clock)
    loader = opened_model.Loader.__new__(opened_model.Loader)
    loader._send, loader._next = sent.append, 0.0
    for number in range(10):
        clock.now = number * seconds
        loader.tell(number / 10, "")
    assert len(sent) == (10 if seconds > opened_model.BETWEEN_STEPS else 2)
