"""Stand-ins for lm-eval's filter classes, which helpers of task files inherit from and register."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness.tasks.judging.filter_patterns import first_match


class Filter:
    """What makes something else of all samples of all documents."""

    def __init__(self, **options: Any) -> None:
        """Options are a subclass's own."""

    def apply(self, resps: Iterable[Any], docs: Sequence[dict[str, Any]]) -> Iterable[Any]:
        """resps: of each document its samples; docs: the documents. The same in the same order, changed."""
        return resps


class RegexFilter(Filter):
    """What a pattern finds in each sample, stripped as lm-eval strips it, or the fallback."""

    def __init__(
        self, regex_pattern: str = r"#### (\-?[0-9\.\,]+)", group_select: int = 0, fallback: str = "[invalid]"
    ) -> None:
        """Subclasses read the four attributes."""
        self.regex_pattern = regex_pattern
        self.regex = re.compile(regex_pattern)
        self.group_select = group_select
        self.fallback = fallback

    def apply(self, resps: Iterable[Any], docs: Sequence[dict[str, Any]]) -> Iterable[Any]:
        """As `Filter.apply`."""
        return [[self._found(text) for text in texts] for texts in resps]

    def _found(self, text: Any) -> str:
        found = first_match(self.regex, text, self.group_select, "lm-eval")
        return self.fallback if found is None else found


def register_filter(name: str) -> Callable[[type], type]:
    """Nothing to do: `registered_filters` reads the name off the file."""
    return lambda registered: registered
