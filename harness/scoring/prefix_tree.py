"""Many sequences of tokens as one tree: what several of them begin with is there once.

A radix tree over what the model reads. Choices of one question share its context, questions of one task share its
few-shot examples, and two choices that begin alike share that too; equal sequences are one. Each node knows which of
its tokens' logits somebody wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.common_prefix import common_prefix
from harness.scoring.request import Scored


class Span(NamedTuple):
    """Consecutive scored tokens of one request: the logits at offset + i predict its scored token place + i."""

    request: int
    place: int
    """Among the request's scored tokens."""
    offset: int
    """Among the tokens of the node."""
    tokens: int


@dataclass
class Node:
    """Tokens that follow those of its parent."""

    ids: tuple[int, ...]
    spans: list[Span] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    tokens: int = 0
    """Of the node and all below it."""
    rows: int = 0
    """Positions, of the node and all below it, whose logits are wanted."""

    def counted(self) -> Node:
        """The node with its totals, from its children's."""
        self.tokens = len(self.ids) + sum(child.tokens for child in self.children)
        self.rows = len(scored_offsets(self.spans)) + sum(child.rows for child in self.children)
        return self

    def below(self) -> Iterator[tuple[Node, int]]:
        """The node and all below it, each before its children, with the place of its parent in this order (-1)."""
        waiting, place = [(self, -1)], 0
        while waiting:
            node, parent = waiting.pop()
            yield node, parent
            waiting.extend((child, place) for child in reversed(node.children))
            place += 1


def scored_offsets(spans: Sequence[Span]) -> list[int]:
    """The offsets at which somebody wants logits, in order."""
    return sorted({span.offset + i for span in spans for i in range(span.tokens)})


def cut_spans(spans: Sequence[Span], at: int) -> tuple[list[Span], list[Span]]:
    """The spans of a node's first `at` tokens, and of the tokens after them."""
    before, after = [], []
    for request, place, offset, count in spans:
        first = min(max(at - offset, 0), count)
        if first > 0:
            before.append(Span(request, place, offset, first))
        if first < count:
            after.append(Span(request, place + first, offset + first - at, count - first))
    return before, after


def cut(node: Node, at: int) -> tuple[Node, Node]:
    """The node's first `at` tokens, without what is below, and the rest with it."""
    before, after = cut_spans(node.spans, at)
    return Node(node.ids[:at], before).counted(), Node(node.ids[at:], after, node.children).counted()


def joined(parent: Node, child: Node, spans: Sequence[Span]) -> Node:
    """The parent's tokens and the child's as one node, with these spans of the parent's."""
    shift = len(parent.ids)
    below = [span._replace(offset=span.offset + shift) for span in child.spans]
    return Node(parent.ids + child.ids, [*spans, *below], child.children).counted()


def prefix_tree(requests: Sequence[Scored]) -> Node:
    """The tree of what the requests read. Its root has no tokens."""
    root = Node(())
    path: list[tuple[Node, int]] = [(root, 0)]
    """From the root to the last request's node, each with the number of tokens before it."""
    finished: list[Node] = []
    before: tuple[int, ...] = ()
    for number in sorted(range(len(requests)), key=lambda i: requests[i].ids[:-1]):
        read = requests[number].read
        shared = common_prefix(before, read)
        while path[-1][1] >= shared and len(path) > 1:
            finished.append(path.pop()[0])
        node, start = path[-1]
        if start + len(node.ids) > shared:
            finished.append(_split(node, shared - start))
        if shared < len(read):
            child = Node(read[shared:])
            node.children.append(child)
            path.append((child, shared))
        _want(path, number, requests[number])
        before = read
    for node in [*finished, *(node for node, _ in reversed(path))]:
        node.counted()
    return root


def _split(node: Node, at: int) -> Node:
    """Leave the node its first `at` tokens; the rest becomes its only child, and is returned."""
    before, after = cut_spans(node.spans, at)
    rest = Node(node.ids[at:], after, node.children)
    node.ids, node.spans, node.children = node.ids[:at], before, [rest]
    return rest


def _want(path: Sequence[tuple[Node, int]], number: int, request: Scored) -> None:
    first = request.start - 1
    for node, start in path:
        begin, end = max(first, start), start + len(node.ids)
        if begin < end:
            node.spans.append(Span(number, begin - first, begin - start, end - begin))
