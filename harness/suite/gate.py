"""Whether a suite's `gate:` means cells that it has, and not too many of them: told when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.comparison.gate_entry import MOST_PAIRS, GateEntry, Guard
from harness.comparison.metric_kind import Kind, kind_of_metric
from harness.evidence.selection import selects_row
from harness.measures.registry import MEASURES
from harness.results.record import AXES
from harness.suite.cells import Cell
from harness.suite.expectations import Row, planned_rows, rows_of_metric
from harness.suite.mistakes import located
from harness.suite.schema import Suite
from harness.yaml_files.document import Document


def wrong_gates(suite: Suite, cells: Sequence[Cell], document: Document) -> list[str]:
    """A sentence, with its line, for every entry that could never be judged, and where there are more than ten pairs
    of a metric and a cell. cells: of this suite."""
    rows = planned_rows(cells)
    problems: list[str] = []
    pairs: set[tuple[str, str]] = set()
    for number, entry in enumerate(suite.gate):
        _, chosen, wrong = rows_of_metric(entry.metric, entry.measure, entry.where, rows)
        found = [wrong] if wrong is not None else list(_wrong(entry, chosen, rows))
        for key, why in found:
            problems.append(located(document, ("gate", number, *key.split(".")), why))
        pairs |= {(entry.metric.partition("@")[0], repr(sorted(row.items()))) for row in chosen}
    if not problems and len(pairs) > MOST_PAIRS:
        problems.append(
            located(
                document,
                ("gate",),
                f"its entries match {len(pairs)} metrics of cells, and {MOST_PAIRS} is the most; narrow `where` (all "
                "others are watched)",
            )
        )
    return problems


def _wrong(entry: GateEntry, chosen: Sequence[Row], rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """(key, what is wrong with it) of an entry that matches cells."""
    kinds = {_kind(entry.metric, str(row["measure"])) for row in chosen}
    if Kind.OTHER in kinds:
        yield "metric", f"nothing decides whether {entry.metric} became worse, so it can only be watched"
    if Kind.TIME not in kinds and entry.guarded_by:
        yield "guarded_by", f"only a speed is guarded by quality, and {entry.metric} is none"
    if Kind.TIME in kinds and entry.bitwise:
        yield "bitwise", f"{entry.metric} is a time, and no two are the same"
    if entry.kl_margin is not None and any(row["measure"] != "probe" for row in chosen):
        yield "kl_margin", f"only a probe keeps what a model expects, and {entry.metric} is of another measure"
    for guard in entry.guards:
        if (why := _wrong_guard(guard, chosen, rows)) is not None:
            yield "guarded_by", why


def _wrong_guard(guard: Guard, guarded: Sequence[Row], rows: Sequence[Row]) -> str | None:
    _, chosen, wrong = rows_of_metric(guard.metric, None, guard.where, rows)
    if wrong is not None:
        return wrong[1]
    if any(_kind(guard.metric, str(row["measure"])) in (Kind.TIME, Kind.MEMORY, Kind.OTHER) for row in chosen):
        return f"{guard.metric} is no quality that can be judged"
    for row in guarded:
        at = {name: row[name] for name in ("model", *AXES) if name in row and name != "threads"}
        if not any(selects_row(at, one) and one["measure"] != row["measure"] for one in chosen):
            told = ", ".join(map(str, at.values()))
            return f"no cell with {guard.metric} has the model and the axes of what it guards ({told})"
    return None


def _kind(metric: str, measure: str) -> Kind:
    declared = MEASURES[measure].metric(metric.partition("@")[0])
    return Kind.OTHER if declared is None else kind_of_metric(declared)
