"""Tables of anyone's for `harness fit`: a law is fitted, or one sentence says what is wrong, soon, in little memory."""

from __future__ import annotations

import gzip
import io
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.cli.app import app
from harness.errors import UserError


def table(chance: random.Random | None = None) -> pd.DataFrame:
    """Runs of a known law, as few or as noisy as chance has it."""
    chance = chance or random.Random(0)
    generator = np.random.default_rng(chance.randrange(10**6))
    count = chance.choice((6, 12, 30))
    parameters, tokens = 10 ** generator.uniform(6, 10, count), 10 ** generator.uniform(8, 12, count)
    noise = np.exp(generator.normal(0, chance.choice((0, 1e-3, 0.01, 0.3)), count))
    loss = (1.7 + 400 / parameters**0.34 + 410 / tokens**0.28) * noise
    frame = pd.DataFrame({"parameters": parameters.round(), "tokens": tokens.round(), "loss": loss})
    return frame.assign(group=[f"g{number % 9}" for number in range(count)], wrong=1 / (1 + np.exp(3 - loss)))


def one_value_often() -> bytes:
    """A Parquet file of a few hundred bytes whose rows are 5 GB: equal values are stored once."""
    import pyarrow as pa
    from pyarrow import parquet

    names = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000), pa.array(["a" * (1 << 18)]))
    sink = io.BytesIO()
    rows = pa.table({"loss": [3.0] * 20_000, "name": names})
    parquet.write_table(rows, sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def fitted(*arguments: str) -> None:
    """What the command does; it prints."""
    app(["fit", *arguments], standalone_mode=False)


def refusal(path: Path, *options: str) -> str:
    """The sentence that a table is refused with."""
    with pytest.raises(UserError) as refused:
        fitted(str(path), "--replicates", "0", "--no-profiles", *options)
    return str(refused.value)


HEADER = "parameters,tokens,loss\n"
LINES = "\n".join(f"{10**n}e3,{n + 3}e9,{4 - n / 4}" for n in range(8)) + "\n"
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty": ("t.csv", b"", r"t\.csv: the file is empty; a table begins with a line of column names"),
    "header alone": ("t.csv", HEADER.encode(), r"t\.csv: it has no rows"),
    "blank": ("t.csv", b"\n\n\n", r"t\.csv: the file is empty"),
    "null characters": ("t.csv", HEADER.encode() + b"1,\x00,2\n", r"t\.csv: it has null characters in it"),
    "a column twice": ("t.csv", b"loss,loss\n1,2\n", r"t\.csv: two columns are called 'loss'; keep one"),
    "a cell more": (
        "t.csv",
        (HEADER + LINES.replace("\n", ",7\n")).encode(),
        r"t\.csv: (rows have more cells than the header|can't be read as a table)",
    ),
    "a cell more once": (
        "t.csv",
        (HEADER + LINES + "1e6,2e9,3,4\n").encode(),
        r"t\.csv: line 10 has more cells than the header",
    ),
    "a cell less": (
        "t.csv",
        (HEADER + LINES + "1e6,2e9\n").encode(),
        r"t\.csv: row 9: column 'loss' \(loss\) is missing",
    ),
    "words": (
        "t.csv",
        (HEADER + LINES + "1e6,2e9,low\n").encode(),
        r"t\.csv: row 9: column 'loss' has no number but 'low'",
    ),
    "yes and no": ("t.csv", (HEADER + "1e6,2e9,True\n" * 9).encode(), r"t\.csv: column 'loss' has no numbers but bool"),
    "endless": (
        "t.csv",
        (HEADER + LINES + "1e6,2e9,1e999\n").encode(),
        r"t\.csv: row 9: column 'loss' \(loss\) is inf",
    ),
    "too large": (
        "t.csv",
        (HEADER + LINES + "1.7e308,2e9,3\n").encode(),
        r"t\.csv: row 9: column 'parameters' \(parameters\) is 1\.7e\+308; .* finite numbers above 0 \(up to 1e\+30\)",
    ),
    "a long cell": (
        "t.csv",
        (HEADER + LINES + f"1e6,2e9,{'x' * 99_000}\n").encode(),
        r"row 9: column 'loss' has no num",
    ),
    "many columns": (
        "t.csv",
        b",".join(b"c%d" % n for n in range(100_000)) + b"\n1\n",
        r"its header names 100,000 columns",
    ),
    "a line without end": ("t.csv", b"x" * (3 << 20), r"t\.csv: its first line is longer than 1 MiB"),
    "not UTF-8": ("t.csv", HEADER.encode() + b"1e6,2e9,\xff\n", r"t\.csv: can't be read as a table"),
    "no table": ("t.parquet", b"PAR1 and nothing more PAR1", r"t\.parquet: can't be read as a table"),
    "one long name very often": ("t.parquet", one_value_often(), r"t\.parquet: it unpacks to more than 256 MiB"),
    "damaged packing": (
        "t.csv.gz",
        gzip.compress(b"a,b\n1,2\n")[:-9],
        r"t\.csv\.gz: the gzip data is cut off or broken",
    ),
    "packed zeros": ("t.csv.gz", gzip.compress(b"\0" * (300 << 20), 1), r"t\.csv\.gz: (it unpacks|a table of trained)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    file, content, sentence = REFUSED[name]
    (tmp_path / file).write_bytes(content)
    told = refusal(tmp_path / file)
    assert re.search(sentence, told) and len(told) < 3000, told[:1000]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.date_range("2020", periods=9), "datetime64"),
        (pd.to_timedelta(range(1, 10), unit="s"), "timedelta64"),
        ([True] * 9, "bool"),
    ],
)
def test_columns_that_pandas_would_make_numbers_of(tmp_path: Path, values: Any, kind: str) -> None:
    frame = pd.DataFrame({"parameters": [1e6] * 9, "tokens": [1e9] * 9, "loss": values})
    frame.to_parquet(tmp_path / "t.parquet")
    assert f"column 'loss' has no numbers but {kind}" in refusal(tmp_path / "t.parquet")


def test_the_same_table_however_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table().round(6)
    plain = frame.to_csv(index=False)
    (tmp_path / "t.csv").write_text(plain)
    (tmp_path / "t.tsv").write_text(frame.to_csv(index=False, sep="\t"))
    (tmp_path / "mark.csv").write_bytes(plain.encode("utf-8-sig"))
    (tmp_path / "wide.csv").write_bytes(plain.encode("utf-16"))
    (tmp_path / "lines.csv").write_bytes(plain.replace("\n", "\r\n").encode())
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(plain.encode()))
    frame.to_parquet(tmp_path / "t.parquet")
    printed = set()
    for path in sorted(tmp_path.iterdir()):
        try:
            fitted(str(path), "--replicates", "0", "--no-profiles")
        except Exception as ended:
            assert type(ended).__name__ == "Exit", (path.name, ended)
        printed.add(capsys.readouterr().out.replace(path.name, "").replace(" ", ""))
    assert len(printed) == 1


def test_files_that_never_end_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "this is a pipe, and a table is a regular file" in refusal(tmp_path / "pipe.csv")
    assert "this is a device, and a table is a regular file" in refusal(Path("/dev/zero"))
    with (tmp_path / "long.csv").open("wb") as file:
        file.truncate(1 << 40)
    assert "a table of trained models has 256 MiB at most" in refusal(tmp_path / "long.csv")
    assert "too long for a name of a file" in refusal(Path("a" * 9999))


def test_a_million_rows_are_refused_at_once_with_what_to_leave_out(tmp_path: Path) -> None:
    frame = pd.concat([table()] * 35_000)
    frame[["parameters", "tokens", "loss"]].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"[\d,]+ runs would take too long \(the fit .*--no-profiles"):
        fitted(str(tmp_path / "t.parquet"))


# ---- made wrong by chance

CELLS = (
    *(
        "",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e999",
        "-1",
        "0",
        "1e308",
        "1e-320",
        "abc",
        "1,5",
        '"1,5"',
        "True",
        "0x10",
        "1_000",
    ),
    *("1 ", "  ", "None", "NA", "2026-01-01", "1e5", "9" * 400, "\uff11", "\x00", "1e", "--", "5e-324", "10%", "1/2"),
    *("(1)", "$1", "=1+1", "1;2", '"', "\x1b[31m", "1.7976931348623157e308"),
)
OPTIONS: tuple[tuple[str, ...], ...] = (
    *((),) * 6,
    *(("--law", law) for law in ("kaplan", "power_law", "power_law_with_floor", "broken", "over_training", "nope")),
    *(("--objective", name) for name in ("lad", "squares")),
    *(
        ("--units", units)
        for units in ("loss=1e308", "parameters=nan", "parameters=-1", "parameters=0", "x=1", "tokens=inf")
    ),
    *(("--columns", columns) for columns in ("loss=wrong", "loss=tokens,tokens=loss", "error=wrong", "loss", "==")),
    *(("--compute", "1e308"), ("--compute", "-1"), ("--compute", "nan"), ("--loss", "1e-300"), ("--loss", "2")),
    *(("--fit-below", "1e20"), ("--fit-below", "nan"), ("--seed", "-1"), ("--seed", str(10**30)), ("--draw", "group")),
    *(("--draw", "parameters"), ("--interval", "bca"), ("--then", "exponential_error", "--columns", "error=wrong")),
    *(("--approaches",), ("--counted", "x"), ("--rows", "every"), ("--replicates", str(10**18))),
)


def mutants(mutation: ModuleType, folder: Path, seed: int, count: int) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Tables made wrong, and what is asked of them."""
    chance = random.Random(seed)
    for number in range(count):
        frame = table(chance)
        lines, how = frame.to_csv(index=False).splitlines(), chance.random()
        path = folder / f"{number}.csv"
        if how < 0.45:
            for _ in range(chance.choice((1, 1, 3))):
                at = chance.randrange(1, len(lines))
                cells = lines[at].split(",")
                cells[chance.randrange(len(cells))] = chance.choice(CELLS)
                lines[at] = ",".join(cells)
            content = "\n".join(lines).encode()
        elif how < 0.6:
            names = lines[0].split(",")
            names[chance.randrange(len(names))] = chance.choice(mutation.NAMES)
            content = "\n".join([",".join(names), *lines[1:]]).encode("utf-8", "surrogatepass")
        elif how < 0.7:
            column = chance.choice(("parameters", "tokens", "loss"))
            frame[column] = frame[column] * chance.choice((1, 1e-9, 1e20, 0, -1))
            content = frame.to_csv(index=False).encode()
        elif how < 0.9:
            content = mutation.changed_bytes("\n".join(lines).encode(), chance)
        else:
            sink = io.BytesIO()
            frame.to_parquet(sink)
            path, content = path.with_suffix(".parquet"), mutation.changed_bytes(sink.getvalue(), chance)
        path.write_bytes(content)
        profiles = "--profiles" if chance.random() < 0.2 else "--no-profiles"
        yield path, ("--replicates", chance.choice(("0", "40")), profiles, *chance.choice(OPTIONS))
        path.unlink()


def check(bounded: ModuleType, mutation: ModuleType, folder: Path, seed: int, count: int) -> None:
    for path, options in mutants(mutation, folder, seed, count):
        end = bounded.end_of(lambda path=path, options=options: fitted(str(path), *options), seconds=60.0)
        assert end.is_allowed, (seed, path.name, options, end.kind, end.text[:1000])


def test_tables_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path) -> None:
    check(bounded, mutation, tmp_path, 0, 25)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(1, 4))
def test_many_tables_made_wrong(bounded: ModuleType, mutation: ModuleType, tmp_path: Path, seed: int) -> None:
    check(bounded, mutation, tmp_path, seed, 200)
