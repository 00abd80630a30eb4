"""Whether two records may be compared at all: a type check before any arithmetic.

Speed and memory depend on the machine, so they need the same class of it; what software ran there is what one compares.
Quality depends on the text and the tokenizer, never on the machine. A metric whose definition changed (another version)
is another metric, and so is one whose window each model settled for itself, or whose task was edited. The evidence per
document decides whether the text and the tokenizer are the same: it cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness.comparison.definition import why_edited
from harness.evidence.definition import why_other_definition
from harness.evidence.per_document import per_document
from harness.evidence.selection import Point
from harness.measures.registry import MEASURES, declared, metrics
from harness.results.fingerprint import HARDWARE, Fingerprint
from harness.results.record import Direction, Record


def why_not_comparable(base: Point, head: Point) -> str | None:
    """The reason why two records of the same name may not be compared; None where they may."""
    a, b = base.record, head.record
    if a.metric_id != b.metric_id:
        return f"the metric's definition changed: {a.metric_id} and {b.metric_id}"
    if a.unit != b.unit:
        return f"the units differ: {a.unit} and {b.unit}"
    if depends_on_machine(a) and (why := _why_other_machine(base, head)) is not None:
        return why
    if a.direction is not Direction.NONE and (why := why_other_definition(base.cell, head.cell)) is not None:
        return why
    return _why_other_text(base, head)


def depends_on_machine(record: Record) -> bool:
    """Whether its value is a time or a memory, or may be: what nobody declares (a measure that isn't installed, numbers
    of another tool) is taken for one. A task file's own metrics are scores, which are the same everywhere."""
    metric = declared(record)
    if metric is not None:
        return metric.depends_on is not None
    measure = MEASURES.get(record.measure)
    return measure is None or not measure.undeclared_metrics


def _why_other_machine(base: Point, head: Point) -> str | None:
    """Why two values that depend on the machine are of two machines; None where they are of one."""
    a, b = base.record.fingerprint_class, head.record.fingerprint_class
    if a == b and a:
        return None
    if not a or not b:
        one_run = base.run.folder == head.run.folder
        return None if one_run else "nothing says on what machine one of them was measured"
    ours, theirs = machine_class(base), machine_class(head)
    if ours is not None and ours == theirs:
        return None
    return "the machines differ: " + difference(base.run.manifest.fingerprint, head.run.manifest.fingerprint)


def machine_class(point: Point) -> str | None:
    """The class of the hardware alone that a record was measured on; None where its run doesn't tell, as it was another
    machine than the run's, or the fingerprint is not whole."""
    manifest = point.run.manifest
    if not manifest.fingerprint_class or point.record.fingerprint_class != manifest.fingerprint_class:
        return None
    try:
        return Fingerprint.model_validate(manifest.fingerprint).machine_class
    except ValidationError:
        return None


def _why_other_text(base: Point, head: Point) -> str | None:
    if base.cell.key == head.cell.key:
        return None
    if base.record.measure == "task":
        a, b = per_document(base), per_document(head)
        if a and b and not a.same_text(b):
            return "the documents differ"
        return why_edited(base.cell, head.cell)
    metric = declared(base.record)
    if metric is None or metric.sums is None or metric.sums.over is None:
        return why_edited(base.cell, head.cell)
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
    """What differs between the machines of two fingerprints: `cpu_model: A and B; cores: 2 and 4`."""
    flat_base, flat_head = (
        dict(_flat({name: each.get(name) for name in HARDWARE if name in each})) for each in (base, head)
    )
    keys = [key for key in dict.fromkeys([*flat_base, *flat_head]) if flat_base.get(key) != flat_head.get(key)]
    if not keys:
        return "their fingerprint classes differ, and what is kept of them doesn't say in what"
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
