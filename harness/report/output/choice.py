"""What of a run is shown: metrics by name or wildcard, cells by `KEY=VALUE`, and whether all columns are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from harness.errors import WrongArgument, shown
from harness.evidence.selection import Where, listed, selects, selects_row, why_no_row, why_nothing
from harness.evidence.where_text import where_among, where_of
from harness.results.record import CellResult, Record
from harness.spelling import nearest_word

Row = TypeVar("Row", bound=Mapping[str, Any])

ABBREVIATIONS = {"ppl": "perplexity", "bpb": "bits_per_byte", "accuracy": "acc", "em": "exact_match"}
"""What people type for a metric that has another name here."""
_MOST = 20
"""Names that a sentence lists."""


@dataclass(frozen=True)
class Choice:
    """What was asked for."""

    metrics: tuple[str, ...] = ()
    """Names, names with versions, or wildcards; all where it is empty."""
    where: tuple[str, ...] = ()
    """`precision=int8`; a name that comes twice has either value."""
    wide: bool = False
    """Whether all columns are shown."""

    @property
    def chooses(self) -> bool:
        """Whether anything is left out."""
        return bool(self.metrics or self.where)


EVERYTHING = Choice()


def choice(metrics: Iterable[str] = (), where: Iterable[str] = (), wide: bool = False) -> Choice:
    """What was typed: several metrics stand between commas, or the option stands several times. Raises UserError."""
    names = [name.strip() for text in metrics for name in text.split(",")]
    if not all(names):
        raise WrongArgument("a name is missing: give metrics between commas, such as ppl,acc", place="metrics")
    return Choice(tuple(names), tuple(where), wide)


def chosen_cells(cells: Sequence[CellResult], choice: Choice) -> list[CellResult]:
    """The cells that are meant, each with the records that are meant. A cell without numbers stays where its measure
    has one of the metrics. Raises UserError, with the nearest name, where nothing is meant."""
    where = where_of(choice.where, cells, "where")
    found = [cell for cell in cells if selects(where, cell)]
    if choice.where and not found:
        raise WrongArgument(why_nothing(where, cells), place="where")
    if not choice.chooses:
        return found
    names = metrics_among(choice.metrics, [record for cell in found for record in cell.records])
    measures = {cell.measure for cell in found for record in cell.records if record.metric in names}
    kept = []
    for cell in found:
        records = [record for record in cell.records if _is_meant(record, names, where)]
        has_numbers = any(record.metric is not None for record in cell.records)
        if any(record.metric in names for record in records) or (cell.measure in measures and not has_numbers):
            kept.append(cell.model_copy(update={"records": records}))
    return kept


def chosen_rows(rows: Sequence[Row], typed: Sequence[str], names: Collection[str] | None = None) -> list[Row]:
    """The rows that have all that was typed, as `precision=int8`. names: the columns that may be asked for, all where
    it is None. Raises UserError, with the nearest word, where none has."""
    places = [{name: value for name, value in row.items() if names is None or name in names} for row in rows]
    where = where_among(typed, places, "where")
    found = [row for row, at in zip(rows, places, strict=True) if selects_row(where, at)]
    if typed and not found:
        raise WrongArgument(why_no_row(where, places) if rows else "there is nothing to choose from", place="where")
    return found


def metrics_among(patterns: Sequence[str], records: Sequence[Record]) -> set[str]:
    """Names of the records' metrics that the patterns mean; all of them where there is no pattern. Raises UserError for
    one that means none."""
    ids = {record.metric: record.metric_id for record in records if record.metric is not None}
    return metric_names(patterns, {name: str(id_ or name) for name, id_ in ids.items()})


def metric_names(patterns: Sequence[str], ids: dict[str, str]) -> set[str]:
    """The same of metrics by name, with their ids (`tpot@1`)."""
    if not patterns:
        return set(ids)
    found: set[str] = set()
    for pattern in patterns:
        mine = _meant(pattern, ids) or _meant(ABBREVIATIONS.get(pattern.lower(), pattern), ids)
        if not mine:
            raise WrongArgument(_why_none(pattern, ids), place="metrics")
        found |= mine
    return found


def _is_meant(record: Record, names: Collection[str], where: Where) -> bool:
    if "part" in where and record.part not in listed(where["part"]):
        return False
    return record.metric is None or record.metric in names


def _meant(pattern: str, ids: dict[str, str]) -> set[str]:
    return {name for name, id_ in ids.items() if fnmatchcase(name, pattern) or fnmatchcase(id_, pattern)}


def _why_none(pattern: str, ids: dict[str, str]) -> str:
    if not ids:
        return f"there is no metric '{shown(pattern)}' here: no cell has a number"
    near = nearest_word(pattern, ids) or next((name for name in ids if _abbreviates(pattern, name)), None)
    guess = f" (did you mean '{near}'?)" if near else ""
    names = sorted(ids)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"there is no metric '{shown(pattern)}' here{guess}; there are: {', '.join(names[:_MOST])}{more}"


def _abbreviates(short: str, name: str) -> bool:
    """Whether a name begins with the same letter and has the others of a word in this order."""
    letters = iter(name)
    return bool(short) and name.startswith(short[0]) and all(letter in letters for letter in short)
