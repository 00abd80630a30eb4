"""Whether an answer follows the instructions of its prompt that can be checked, strictly or loosely.

Strict: as the answer stands. Loose: also without its first line, its last line, or the asterisks of Markdown, each
alone and together (Zhou et al. 2023, arXiv:2311.07911, section 3.2). An answer of nothing follows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness import strict_json
from harness.spelling import nearest
from harness.tasks.judging.rules.instruction_checks import CHECKS


def read_checks(target: str) -> list[tuple[str, Any]]:
    """The checks that a document lists as JSON, `[{"words_at_most": 20}, {"includes": ["sun"]}]`. ValueError."""
    shape = 'a list of checks is wanted as JSON, such as [{"words_at_most": 20}]'
    try:
        listed = strict_json.loads(target)
    except ValueError:
        raise ValueError(f"{shape}, not {target[:80]!r}") from None
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) and one for one in listed):
        raise ValueError(f"{shape}, not {target[:80]!r}")
    checks = [(str(name), wanted) for one in listed for name, wanted in one.items()]
    for name, _ in checks:
        if name not in CHECKS:
            raise ValueError(f"there is no check '{name}'{nearest(name, CHECKS)} (there are {', '.join(CHECKS)})")
    return checks


def followed(text: str, checks: Sequence[tuple[str, Any]]) -> list[bool]:
    """Of each check whether an answer passes it, strictly. ValueError where a check can't read what it is given."""
    if not text.strip():
        return [False] * len(checks)
    return [_passes(text, name, wanted) for name, wanted in checks]


def strict(text: str, targets: Sequence[str]) -> float:
    """1 where it follows all, else 0."""
    return float(all(followed(text, read_checks(targets[0]))))


def loose(text: str, targets: Sequence[str]) -> float:
    """1 where it follows all in one of the forms of the loose criterion, else 0."""
    checks = read_checks(targets[0])
    return float(any(all(followed(form, checks)) for form in loose_forms(text)))


def share(text: str, targets: Sequence[str]) -> float:
    """The share of them that it follows, strictly."""
    passed = followed(text, read_checks(targets[0]))
    return sum(passed) / len(passed)


def loose_forms(text: str) -> Iterator[str]:
    """The answer as it stands, and what may be left out of it."""
    whole = text.split("\n")
    for part in (whole, whole[1:], whole[:-1], whole[1:-1]):
        form = "\n".join(part).strip()
        yield form
        yield form.replace("*", "")


def _passes(text: str, name: str, wanted: Any) -> bool:
    try:
        return bool(CHECKS[name](text, wanted))
    except (TypeError, AttributeError, IndexError):
        raise ValueError(f"the check `{name}` can't be told {wanted!r}") from None
