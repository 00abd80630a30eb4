"""Numbers as texts write them: the exact value, or none where a text is not one number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.judging.read_number import read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("72", 72),
        (" 72 ", 72),
        ("007", 7),
        ("72.", 72),
        ("72...", 72),
        ("72.00", 72),
        ("29.00.", 29),
        ("$29.00", 29),
        ("$1,234.50", Fraction("1234.5")),
        ("$ 5", 5),
        ("5 €", 5),
        ("-$5", -5),
        ("$-5", -5),
        ("1,234,567", 1234567),
        ("12,34,567", 1234567),
        ("1 234", 1234),
        ("1\u00a0234\u202f567", 1234567),
        ("1'234", 1234),
        ("-5", -5),
        ("\u22125", -5),
        ("\u20135", -5),
        ("+5", 5),
        ("-0", 0),
        (".5", Fraction(1, 2)),
        ("1.234", Fraction("1.234")),
        ("1e3", 1000),
        ("1.5E-3", Fraction("0.0015")),
        ("3/4", Fraction(3, 4)),
        ("6 / 8", Fraction(3, 4)),
        ("50%", 50),
        ("50 %.", 50),
        ("50\uff05", 50),
        ("$5$", 5),
        ("$\\,$5", None),
        (r"\(72\).", 72),
        ("$$5", None),
        ("1 1/2", Fraction(3, 2)),
        ("\u00bd", Fraction(1, 2)),
        ("-1\u00bd", Fraction(-3, 2)),
        ("1\u2019234", 1234),
        ("\u0667\u0662", 72),
        ("\uff17\uff12\uff0e\uff15", Fraction("72.5")),
        ("\u096d\u0968", 72),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", Fraction("1234.5")),
    ],
)
def test_what_is_a_number(text: str, value: int | Fraction | None) -> None:
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "...", "-", "$", "%", "seventy", "72 apples", "3-5", "3 to 5", "1 2", "1,5", "1.234,56", "1,2345"),
        *("12,345,6", "1/0", "1/2/3", "--5", "1.2.3", "(72)", "0x10", "1e9999", "9" * 5000, "nan", "inf", "1_000"),
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_number(text) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_the_ways_to_write_a_number_agree(number: object) -> None:
    value = Fraction(str(number))
    assert read_number(str(number)) == value
    assert read_number(f"{number:,}") == value
    assert read_number(f"${number:,}.") == value
    assert read_number(f"{number:e}") == value
    assert read_number(str(number).replace("-", "\u2212")) == value


@given(st.text(max_size=30))
def test_any_text_is_read_or_not(text: str) -> None:
    found = read_number(text)
    assert found is None or any(character.isnumeric() for character in text)
