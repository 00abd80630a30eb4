"""A text read as the number that it writes: `$1,234.50`, `1 234`, `−5`, `72.00`, `1e3` and `3/4` are numbers.

English conventions: a point before decimals, a comma between thousands. `1,5` and `1.234,56` are therefore no numbers,
since whether they mean 1.5 or 15 depends on the country; `1.234` is a little more than 1.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_LONGEST = 400
_SIGNS = {
    **dict.fromkeys(map(ord, "\u2212\u2012\u2013\ufe63\uff0d\u2010\u2011"), "-"),  # hyphens and dashes for a minus
    ord("\u066b"): ".",  # Arabic decimal separator
    ord("\u066c"): ",",  # Arabic thousands separator
    ord("\uff0e"): ".",
    ord("\uff0c"): ",",
    ord("\uff0b"): "+",
    ord("\uff0f"): "/",
    ord("\u2044"): "/",
    ord("\uff05"): "%",
    ord("\u066a"): "%",
    ord("\u2019"): "'",
}
"""Other scripts' signs, as ASCII has them."""
_AFTER = ".,;:!?\u2026\u3002\uff01\uff1f\uff1b\uff1a"
"""Punctuation that ends a sentence, never a number."""
_SPACE = r"[ \u00a0\u2009\u202f']"
"""Between thousands: a (thin, no-break) space or an apostrophe."""
_WHOLE = rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}|\d{{1,3}}(?:{_SPACE}\d{{3}})+|\d+)"
"""Digits, or groups of them: 1,234,567 · 12,34,567 (Indian) · 1 234 567."""
_DECIMAL = rf"(?:(?P<whole>{_WHOLE})(?:\.(?P<places>\d*))?|\.(?P<alone>\d+))(?:[eE](?P<power>[+-]?\d{{1,3}}))?"
_NUMBER = re.compile(rf"{_DECIMAL}|(?:(?P<and>\d+) )?(?P<over>\d+) ?/ ?(?P<under>\d+)")
_IN_MATH = re.compile(r"\$\s*([^$]*?)\s*\$|\\\(\s*(.*?)\s*\\\)", re.DOTALL)
_SIGN = re.compile(r"\s*([+-]?)\s*")


def read_number(text: str) -> Fraction | None:
    """The exact value; None where the whole text is not one number.

    Passed over: white space around it, a currency sign or a percent sign beside it (`50%` is 50), TeX's `$5$`,
    punctuation after it. `1 1/2` and `1½` are one and a half. Digits of any script count. Not read: numbers in words,
    ranges, units, powers of ten above 999, more than 400 characters.
    """
    if len(text) > _LONGEST:
        return None
    plain = "".join(map(_digit, _without_math(text).translate(_SIGNS))).strip()
    while plain and (plain[-1] in _AFTER or plain[-1].isspace()):  # the value of `72.` is that of `72`
        plain = plain[:-1]
    sign, plain = _signed(plain.removesuffix("%").rstrip())
    plain = _without_currency(plain)
    if not sign:  # `$-5`; above `-$5`
        sign, plain = _signed(plain)
    found = _NUMBER.fullmatch(plain)
    if found is None:
        return None
    value = _fraction(found) if found["over"] else _decimal(found)
    return None if value is None else -value if sign == "-" else value


def _without_math(text: str) -> str:
    """Without TeX's signs around a formula, and with fractions such as ½ written out."""
    found = _IN_MATH.fullmatch(text.strip().rstrip(_AFTER))
    plain = text if found is None else found[1] if found[1] is not None else found[2]
    return "".join(
        f" {unicodedata.normalize('NFKC', c)}" if unicodedata.decomposition(c).startswith("<fraction>") else c
        for c in plain
    )


def _signed(text: str) -> tuple[str, str]:
    found = _SIGN.match(text)
    assert found is not None
    return found[1], text[found.end() :]


def _without_currency(text: str) -> str:
    for place in (0, -1):
        if text and unicodedata.category(text[place]) == "Sc":
            text = (text[1:] if place == 0 else text[:-1]).strip()
            break
    return text


def _decimal(found: re.Match[str]) -> Fraction:
    whole = re.sub(r"\D", "", found["whole"] or "") or "0"
    places = found["places"] or found["alone"] or ""
    return Fraction(int(whole + places), 10 ** len(places)) * Fraction(10) ** int(found["power"] or 0)


def _fraction(found: re.Match[str]) -> Fraction | None:
    under = int(found["under"])
    return int(found["and"] or 0) + Fraction(int(found["over"]), under) if under else None


def _digit(character: str) -> str:
    """A decimal digit of any script as 0 to 9, all else as it is."""
    return str(unicodedata.decimal(character)) if character.isdecimal() else character
