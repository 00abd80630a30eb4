"""What is said of a test, and how that ends it: passed, failed, or skipped where nothing decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

import pytest

from harness.errors import inert, printable
from harness.pytest_plugin.options import OnInconclusive

Properties = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Said:
    """What decides a test."""

    outcome: Literal["passed", "failed", "undecided"]
    text: str
    """With the value, its interval and the bound; the first line is what a summary shows."""
    properties: Properties = ()
    """For JUnit's XML."""


def end(said: Said, policy: OnInconclusive) -> None:
    """End the test that runs, unless it passed. No traceback: nothing of it would be the user's."""
    if said.outcome == "failed" or (said.outcome == "undecided" and policy == "fail"):
        fail(said.text)
    if said.outcome == "undecided" and policy == "skip":
        told = "; ".join(line.strip() for line in said.text.splitlines())
        skip(told)


def fail(text: str) -> NoReturn:
    """Fail the test that runs, with this text and no traceback."""
    raise pytest.fail.Exception(_clean(text), pytrace=False) from None


def skip(text: str) -> NoReturn:
    """Skip the test that runs, with this text in place of ours as the place."""
    raise pytest.skip.Exception(_clean(text), _use_item_location=True) from None


def _clean(text: str) -> str:
    return inert(printable(text))
