"""Whether two records may be compared at all: a type check before any arithmetic.

Speed and memory depend on the machine and its software, so they need the same fingerprint class. Quality depends on
the text and the tokenizer, never on the machine. A metric whose definition changed (another version) is another
metric, and so is one whose window each model settled for itself. The evidence per document decides whether the text and
the tokenizer are the same: it cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.evidence.definition import why_other_definition
from harness.evidence.per_document import per_document
from harness.evidence.selection import Point
from harness.measures.registry import declared, metrics
from harness.results.record import Direction, Record


def why_not_comparable(base: Point, head: Point) -> str | None:
    """The reason why two records of the same name may not be compared; None where they may."""
    a, b = base.record, head.record
    if a.metric_id != b.metric_id:
        return f"the metric's definition changed: {a.metric_id} and {b.metric_id}"
    if a.unit != b.unit:
        return f"the units differ: {a.unit} and {b.unit}"
    if _depends_on_machine(a) and a.fingerprint_class != b.fingerprint_class:
        return "the machines differ: " + difference(base.run.manifest.fingerprint, head.run.manifest.fingerprint)
    if a.direction is not Direction.NONE and (why := why_other_definition(base.cell, head.cell)) is not None:
        return why
    return _why_other_text(base, head)


def _depends_on_machine(record: Record) -> bool:
    """Whether it is a time or a memory, and no count that is the same everywhere."""
    metric = declared(record)
    return metric is not None and metric.depends_on is not None


def _why_other_text(base: Point, head: Point) -> str | None:
    if base.cell.key == head.cell.key:
        return None
    if base.record.measure == "task":
        a, b = per_document(base), per_document(head)
        return "the documents differ" if a and b and not a.same_text(b) else None
    metric = declared(base.record)
    if metric is None or metric.sums is None or metric.sums.over is None:
        return None
    a, b = per_document(base), per_document(head)
    if a is None or b is None:
        # within one run a text's name stands for its bytes
        return None if base.run.folder == head.run.folder else "no samples that tell whether the texts are the same"
    if not a.same_text(b):
        return "the texts differ"
    if metric.per_token and not a.same_tokens(b):
        instead = _without_tokens(metric.sums.of)
        return f"the tokenizers differ and {metric.name} is per token" + (f"; compare {instead}" if instead else "")
    return None


def _without_tokens(column: str) -> str | None:
    """A metric that is a mean of this column under every tokenizer alike, such as bits_per_byte."""
    for metric in metrics():
        if not metric.per_token and metric.sums and metric.sums.over and metric.sums.of == column:
            return metric.name
    return None


def difference(base: Mapping[str, Any], head: Mapping[str, Any]) -> str:
    """What differs between two fingerprints: `cpu_model: A and B; threads: 2 and 4`."""
    flat_base, flat_head = dict(_flat(base)), dict(_flat(head))
    keys = [key for key in dict.fromkeys([*flat_base, *flat_head]) if flat_base.get(key) != flat_head.get(key)]
    if not keys:
        return "their fingerprint classes differ"
    shown = [f"{key}: {flat_base.get(key)} and {flat_head.get(key)}" for key in keys[:4]]
    return "; ".join(shown) + (f"; and {len(keys) - 4} more" if len(keys) > 4 else "")


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            rows.extend(_flat(item, f"{prefix}{key}."))
        else:
            rows.append((f"{prefix}{key}", item))
    return rows
