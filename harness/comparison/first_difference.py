"""Why one document was judged right once and wrong once: the first thing that differs on the way from text to score.

In the order in which a model meets it: the prompt's text, what was cut off, the tokens, their probabilities (or what
the model wrote), what was taken out of the answer, the judgment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from harness.common_prefix import common_prefix
from harness.comparison.flip import Cause
from harness.measures.task.samples.document import Document, Request

Pieces = Mapping[int, str]
AROUND = 24
"""Characters of a text that are quoted from where it differs."""


@dataclass(frozen=True)
class Side:
    """A document as one side was asked it."""

    document: Document
    pieces: Pieces


def first_difference(base: Side, head: Side, rule: str) -> tuple[Cause, str]:
    """What differs first, and how, in a sentence. rule: the metric without its filter pipeline."""
    a, b = base.document, head.document
    if told := _prompts(a, b):
        return Cause.PROMPT, told
    if told := _truncation(a, b):
        return Cause.TRUNCATION, told
    if told := _tokens(base, head):
        return Cause.TOKENS, told + _and_margins(a, b, rule)
    if a.written or b.written:
        if told := _answers(base, head):
            return Cause.ANSWER, told
        if a.extracted != b.extracted:
            return Cause.EXTRACTION, _extraction(a, b)
    elif told := _probabilities(base, head, rule):
        return Cause.PROBABILITIES, told
    return Cause.JUDGMENT, _judgment(a, b)


def margin(document: Document, rule: str) -> float | None:
    """How far the best right choice is above the best wrong one by a rule; None where there is no such rule."""
    values = document.rules().get(rule)
    right = [place for place in document.gold if values is not None and 0 <= place < len(values)]
    if values is None or not right or len(set(right)) == len(values):
        return None
    best = max(values[place] for place in right)
    return best - max(value for place, value in enumerate(values) if place not in right)


def _prompts(a: Document, b: Document) -> str:
    for before, after in zip_longest(a.prompts, b.prompts):
        if before != after:
            examples = ""
            if a.shots != b.shots:
                examples = f"; few-shot examples: {_places(a.shots)} and {_places(b.shots)}"
            return f"{_where(before or '', after or '')}{examples}"
    asked = [[request.text for request in one.requests] for one in (a, b)]
    if not a.written and not b.written and asked[0] != asked[1]:
        for place, (before, after) in enumerate(zip_longest(*asked)):
            if before != after:
                return f"continuation {place}: {quoted(before or '')} and {quoted(after or '')}"
    return ""


def _where(before: str, after: str) -> str:
    at = common_prefix(before, after)
    line = before.count("\n", 0, at) + 1
    column = at - (before.rfind("\n", 0, at) + 1) + 1
    ends = [quoted(text[at : at + AROUND]) if at < len(text) else "the end" for text in (before, after)]
    return f"from line {line}, character {column}: {ends[0]} and {ends[1]}"


def _places(shots: Sequence[int]) -> str:
    return ", ".join(map(str, shots)) or "none"


def _truncation(a: Document, b: Document) -> str:
    lost = [max((request.cut for request in one.requests), default=0) for one in (a, b)]
    if lost[0] == lost[1]:
        return ""
    words = ["nothing" if count == 0 else f"{count} tokens" for count in lost]
    return f"at the left the base lost {words[0]}, the head {words[1]}"


def _tokens(base: Side, head: Side) -> str:
    pairs = list(zip_longest(base.document.requests, head.document.requests))
    written = base.document.written
    for place, (before, after) in enumerate(pairs):
        if before is None or after is None:
            return "" if written else f"request {place} was asked of one side only"
        read = [one.prompt if written else one.prompt + one.continuation for one in (before, after)]
        if not all(read):
            continue  # of an imported run, which has texts alone
        of = f" of request {place}" if len(pairs) > 1 and not written else ""
        if read[0] != read[1]:
            at = common_prefix(*read)
            words = [_token(ids, at, side.pieces) for ids, side in zip(read, (base, head), strict=True)]
            return f"from token {at}{of}: {words[0]} and {words[1]}"
        if before.prompt != after.prompt:
            return f"the same tokens{of}, but the continuation begins at {len(before.prompt)} and {len(after.prompt)}"
    return ""


def _and_margins(a: Document, b: Document, rule: str) -> str:
    told = _margins(a, b, rule)
    return f"; {told}" if told else ""


def _probabilities(base: Side, head: Side, rule: str) -> str:
    a, b = base.document, head.document
    if [r.log_probs for r in a.requests] == [r.log_probs for r in b.requests] and [r.greedy for r in a.requests] == [
        r.greedy for r in b.requests
    ]:
        return ""
    if told := _margins(a, b, rule):
        return told
    moved = [
        (abs(y - x), place, at, x, y)
        for place, (before, after) in enumerate(zip(a.requests, b.requests, strict=False))
        for at, (x, y) in enumerate(zip(before.log_probs, after.log_probs, strict=False))
    ]
    if not moved:
        return "the log-probabilities differ"
    _, place, at, x, y = max(moved)
    of = f" of request {place}" if len(a.requests) > 1 else ""
    token = _token(a.requests[place].continuation, at, base.pieces)
    return f"most at scored token {at}{of}, {token}: {x:.3f} and {y:.3f} nats"


def _margins(a: Document, b: Document, rule: str) -> str:
    before, after = margin(a, rule), margin(b, rule)
    if before is None or after is None:
        return ""
    per = {"acc_norm": " per character", "acc_bytes": " per byte", "acc_tokens": " per token"}.get(rule, "")
    return f"right choice above the best other: {before:+.4f} and {after:+.4f} nats{per}"


def _answers(base: Side, head: Side) -> str:
    pairs = list(zip_longest(base.document.requests, head.document.requests))
    for place, (before, after) in enumerate(pairs):
        of = f" of answer {place + 1}" if len(pairs) > 1 else ""
        if before is None or after is None:
            return f"{len(base.document.requests)} and {len(head.document.requests)} answers"
        if before.continuation and after.continuation and before.continuation != after.continuation:
            at = common_prefix(before.continuation, after.continuation)
            words = [
                _token(one.continuation, at, side.pieces) + _nats(one, at)
                for one, side in ((before, base), (after, head))
            ]
            return f"from written token {at}{of}: {words[0]} and {words[1]}"
        if before.text != after.text:
            where = _where(before.text or "", after.text or "")
            if not before.continuation or not after.continuation:
                return f"the answer{of} differs {where}"
            return f"the same tokens{of}, but the texts ({before.finish}, {after.finish}) differ {where}"
    return ""


def _nats(request: Request, at: int) -> str:
    return f" ({request.log_probs[at]:.3f} nats)" if at < len(request.log_probs) else ""


def _extraction(a: Document, b: Document) -> str:
    told = []
    for name in dict.fromkeys([*a.extracted, *b.extracted]):
        one, other = a.extracted.get(name), b.extracted.get(name)
        if one != other:
            told.append(f"{name}: {quoted(str(one))} and {quoted(str(other))}")
    return "; ".join(told[:3])


def _judgment(a: Document, b: Document) -> str:
    changed = [name for name in dict.fromkeys([*a.spec, *b.spec]) if a.spec.get(name) != b.spec.get(name)]
    changed = [name for name in changed if name not in ("file", "given")]  # where it lay, and results
    if changed:
        return f"the same answer; the task says otherwise how to judge it: {', '.join(changed)}"
    return "the same answer; the code that judges, or what it compares with, differs"


def _token(ids: Sequence[int], at: int, pieces: Pieces) -> str:
    if at >= len(ids):
        return "the end"
    return f"{quoted(pieces[ids[at]])} [{ids[at]}]" if ids[at] in pieces else f"[{ids[at]}]"


def quoted(text: str, limit: int = 60) -> str:
    """A text on one line, with its white space to be seen."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return repr(short)
