"""What every view needs at once: the runs, and each distinct metric, place, definition and way of measuring once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from harness import strict_json
from harness.history.point import key_of
from harness.site.lines import Line, Lines, Row
from harness.site.numbering import Numbering

_WORST_FIRST = ("failed", "oom", "skipped", "ok")
_DEFINITION = ("cell", "metric_version", "unit", "pinned", "model_entry", "reads")
_HOW = ("confidence", "interval", "n_unit", "source")
_METRIC = ("metric", "kind", "unit", "direction", "depends_on", "definition", "metric_version")
_PLACE = ("model", "measure", "where", "part")
_TOLD = ("metric", "kind", "suite", *_PLACE)


class Index:
    """Numbers of all that rows share; `content` is what the page gets."""

    def __init__(self, found: Lines, rows_of_runs: Sequence[Sequence[Row]]) -> None:
        """rows_of_runs: by the run's number."""
        self._found, self._runs = found, rows_of_runs
        self.run_numbers = {rows[0]["run_id"]: number for number, rows in enumerate(rows_of_runs)}
        self._names: Numbering[str] = Numbering()
        self._metrics: Numbering[tuple[Any, ...]] = Numbering()
        self._places: Numbering[tuple[Any, ...]] = Numbering()
        self._definitions: Numbering[tuple[Any, ...]] = Numbering()
        self._hows: Numbering[tuple[Any, ...]] = Numbering()
        self._sets: Numbering[tuple[int, ...]] = Numbering()

    def definition(self, row: Row) -> int:
        """Of what makes two values of one series comparable."""
        return self._definitions(_values(row, _DEFINITION))

    def how(self, row: Row) -> int:
        """Of how an interval was made, and over what."""
        return self._hows(_values(row, _HOW))

    def place(self, row: Row) -> int:
        """Of model, measure, settings and part."""
        return self._places(_values(row, _PLACE))

    def content(self, file_of_run: Sequence[int], file_of_series: Sequence[int]) -> Any:
        """All of it, as plain data. What files name has to be numbered before."""
        runs = [self._run(rows) for rows in self._runs]
        series = [self._line(line) for line in self._found.lines]
        ids: Counter[str] = Counter()
        for one in series:  # two lines that end alike, such as those of two suites of one name
            ids[one["id"]] += 1
            one["id"] += f"-{ids[one['id']]}" if ids[one["id"]] > 1 else ""
        return {
            "runs": {**_columns(runs), "file": list(file_of_run)},
            "series": {**_columns(series), "file": list(file_of_series)},
            "names": self._names.things,
            "metrics": [list(one) for one in self._metrics.things],
            "places": [_place(one) for one in self._places.things],
            "definitions": [list(one) for one in self._definitions.things],
            "hows": [list(one) for one in self._hows.things],
            "sets": [list(one) for one in self._sets.things],
        }

    def _run(self, rows: Sequence[Row]) -> dict[str, Any]:
        first = rows[0]
        times = [row["time"] for row in rows if row["time"] is not None]
        counts = Counter(row["status"] for row in rows)
        return {
            "id": first["run_id"],
            "name": first["run"],
            "suite": self._names(first["suite"]),
            "machine": self._names(first["machine_class"]),
            "commit": first["commit"],
            "branch": None if first["branch"] is None else self._names(first["branch"]),
            "dirty": None if first["dirty"] is None else int(first["dirty"]),
            "time": min(map(_seconds, times), default=None),
            "status": next((status for status in _WORST_FIRST if counts[status]), "failed"),
            "rows": len(rows),
            "not_ok": len(rows) - counts["ok"],
            "set": self._sets(tuple(sorted({row["series"] for row in rows if row["metric"] is not None}))),
            "subject": self._found.subjects.get(first["commit"]),
            "apart": self._found.apart.get(key_of(first)),
        }

    def _line(self, line: Line) -> dict[str, Any]:
        last, machine = line.last, line.series.machine_class
        return {
            "id": series_id(line),
            "suite": self._names(last["suite"]),
            "machine": None if machine is None else self._names(machine),
            "metric": self._metrics(_values(last, _METRIC)),
            "place": self.place(last),
            "n": len(line.places),
            "steps": len(line.steps),
            "breaks": len(line.breaks),
        }


def series_id(line: Line) -> str:
    """What a series is called in links: a hash of what a reader tells it from others by."""
    told = [*_values(line.last, _TOLD), line.series.machine_class]
    return hashlib.sha256(strict_json.dumps(told).encode()).hexdigest()[:12]


def _values(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _place(place: tuple[Any, ...]) -> list[Any]:
    """The settings as pairs of texts: their names are anybody's."""
    model, measure, where, part = place
    try:
        settings = strict_json.loads(where)
        pairs = [[str(name), _text(value)] for name, value in settings.items()]
    except (ValueError, AttributeError):
        pairs = [["where", str(where)]]
    return [model, measure, pairs, part]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else strict_json.dumps(value, ensure_ascii=False)


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
