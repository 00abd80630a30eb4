"""Whether two arms return the same."""

import base64
from typing import Any

import numpy as np
import pytest

from harness.gate.arms import arm_worker
from harness.gate.arms.outputs import OutputComparer, OutputComparison, Sameness, compare_outputs


def compared(a: Any, b: Any) -> OutputComparison:
    outputs = arm_worker.Output(a), arm_worker.Output(b)

    def fetch(output: arm_worker.Output) -> Any:
        return lambda start, count: base64.b64encode(output.numbers[start : start + count].tobytes()).decode()

    return compare_outputs(*(output.described() for output in outputs), *(fetch(output) for output in outputs))


@pytest.mark.parametrize(
    "value",
    [
        1,
        2.5,
        True,
        1 + 2j,
        [1, 2, [3.0]],
        (1.0, {"a": [2.0]}),
        np.arange(6.0).reshape(2, 3),
        np.float32(2),
        float("nan"),
    ],
)
def test_what_is_identical(value: Any) -> None:
    assert compared(value, value).sameness is Sameness.IDENTICAL
    assert compared(value, value).within(0.0) is True


def test_numbers_that_differ_say_by_how_much() -> None:
    a = np.array([100.0, -50.0, 0.0])
    found = compared(a, a + np.array([0.1, 0.0, 0.0]))
    assert found.sameness is Sameness.DIFFERENT and found.worst == pytest.approx(0.001)
    assert found.within(0.01) is True and found.within(1e-4) is False and found.within(None) is None
    assert "no --tolerance was stated" in found.sentence(None)
    assert "beyond the tolerance of 0.0001" in found.sentence(1e-4)


def test_a_small_number_beside_large_ones_is_measured_by_their_size() -> None:
    found = compared([100.0, 1e-9], [100.0, 2e-9])
    assert found.worst is not None and found.worst < 1e-10
    assert compared([0.0, 0.0], [0.0, 1.0]).worst == np.inf


@pytest.mark.parametrize("other", [[1.0, float("nan")], [1.0, float("inf")]])
def test_what_is_no_number_on_one_side_is_beyond_every_tolerance(other: list[float]) -> None:
    assert compared([1.0, 2.0], other).worst == np.inf
    assert compared(other, other).sameness is Sameness.IDENTICAL


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [1.0, 2.0]), ("x", "y"), (np.zeros((2, 3)), np.zeros((3, 2))), ({"a": 1}, {"b": 1})]
)
def test_another_shape_or_another_text_agrees_with_nothing(a: Any, b: Any) -> None:
    found = compared(a, b)
    assert found.sameness is Sameness.OTHER_SHAPE and found.within(1e9) is False


@pytest.mark.parametrize(
    ("value", "why"), [(None, "it returns nothing"), (object(), "builtins.object, which has no numbers")]
)
def test_what_can_not_be_compared_says_why(value: Any, why: str) -> None:
    found = compared(value, value)
    assert found.sameness is Sameness.UNCHECKED and why in found.sentence(1e-6) and found.within(1e-6) is None


def test_many_numbers_are_compared_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gate.arms.outputs.AT_ONCE", 7)
    a = np.linspace(1, 2, 100)
    b = a.copy()
    b[93] *= 1.01
    assert compared(a, b).worst == pytest.approx(0.01, rel=0.1)


def test_what_was_compared_before_is_not_fetched_again() -> None:
    fetched = []

    def fetch(start: int, count: int) -> str:
        fetched.append(start)
        return base64.b64encode(np.array([1.0 + len(fetched)]).tobytes()).decode()

    compare = OutputComparer()
    a, b = ({"why_not": "", "shape": "1", "sha256": digest, "count": 1, "length": 1} for digest in "ab")
    first = compare(a, b, fetch, fetch)
    asked = len(fetched)
    assert first.sameness is Sameness.DIFFERENT and asked
    assert compare(a, b, fetch, fetch) == first and len(fetched) == asked
    assert compare(a, a, fetch, fetch).sameness is Sameness.IDENTICAL


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    x = torch.linspace(1, 2, 5)
    assert compared(x, x.double()).sameness is Sameness.IDENTICAL
    assert compared(x.bfloat16(), x.bfloat16()).sameness is Sameness.IDENTICAL
    assert compared(x + 1j, x + 1j).sameness is Sameness.IDENTICAL
