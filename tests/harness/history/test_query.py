"""`harness query`: what is asked is answered; nothing but the history can be read, and nothing is changed."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from harness.errors import UserError
from harness.fences.enclosure import available
from harness.history import query as asking
from harness.history.folder import History, add_verdict, read_history
from harness.history.query import query
from harness.history.query_frames import Asked, Head, read_head, write_asked
from harness.history.query_process import answer
from harness.history.query_text import as_table, query_answer
from harness.report.output.written import Format, written
from tests.harness.history.generated import straight
from tests.harness.history.test_folder import verdict

pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = straight(tmp_path_factory.mktemp("history"), 5, lambda number: 1 + number / 10)
    add_verdict(verdict(), folder)
    return read_history(folder)


def test_a_query_is_answered(history: History) -> None:
    answer = query(
        "SELECT branch, count(*) AS n, max(value) AS worst, min(time) AS first, any_value(h.where->>'precision') AS p, "
        "(SELECT count(*) FROM verdicts WHERE verdict = 'pass') AS passed FROM history h GROUP BY branch",
        history,
    )
    first = datetime.datetime(2026, 1, 1)
    assert answer.to_pylist() == [{"branch": "main", "n": 5, "worst": 1.4, "first": first, "p": "int4", "passed": 1}]


HOSTILE = [
    ("COPY history TO '/tmp/stolen.csv'", "COPY is none"),
    ("ATTACH '/tmp/other.db'", "ATTACH is none"),
    ("INSTALL httpfs", "LOAD is none"),
    ("LOAD httpfs", "LOAD is none"),
    ("PRAGMA enable_external_access=true", "is none"),
    ("SET enable_external_access=true", "is none"),
    ("SELECT 1; SET enable_external_access=true", "2 statements"),
    ("SELECT 1; SELECT 2", "2 statements"),
    ("DELETE FROM history", "DELETE is none"),
    ("CREATE TABLE x AS SELECT 1", "CREATE is none"),
    ("EXPLAIN ANALYZE DELETE FROM history", "EXPLAIN is none"),
    ("-- nothing", "nothing is asked"),
    ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
    ("SELECT * FROM read_text('/etc/passwd')", "disabled by configuration"),
    ("SELECT * FROM read_blob('/etc/passwd')", "disabled by configuration"),
    ("SELECT * FROM glob('/etc/*')", "disabled by configuration"),
    ("SELECT * FROM '/etc/passwd'", "does not exist"),
    ("SELECT * FROM 'https://example.org/x.csv'", ""),
    ("SELECT getenv('HOME')", "does not exist"),
    ("SELECT * FROM query('COPY history TO ''/tmp/stolen.csv''')", "single SELECT"),
    ("SELECT * FROM table_of_ours", "does not exist"),
    ("SELECT modl FROM history", 'Referenced column "modl" not found'),
    ("selct", "syntax error"),
    ("SELECT '" + "x" * 100 + "", "unterminated"),
    ("SELECT length(repeat('x', 8000000000))", ""),
]


@pytest.mark.parametrize(("sql", "said"), HOSTILE)
def test_hostile_and_wrong_queries_are_one_sentence(history: History, sql: str, said: str) -> None:
    table_of_ours = pa.table({"secret": [1]})
    with pytest.raises(UserError) as raised:
        query(sql, history)
    text = str(raised.value)
    assert said in text and text.count("\n") == 0 and table_of_ours.num_rows == 1
    assert not Path("/tmp/stolen.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range % 7 = b.range % 5",
        "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    ],
)
def test_what_does_not_end_is_ended(history: History, sql: str) -> None:
    with pytest.raises(UserError, match=r"it was not answered in 3 s|ended|Memory"):
        query(sql, history, seconds=3)


CHANGES = [
    "WITH x AS (DELETE FROM history RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM history) SELECT 1",
    "WITH x AS MATERIALIZED (INSERT INTO history SELECT * FROM history RETURNING *) FROM x",
    "WITH x AS (UPDATE history SET value = 3 RETURNING *) SELECT * FROM x",
    "WITH x AS (SELECT 1), y AS (TRUNCATE history) SELECT 1",
    "WITH x AS (COPY history TO '/tmp/stolen.csv') SELECT 1",
    "WITH x AS (MERGE INTO history USING verdicts ON true WHEN MATCHED THEN DELETE RETURNING *) SELECT * FROM x",
    "WITH x AS (CREATE TABLE y AS SELECT 1) SELECT 1",
    "WITH x AS (SELECT 1) DELETE FROM history",
    "WITH x AS (SELECT 1) DELETE FROM history RETURNING *",
    "WITH x AS (SELECT 1) INSERT INTO history SELECT * FROM history",
    "WITH x AS (SELECT 1) UPDATE history SET value = 2",
    "WITH RECURSIVE x AS (SELECT 1) MERGE INTO history USING verdicts ON true WHEN MATCHED THEN DELETE",
    "SELECT (WITH x AS (DELETE FROM history RETURNING value) SELECT value FROM x)",
    "SELECT * FROM query('WITH x AS (DELETE FROM history RETURNING *) SELECT * FROM x')",
    "SELECT * FROM (DELETE FROM history RETURNING *)",
    "/* SELECT */ DELETE FROM history -- SELECT",
    "\N{NO-BREAK SPACE}DELETE FROM history",
    "\N{FULLWIDTH LATIN CAPITAL LETTER D}ELETE FROM history",
    "SELECT 1\N{GREEK QUESTION MARK} DELETE FROM history",
    "SELECT 1; DELETE FROM history",
    "TRUNCATE history",
    "DROP TABLE history",
    "ALTER TABLE history ADD b INT",
    "CREATE OR REPLACE TABLE history AS SELECT 1",
    "CREATE TEMP TABLE y AS SELECT 1",
    "EXPLAIN ANALYZE WITH x AS (SELECT 1) DELETE FROM history",
    "PREPARE p AS DELETE FROM history",
    "EXECUTE p",
    "CALL force_checkpoint()",
    "FROM force_checkpoint()",
    "FROM enable_logging()",
    "COMMIT",
    "USE main",
    "RESET threads",
    "IMPORT DATABASE '/tmp'",
    "EXPORT DATABASE '/tmp/stolen.csv'",
    "SELECT 1 INTO x",
]


def test_what_would_change_something_is_refused_whatever_it_looks_like() -> None:
    """In this process, where DuckDB alone can refuse: each would pass a look at the type of the statement alone, or at
    its first word."""
    for sql in CHANGES:
        said = answered(sql)
        assert "error" in said and "\n" not in said["error"], sql
    assert not Path("/tmp/stolen.csv").exists()
    for sql in ("FROM history", "VALUES (1)", "(SELECT 1);", "WITH x AS (DESCRIBE history) FROM x", "SELECT 'DELETE'"):
        assert "error" not in answered(sql), sql


def answered(sql: str) -> dict[str, str]:
    """What the process says first, without a process and its fences."""
    rows = pa.table({"value": [1.0], "time": [1]})
    asked = Asked(Head(sql, 20, 1 << 30, 3 << 30, 1, ("history", "verdicts")), {"history": rows, "verdicts": rows})
    given, out = BytesIO(write_asked(asked)), BytesIO()
    answer(read_head(given), given, out)
    return dict(json.loads(out.getvalue().partition(b"\n")[0]))


def test_an_answer_that_is_too_large_is_refused(history: History) -> None:
    with pytest.raises(UserError, match=r"larger than 256 MiB|Memory|ended"):
        query("SELECT repeat('x', 2000000) FROM range(300)", history)


@pytest.mark.skipif(not available().landlock, reason="no Landlock")
def test_the_kernel_holds_it_where_duckdb_would_not(history: History) -> None:
    """Known bad: a DuckDB that was not told to stay away from files is kept from them all the same."""
    program = """
from harness.history.query_frames import Head
from harness.history.query_process import _fence
_fence(Head("", 20, 1 << 30, 3 << 30, 1, ()))
import duckdb
stolen = "'/tmp/stolen.db'"
for sql in ("SELECT * FROM read_text('/etc/passwd')", f"COPY (SELECT 1) TO {stolen}", f"ATTACH {stolen}"):
    try:
        duckdb.connect().execute(sql).fetchall()
    except duckdb.Error as error:
        print(error)
    else:
        print("it could")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=asking._environment(str(Path.cwd()))
    )
    assert done.stdout.count("Permission denied") == 3 and "it could" not in done.stdout, done.stdout + done.stderr


def test_without_duckdb_the_extra_is_named(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'gpt-harness\[history\]'"):
        query("SELECT 1", history)


def test_every_kind_of_value_has_a_text(history: History) -> None:
    answer = query(
        "SELECT 1 AS a, 2 AS a, NULL AS b, [1, NULL] AS c, {'x': 1.5} AS d, "
        "'nan'::DOUBLE AS e, 1.5::DECIMAL(9,2) AS f, "
        "INTERVAL 1 DAY AS g, DATE '2026-01-02' AS h, true AS i, 'a|b' AS j, "
        "170141183460469231731687303715884105727 AS k",
        history,
    )
    assert answer.column_names[:2] == ["a", "a_2"]
    found = query_answer(answer)
    row = json.loads(written(found, Format.JSON))[0]
    assert row["c"] == [1, None] and row["d"] == {"x": 1.5} and row["h"] == "2026-01-02" and row["i"] is True
    assert row["e"] is None and row["reason"] == "e is not a number" and row["f"] == 1.5 and row["k"] > 1e38
    text = written(found, Format.CSV)
    assert text.startswith("a,a_2,b") and "[1, null]" in text
    assert written(found, Format.MD).splitlines()[-1].count("|") >= 12
    assert as_table(answer).caption == "1 row"
