"""From a tree of requests to forward passes: what is read when, and what stays in the cache for what comes after.

A pass reads one row of tokens: whole branches of the tree one after the other, with no padding, each token seeing its
own ancestors only. What doesn't fit in one pass is read in parts, and the parts before stay in the KV cache; when a
branch is done the cache is cut back to where it began. A prefix that many branches share is so read once and cached
where that saves time, and is repeated in each pass where it is so short that a pass of its own would cost more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from harness.scoring.budget import Budget
from harness.scoring.prefix_tree import Node, Span, cut, joined, scored_offsets


class Segment(NamedTuple):
    """A node of the tree in a pass."""

    ids: tuple[int, ...]
    parent: int
    """The segment before it in the tree, by its place in the pass; -1: it follows what is cached."""
    spans: Sequence[Span]


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    held: int
    """Tokens that the cache holds when it begins: what more it has is cut off."""
    segments: tuple[Segment, ...]

    @property
    def tokens(self) -> int:
        """How many it reads."""
        return sum(len(segment.ids) for segment in self.segments)

    @property
    def rows(self) -> int:
        """Positions whose logits it needs."""
        return sum(len(scored_offsets(segment.spans)) for segment in self.segments)


class _Branches(NamedTuple):
    held: int
    nodes: Sequence[Node]


def passes(root: Node, budget: Budget, context: int) -> Iterator[Pass]:
    """The passes over a tree, in order. context: tokens that the model can hold; no path may be longer."""
    waiting = [_Branches(0, root.children)]
    while waiting:
        held, nodes = waiting.pop()
        # the last waiting first: whatever runs between writes beyond `held` only, so the cache is as it was
        room = budget._replace(tokens=min(budget.tokens, context - held))
        small: list[Node] = []
        large: list[Node] = []
        for node in nodes:
            for part in _parts(node, room):
                (small if _fits([part], room) else large).append(part)
        for group in _groups(small, room):
            yield _pass(held, group)
        if not large:
            continue
        first, *others = large
        if others:
            waiting.append(_Branches(held, others))
        head, rest = _first_chunk(first, room)
        yield _pass(held, [head])
        below = [rest] if rest.ids else rest.children
        if below:
            waiting.append(_Branches(held + len(head.ids), below))


def _fits(nodes: Sequence[Node], room: Budget) -> bool:
    return sum(node.tokens for node in nodes) <= room.tokens and sum(node.rows for node in nodes) <= room.rows


def _groups(nodes: Sequence[Node], room: Budget) -> Iterator[list[Node]]:
    """Neighbors together, as many as one pass has room for."""
    group: list[Node] = []
    for node in nodes:
        if group and not _fits([*group, node], room):
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def _parts(node: Node, room: Budget) -> Iterator[Node]:
    """The node itself, or, where reading its own tokens again is cheaper than a pass for them, several such nodes."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        again = math.ceil(max(node.tokens / room.tokens, node.rows / room.rows)) - 1
        if _fits([node], room) or not node.children or len(node.ids) * again > room.pass_costs:
            yield node
            continue
        own = len(node.ids)
        rows = len(scored_offsets(node.spans))
        smaller = room._replace(tokens=room.tokens - own, rows=room.rows - rows)
        spans = node.spans  # scored once
        for group in _groups(node.children, smaller):
            if _fits(group, smaller):
                yield Node(node.ids, spans, group).counted()
            else:
                waiting.append(joined(node, group[0], spans))
            spans = []


def _first_chunk(node: Node, room: Budget) -> tuple[Node, Node]:
    """What of a node that is too large is read next, and the rest. Chunks are about even."""
    own = len(node.ids)
    size = math.ceil(own / math.ceil(own / room.tokens))
    offsets = scored_offsets(node.spans)
    if len(offsets) > room.rows:
        evenly = math.ceil(len(offsets) / math.ceil(len(offsets) / room.rows))
        size = min(size, offsets[evenly])
    return cut(node, size)


def _pass(held: int, nodes: Sequence[Node]) -> Pass:
    segments: list[Segment] = []
    for node in nodes:
        base = len(segments)
        segments.extend(
            Segment(each.ids, -1 if parent < 0 else base + parent, each.spans) for each, parent in node.below()
        )
    return Pass(held, tuple(segments))
