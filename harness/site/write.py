"""Write the site of a history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UserError
from harness.history.folder import HISTORY, History, read_history
from harness.site.folder import check_folder, write_files
from harness.site.index_data import Index
from harness.site.lines import Row, all_lines
from harness.site.script_file import script
from harness.site.series_data import series_files
from harness.site.value_data import value_files
from harness.site.verdict_data import VERDICTS_OF_A_FILE, verdict_columns, verdict_files

TITLE = "Benchmark history"


def write_site(
    folder: str | Path,
    history: str | Path = HISTORY,
    *,
    title: str = TITLE,
    repository: str | None = None,
    suite: str | None = None,
    branch: str | None = None,
    project: str | Path | None = None,
) -> History:
    """Write the site of a history into a folder; returns the history, whose damage the site names too.

    repository: address of the project's repository, which commits then link to. suite: of this one alone.
    branch: whose history the trends are of, in the repository that `project` (None: the working folder) lies in; None:
    the one that is checked out. Raises UserError where there is no history, or where the folder holds other files.
    """
    folder = Path(folder)
    before = check_folder(folder)
    linked = None if repository is None else commit_address(repository)
    read = read_history(history, suite)
    here = None if project is None else Path(project)
    write_files(folder, site_files(read, title, linked, branch=branch, project=here), before)
    return read


def commit_address(repository: str) -> str:
    """The address of a commit's page, with `{commit}` in it. Raises UserError for what is no web address."""
    try:
        parts = urlsplit(repository)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", repository)
    except ValueError:
        is_one = False
    if not is_one:
        raise UserError(
            "needs the web address of a repository, such as https://github.com/me/project", place="--repository"
        )
    if "{commit}" in repository:
        return repository
    return f"{repository.rstrip('/').removesuffix('.git')}/commit/{{commit}}"


def site_files(
    history: History,
    title: str = TITLE,
    commits: str | None = None,
    *,
    branch: str | None = None,
    project: Path | None = None,
) -> dict[str, str]:
    """All files of the site by name, the index after what it names. The same history gives the same bytes."""
    rows: list[Row] = history.table.to_pylist()
    found = all_lines(history, rows, branch=branch, folder=project)
    runs = _runs(rows)
    index = Index(found, runs)
    values, file_of_run = value_files(runs, index)
    series = series_files(found.lines, index)
    evidence = verdict_files(history.verdicts)
    content = {
        "title": title,
        "commits": commits,
        "damage": [_within(one, history) for one in (*history.damage, *history.damage_of_verdicts)],
        "notes": [_within(one, history) for one in history.notes],
        "branch": found.branch,
        "order": list(found.notes),
        **index.content(file_of_run, series.file_of),
        "verdicts": verdict_columns(history.verdicts),
        "verdicts_of_a_file": VERDICTS_OF_A_FILE,
        "files": {
            "values": [one.name for one in values],
            "series": [one.name for one in series.files],
            "verdicts": [one.name for one in evidence],
        },
    }
    data = {one.name: one.content for one in (*values, *series.files, *evidence)}
    return data | {"data/index.js": script("index", content)} | _page()


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of each run, the runs in the order of adding, then of time."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["run_id"], []).append(row)

    def place(run: list[Row]) -> tuple[Any, ...]:
        return max(row["sequence"] for row in run), min(str(row["time"]) for row in run), run[0]["run_id"]

    return [sorted(run, key=_order) for run in sorted(runs.values(), key=place)]


def _order(row: Row) -> list[str]:
    return [str(row[name]) for name in ("measure", "model", "metric", "kind", "where", "part")]


def _within(sentence: str, history: History) -> str:
    """A sentence about a file, without the folder of the history: where that lies is nobody's business."""
    return sentence.removeprefix(f"{history.folder}/")


def _page() -> dict[str, str]:
    folder = files("harness.site") / "page"
    found = sorted(
        (one for one in folder.iterdir() if one.name.endswith((".js", ".css", ".html"))), key=lambda one: one.name
    )
    return {one.name: one.read_text(encoding="utf-8") for one in found}
