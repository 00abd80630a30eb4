"""Work of 1 to 20 ms for `gate_calibration.py`: a hundred equal parts, so that 3 more are 3 % more work."""

from __future__ import annotations

import numpy as np

KINDS = ("python", "matmul", "copy")


def python_part(times: int) -> int:
    """About 10 µs of an interpreter's loop, so many times."""
    total = 0
    for number in range(350 * times):
        total += number * number % 7
    return total


_matrix = np.random.default_rng(0).standard_normal((56, 56))
_bytes = np.zeros(100_000)


def matmul_part(times: int) -> float:
    """About 10 µs of a product, so many times."""
    product = _matrix
    for _ in range(times):
        product = np.tanh(_matrix @ _matrix)
    return float(product[0, 0])


def copy_part(times: int) -> float:
    """About 10 µs of memory, so many times."""
    last = 0.0
    for _ in range(times):
        last = float(_bytes.copy()[-1])
    return last


PARTS = {"python": python_part, "matmul": matmul_part, "copy": copy_part}


def base(kind: str, milliseconds: int, parts: int = 100) -> float:
    """The base: about so many milliseconds on a machine that is free."""
    part, value = PARTS[kind], 0.0
    for _ in range(parts):
        value = part(milliseconds)
    return value


def head(kind: str, milliseconds: int, parts: int = 100) -> float:
    """The head: the same code under another name; with more parts it is slower."""
    part, value = PARTS[kind], 0.0
    for _ in range(parts):
        value = part(milliseconds)
    return value
