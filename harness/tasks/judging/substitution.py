"""`re.sub` with patterns and texts of others, which may take for ever: those that could run in a process that is
ended then.

Python's patterns backtrack, and nothing stops one that is running. A pattern with one repetition at most, over a
short text, takes at most as many steps as the square of its length, and is run where it stands.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from functools import lru_cache
from typing import Any

from harness.errors import UserError
from harness.fences import enclosure
from harness.tasks.code.process import ForeignError, HostProcess
from harness.tasks.code.tagged_json import dumps
from harness.template_bounds.clock import TooMuch
from harness.template_bounds.lengths import TEXT, too_long

SECONDS = 5.0
_TRIES = 2
_SHORT = 4000
_late: Counter[str] = Counter()
"""How often each pattern took too long: the next documents needn't wait for it."""
_lock = threading.Lock()
_process: HostProcess | None = None


def substituted(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    """`re.sub` as a filter of templates. Raises re.error for a pattern that is none, TooMuch where it takes too long or
    makes too much."""
    if len(text) <= _SHORT and _repetitions(pattern) <= 1 and len(text) * len(replacement) < 1 << 24:
        return re.sub(pattern, replacement, text, count=count)
    if _late[pattern] >= _TRIES:
        raise _too_late()
    asked = {"pattern": pattern, "replacement": replacement, "text": text, "count": count, "most": TEXT}
    answer = _asked(dumps({"do": "substitute", "document": None, **asked}), pattern)
    if (made := answer.get("value")) is None:
        raise too_long()
    return str(made)


@lru_cache(maxsize=1024)
def _repetitions(pattern: str) -> int:
    """How many parts of a pattern match any number of times, or go back to what was matched; nested ones count as
    many."""
    parsed = re._parser.parse(pattern)  # type: ignore[attr-defined]
    return _counted(parsed, False)


def _counted(parsed: Any, inside: bool) -> int:
    found = 0
    for code, of in parsed:
        name = str(code)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            found += 1 + (2 if inside else 0) if of[1] > 1 else 0
            found += _counted(of[2], inside or of[1] > 1)
        elif name == "SUBPATTERN":
            found += _counted(of[3], inside)
        elif name == "BRANCH":
            found += sum(_counted(one, inside) for one in of[1]) + (2 if inside else 0)
        elif name in ("GROUPREF", "GROUPREF_EXISTS", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
            found += 2
    return found


def _too_late() -> TooMuch:
    return TooMuch(f"the pattern of its `regex_replace` takes longer than {SECONDS:g} s, or too much memory")


def _asked(order: bytes, pattern: str) -> dict[str, Any]:
    global _process
    with _lock:
        if _process is None or _process.ended:
            _process = HostProcess(not enclosure.available().enough, (), "regex_replace")
            _process.ask(dumps({"allow": False, "together": [], "sources": []}))
        try:
            answer, _ = _process.ask(order, seconds=SECONDS)
        except UserError:
            _late[pattern] += 1
            raise _too_late() from None
        except ForeignError as error:
            if type(error).__name__ != MemoryError.__name__:
                raise
            _late[pattern] += 1
            raise _too_late() from None
        return answer
