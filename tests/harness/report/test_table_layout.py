"""Tables in narrow and wide terminals: words are folded, numbers never."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.number import Shown
from harness.report.table import Column, Row, Table
from harness.report.tables import print_table


def printed(table: Table, width: int) -> str:
    stream = io.StringIO()
    print_table(table, Console(file=stream, width=width, markup=False, emoji=False, highlight=False))
    return stream.getvalue()


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


WIDE = Table(
    "inference",
    (
        *(Column("model"), Column("precision")),
        *(Column(f"metric {place}", "tokens/s", numeric=True) for place in range(8)),
        Column("change"),
    ),
    tuple(
        Row(
            (
                *("a-rather-long-model-name-7b-instruct", precision),
                *(Shown(f"{1234567 + place}.{row}", "[1, 2]", "±4.5%") for place in range(8)),
                "better",
            ),
            group="m",
        )
        for row, precision in enumerate(("fp32", "int8"))
    ),
)


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 120, 160, 200, 400])
def test_every_number_is_whole_at_every_width(width: int) -> None:
    text = printed(WIDE, width)
    for row in range(2):
        for place in range(8):
            assert f"{1234567 + place}.{row} ±4.5%" in re.sub(r"[ \n]+", " ", text)
            assert f"{1234567 + place}.{row}" in text
    if width >= 40:
        assert max(map(len, lines(text))) <= width


@pytest.mark.parametrize("width", [60, 80])
def test_a_table_that_is_too_wide_becomes_several_that_name_their_rows(width: int) -> None:
    text = printed(WIDE, width)
    heads = [line for line in lines(text) if " precision" in line]
    assert len(heads) > 1
    assert all(text.count(f" {precision} ") == len(heads) for precision in ("fp32", "int8"))


def test_where_nothing_fits_each_row_is_a_block_of_lines() -> None:
    text = printed(WIDE, 30)
    assert "precision: fp32" in lines(text) and "metric 7 (tokens/s):" in text
    assert text.count("change: better") == 2


def test_one_table_where_there_is_room() -> None:
    (head,) = [line for line in lines(printed(WIDE, 400)) if " precision" in line]
    assert head.split()[-1] == "change"


def test_brackets_and_colons_are_printed_as_they_are() -> None:
    table = Table("[bold]x[/bold]", (Column("[red]"), Column("b")), (Row(("[unit, higher is better]", ":smile: [/]")),))
    text = printed(table, 80)
    for literal in ("[bold]x[/bold]", "[red]", "[unit, higher is better]", ":smile: [/]"):
        assert literal in text


@given(
    st.lists(st.integers(0, 10**12), min_size=1, max_size=6),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=40),
    st.integers(24, 200),
)
def test_numbers_of_any_size_are_whole(numbers: list[int], name: str, width: int) -> None:
    columns = (Column("name"), *(Column(f"n{place}", numeric=True) for place in range(len(numbers))))
    table = Table("t", columns, (Row((name, *(Shown(f"{number:,}") for number in numbers))),))
    text = printed(table, width)
    for number in numbers:
        assert f"{number:,}" in text


def test_a_table_without_rows_is_its_header() -> None:
    assert "name" in printed(Table("t", (Column("name"), Column("n", numeric=True)), ()), 80)


TEXTS = Table(
    "laws",
    (Column("name"), Column("formula"), Column("meaning")),
    tuple(
        Row((f"a_name_that_is_copied_{row}", "L = E + A / N^alpha + B / D^beta", "what it means in many words " * 8))
        for row in range(3)
    ),
)


def test_columns_of_words_share_the_width() -> None:
    text = printed(TEXTS, 120)
    assert len(lines(text)) < 3 * 6 + 6, "not one word a line beside a column that is wide and empty"
    assert "a_name_that_is_copied_2" in text


def test_rows_are_stacked_where_folding_takes_more_lines() -> None:
    text = printed(TEXTS, 60)
    assert "name: a_name_that_is_copied_0" in lines(text) and "formula: L = E + A / N^alpha + B / D^beta" in lines(text)
    assert max(map(len, lines(text))) <= 60


def test_a_short_table_is_never_stacked() -> None:
    table = Table(
        "t", (Column("kind"), Column("n", numeric=True)), tuple(Row((f"k{n}", Shown(str(n)))) for n in range(9))
    )
    assert "kind: " not in printed(table, 60)


@pytest.mark.parametrize("width", [24, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("table", [WIDE, TEXTS], ids=["numbers", "texts"])
def test_no_line_is_wider_than_the_terminal(table: Table, width: int) -> None:
    assert max(map(len, lines(printed(table, width)))) <= max(width, 40)


def test_in_a_file_a_table_is_one_whatever_its_width() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, soft_wrap=True)
    print_table(WIDE, console)
    (head,) = [line for line in lines(stream.getvalue()) if " precision" in line]
    assert len(head) > 80 and head.split()[-1] == "change" and console.width == 80


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_height_is_what_rich_draws(text: str, width: int) -> None:
    from rich.text import Text

    from harness.errors import inert
    from harness.report.table_layout import _height

    plain = " ".join(inert(text).split())
    drawn = len(Text(plain, overflow="fold").wrap(Console(), width))
    assert abs(_height(plain, width) - max(drawn, 1)) <= 1
