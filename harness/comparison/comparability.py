"""Whether two records may be compared at all: a type check before any arithmetic.

Speed and memory depend on the machine and its software, so they need the same fingerprint class. Quality depends on
the text and the tokenizer, never on the machine. A metric whose definition changed (another version) is another
metric, and so is one whose window each model settled for itself. The evidence per document decides whether the text and
the tokenizer are the same: it cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.definition import why_other_definition
from harness.evidence.per_document import WEIGHT_OF, per_document
from harness.evidence.selection import Point
from harness.results.record import Direction, Record

PER_TOKEN = ("perplexity", "loss", "validation_loss")
"""Quality metrics that mean something else under another tokenizer; bits per byte does not."""


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
    """Measured in isolation (speed, memory), and not a count that is the same everywhere."""
    from harness.measures.registry import MEASURES

    measure = MEASURES.get(record.measure)
    return measure is not None and measure.isolated and record.interval != "exact"


def _why_other_text(base: Point, head: Point) -> str | None:
    if base.cell.key == head.cell.key or (base.record.measure != "task" and base.record.metric not in WEIGHT_OF):
        return None
    a, b = per_document(base), per_document(head)
    if base.record.measure == "task":
        return "the documents differ" if a and b and not a.same_text(b) else None
    if a is None or b is None:
        # within one run a text's name stands for its bytes
        return None if base.run.folder == head.run.folder else "no samples that tell whether the texts are the same"
    if not a.same_text(b):
        return "the texts differ"
    if base.record.metric in PER_TOKEN and not a.same_tokens(b):
        return f"the tokenizers differ and {base.record.metric} is per token; compare bits_per_byte"
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
