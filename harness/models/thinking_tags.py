"""Which tags a model thinks between, as its tokenizer's added tokens or its chat template declare them.

A tag is known by its form: a word for thought in brackets, with a sign or a word that says whether it opens or closes.
One of a pair is enough, for many templates write only the one that they need. Text that merely mentions such a tag
declares nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_THOUGHT = "think(?:ing)?|thoughts?|reasoning"
_BRACKETS = {"<|": "|>", "<｜": "｜>", "<": ">", "[": "]", "◁": "▷"}
_OPENING, _CLOSING = ("|".join(map(re.escape, signs)) for signs in (_BRACKETS, _BRACKETS.values()))
_SLASHED = re.compile(rf"({_OPENING})/?((?:[\w.-]+:)?(?:{_THOUGHT}))({_CLOSING})", re.IGNORECASE)
"""`<think>` and `</think>`, `[THINK]` and `[/THINK]`, `<|think|>` and `<|/think|>`, `<seed:think>` …"""
_WORDED = re.compile(
    rf"({_OPENING})(?:(begin|start|end)([_▁-](?:of[_▁-])?(?:{_THOUGHT}))|((?:{_THOUGHT})[_▁-])(begin|start|end))({_CLOSING})",
    re.IGNORECASE,
)
"""`<|begin_of_thought|>` and `<|end_of_thought|>`, `<|START_THINKING|>` and `<|END_THINKING|>`, `<|think_start|>` …"""
CHANNELS = ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")
"""OpenAI's harmony format: what a model writes to the channel `analysis` is thought, and to `final` its answer."""


def thinking_tags(added: Iterable[str], template: str | None) -> tuple[tuple[str, str], ...]:
    """The pairs (opening, closing tag), sorted.

    added: texts of the tokens that the tokenizer declares beside its vocabulary. template: the chat template.
    """
    source = template or ""
    slashed = [match for token in added if (match := _SLASHED.fullmatch(token))]
    worded = [match for token in added if (match := _WORDED.fullmatch(token))]
    found = {pair for match in (*slashed, *_SLASHED.finditer(source)) for pair in _slashed(*match.groups())}
    found |= {pair for match in (*worded, *_WORDED.finditer(source)) for pair in _worded(*match.groups(""))}
    return tuple(sorted(found | ({CHANNELS} if speaks_in_channels(source) else set())))


def speaks_in_channels(template: str | None) -> bool:
    """Whether the chat template is harmony's, in which a turn is several messages."""
    return all(tag in (template or "") for tag in ("<|channel|>analysis", "<|channel|>final"))


def _slashed(left: str, name: str, right: str) -> set[tuple[str, str]]:
    return {(f"{left}{name}{right}", f"{left}/{name}{right}")} if _BRACKETS[left] == right else set()


def _worded(left: str, first: str, after: str, before: str, last: str, right: str) -> set[tuple[str, str]]:
    """Several where only the closing tag is there: it doesn't say how the other begins."""
    if _BRACKETS[left] != right:
        return set()
    word = first or last
    same_case = str.upper if word.isupper() else str.title if word.istitle() else str.lower
    opening = [word] if word.lower() != "end" else [same_case("begin"), same_case("start")]
    return {
        (f"{left}{before}{each}{after}{right}", f"{left}{before}{same_case('end')}{after}{right}") for each in opening
    }
