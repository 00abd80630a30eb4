"""The folder of the history: what is written is whole or not there, what is damaged costs itself, nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import kept_file
from harness.errors import UserError
from harness.history import folder as store
from harness.history.folder import add_rows, add_verdict, read_history
from harness.history.partition import safe
from harness.history.row import COLUMNS, VERSION, VERSION_KEY, Row, schema, table_of
from harness.history.verdict import KeptVerdict

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def row(number: int = 1, **facts: object) -> Row:
    known: dict[str, object] = {
        **{"suite": "ci", "machine_class": "abc", "run": f"run-{number}", "run_id": f"id-{number}", "time": WHEN},
        **{"commit": f"{number:040x}", "parents": (f"{number - 1:040x}",), "dirty": False, "cell": "c", "metric": "m"},
        **{"value": 1.0 + number, "unit": "s"},
    }
    return Row(**(known | facts))  # type: ignore[arg-type]


def named(path: Path, content: bytes) -> Path:
    """A file under the name of its sha256, whatever is in it."""
    path.mkdir(parents=True, exist_ok=True)
    return kept_file.write_named(path, content, ".parquet")[0]


def test_rows_come_back(tmp_path: Path) -> None:
    first, second = row(1), row(2, value=float("inf"), low=None, high=None, parents=None, time=None, where='{"a": "ü"}')
    assert add_rows([first, row(1, metric="other")], tmp_path).is_new and add_rows([second], tmp_path).is_new
    history = read_history(tmp_path)
    rows = [Row(**(one | {"parents": one["parents"] and tuple(one["parents"])})) for one in history.table.to_pylist()]
    assert sorted((one.run, one.metric, one.sequence) for one in rows) == [
        ("run-1", "m", 1),
        ("run-1", "other", 1),
        ("run-2", "m", 2),
    ]
    assert {one for one in rows if one.metric == "m"} == {
        Row(**(vars(first) | {"sequence": 1})),
        Row(**(vars(second) | {"sequence": 2})),
    }
    assert list(history.rows.columns) == list(COLUMNS) and history.damage == history.notes == ()


def test_suites_are_numbered_together(tmp_path: Path) -> None:
    for number, suite in enumerate(("ci", "ci", "other", "ci"), start=1):
        add_rows([row(number, suite=suite)], tmp_path)
    assert {one["run"]: one["sequence"] for one in read_history(tmp_path).table.to_pylist()} == {
        f"run-{number}": number for number in (1, 2, 3, 4)
    }


def test_the_same_run_is_added_once_and_a_resumed_one_replaces_what_it_was(tmp_path: Path) -> None:
    added = add_rows([row(1)], tmp_path)
    assert add_rows([row(1)], tmp_path) == store.Added(added.path, False)
    failed = row(2, metric=None, value=None, status="failed")
    add_rows([failed, row(2, cell="d")], tmp_path)
    add_rows([row(2), row(2, cell="d")], tmp_path)
    rows = read_history(tmp_path).rows
    assert sorted(zip(rows["run"], rows["cell"], rows["status"], strict=True)) == [
        ("run-1", "c", "ok"),
        ("run-2", "c", "ok"),
        ("run-2", "d", "ok"),
    ]


def test_damage_costs_itself_and_is_named(tmp_path: Path) -> None:
    paths = [add_rows([row(number)], tmp_path).path for number in (1, 2, 3, 4)]
    content = bytearray(paths[0].read_bytes())
    content[len(content) // 2] ^= 1
    paths[0].write_bytes(content)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    paths[2].replace(paths[2].with_name(f"{'0' * 64}.parquet"))
    history = read_history(tmp_path)
    assert list(history.rows["run"]) == ["run-4"]
    assert len(history.damage) == 3 and all("its sha256 is another than its name says" in one for one in history.damage)
    assert add_rows([row(1)], tmp_path).is_new, "a damaged file is written again"
    assert len(read_history(tmp_path).rows) == 2


def test_other_files_under_a_right_name_are_named_too(tmp_path: Path) -> None:
    add_rows([row(1)], tmp_path)
    place = tmp_path / "suite=ci/machine=abc"
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": [1]}), sink)
    named(place, b"no parquet")
    named(place, sink.getvalue().to_pybytes())
    odd = table_of([row(2)]).drop_columns("value").append_column("value", pa.array(["many"]))
    sink = pa.BufferOutputStream()
    pq.write_table(odd.replace_schema_metadata({VERSION_KEY: b"1"}), sink)
    named(place, sink.getvalue().to_pybytes())
    history = read_history(tmp_path)
    assert len(history.damage) == 3 and list(history.rows["run"]) == ["run-1"]


def test_a_later_version_is_refused_by_name_and_an_earlier_one_read(tmp_path: Path) -> None:
    place = tmp_path / "suite=ci/machine=abc"
    for number, version, lacking in ((1, VERSION, ["reads", "sequence"]), (2, VERSION + 1, [])):
        table = table_of([row(number)]).drop_columns(lacking)
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata({VERSION_KEY: str(version)}), sink)
        named(place, sink.getvalue().to_pybytes())
    history = read_history(tmp_path)
    assert history.table.schema.equals(schema()) and history.table["reads"].to_pylist() == [None]
    (damage,) = history.damage
    assert f"written by a later version of harness (history {VERSION + 1}" in damage


def test_no_history_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no history here; `harness history add RUN"):
        read_history(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="this is a file"):
        read_history(tmp_path / "file")
    with pytest.raises(UserError, match="a file stands where the history should go"):
        add_rows([row()], tmp_path / "file")
    with pytest.raises(UserError, match="no run is in this history"):
        read_history(tmp_path)
    add_rows([row()], tmp_path)
    with pytest.raises(UserError, match="no run of this suite is in this history"):
        read_history(tmp_path, "other")


@pytest.mark.parametrize(
    "name", ["../../up", ".", "..", "a/b", "", "ü b", "A" * 300, "%" * 200, "x\0y", "con.", "\ud800"]
)
def test_a_suite_of_any_name_has_a_folder_of_its_own(name: str, tmp_path: Path) -> None:
    made = safe(name)
    assert made and not set(made) & set("/\\\0 ") and not made.startswith(".") and len(made.encode()) < 200
    others = [safe(other) for other in ("a", "A" * 299, "%" * 199, "..", "a_b") if other != name]
    assert made not in others
    if name.isprintable() and name:
        add_rows([row(suite=name)], tmp_path / "deep/history")
        assert list(read_history(tmp_path / "deep/history", name).rows["suite"]) == [name]
        assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def _adds(place: str, numbers: list[int]) -> None:
    for number in numbers:
        add_rows([row(number)], place)


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    shared = list(range(100, 105))
    writers = [
        context.Process(target=_adds, args=(str(tmp_path), [*range(first, first + 8), *shared])) for first in (0, 50)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows = read_history(tmp_path).rows
    assert sorted(rows["run"]) == sorted(f"run-{number}" for number in (*range(8), *range(50, 58), *shared))


def _is_killed_while_it_writes(place: str) -> None:
    whole = kept_file.write_whole

    def half(path: Path, content: bytes) -> None:
        path.with_name(f".{path.name}.{os.getpid()}.building").write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
        whole(path, content)

    kept_file.write_whole = half  # type: ignore[assignment]
    add_rows([row(2)], place)


def test_a_killed_writer_leaves_nothing_half(tmp_path: Path) -> None:
    add_rows([row(1)], tmp_path)
    writer = multiprocessing.get_context("fork").Process(target=_is_killed_while_it_writes, args=(str(tmp_path),))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    history = read_history(tmp_path)
    assert list(history.rows["run"]) == ["run-1"] and history.damage == ()
    (note,) = history.notes
    assert ".building" in note and "its writer was killed" in note
    add_rows([row(2)], tmp_path)
    assert len(read_history(tmp_path).rows) == 2


def verdict(**facts: object) -> KeptVerdict:
    known = {
        **{"kind": "gate", "suite": "ci", "machine_class": "abc", "run": "run-1", "run_id": "id-1", "time": WHEN},
        **{"verdict": "pass", "exit_code": 0, "said": {"judged": [], "worst": float("inf")}},
    }
    return KeptVerdict.model_validate(known | facts)


def test_verdicts_are_kept_beside_the_rows(tmp_path: Path) -> None:
    add_rows([row(1)], tmp_path)
    added = add_verdict(verdict(), tmp_path)
    assert added.is_new and not add_verdict(verdict(), tmp_path).is_new
    assert added.path.parent == tmp_path / "suite=ci/machine=abc"
    other = add_verdict(verdict(said={"judged": [1]}), tmp_path).path
    later = add_verdict(verdict(said={"judged": [2]}, version=2), tmp_path).path
    history = read_history(tmp_path)
    assert {str(one.said) for one in history.verdicts} == {"{'judged': [1]}", "{'judged': [], 'worst': inf}"}
    assert history.damage == () and len(history.damage_of_verdicts) == 1
    assert str(later) in history.damage_of_verdicts[0] and "later version" in history.damage_of_verdicts[0]
    other.write_bytes(other.read_bytes().replace(b"[1]", b"[7]"))
    assert len(read_history(tmp_path).verdicts) == 1 and len(read_history(tmp_path).damage_of_verdicts) == 2
