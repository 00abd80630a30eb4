"""A run that ends in the middle, and whether two runs are the same to the bit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reference_impl.training import loop
from reference_impl.training.state import Report


class Killed(BaseException):
    """Stands in for what ends a process."""


def same(one: nn.Module, other: nn.Module) -> bool:
    """To the bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def plain(reports: Sequence[Report]) -> list[Report]:
    return [replace(report, seconds=0.0, phases={}) for report in reports]


@contextmanager
def dying_before_step(number: int) -> Iterator[None]:
    """A process that ends before its step `number` (from 0): here, in the middle of the loop."""
    before, calls = loop.guarded_step, itertools.count()

    def patched(*arguments: Any) -> Tensor:
        if next(calls) == number:
            raise Killed
        return before(*arguments)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "guarded_step", patched)
        yield
