"""Inputs made wrong: by changing bytes, and by changing values in what was read."""

from __future__ import annotations

import copy
import datetime
import math
import random
from collections.abc import Sequence
from typing import Any

NUMBERS = (0, 1, -1, 2, 10**6, 10**9, 10**18, 10**30, -(10**18), 10**400, 0.5, -0.5, 1e308, 1e-308, -1e308, 5e-324)
NO_NUMBERS = (math.inf, -math.inf, math.nan)
NAMES = (
    *("", " ", ".", "..", "...", "../../x", "/", "/dev/zero", "/dev/stdin", "~", "~nobody/x", "a" * 300, "a" * 10_000),
    *("a\nb", "a\rb", "a\tb", "a\x00b", "\x1b[31mred", "\u202eabc", "\ufeff", "CON", "nul.txt", "a|b", "a:b", "*", "?"),
    *("[", "a/" * 3000, "é", "e\u0301", "😀", "-", "--help", "%s", "{}", "{name}", "{{ 7 * 7 }}", "${HOME}", "`id`"),
    *(
        "null",
        "true",
        "1e999",
        ".inf",
        "0x10",
        "1_000",
        "1:30",
        "2026-13-45",
        "asset:",
        "asset:x",
        "data:",
        "hub:/",
        "#",
    ),
)
NESTED: Any = "x"
for _ in range(60):
    NESTED = [NESTED]
THINGS: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": {"c": [1, {"d": 2}]}}}, [1, 2, 3], list("abc")),
    *(NESTED, {str(key): key for key in range(3000)}, list(range(3000)), datetime.date(2026, 1, 2), b"\xff\x00"),
    *(datetime.datetime(2026, 1, 2, 3, 4), {1: 2}, {None: 1}, {True: 1}, [{}] * 5, "x" * 300_000),
)
VALUES = (*NUMBERS, *NO_NUMBERS, *NAMES, *THINGS)


def changed_value(tree: Any, chance: random.Random, values: Sequence[Any] = VALUES) -> Any:
    """A copy of a tree with one to three places changed: another value, a key renamed, doubled or gone."""
    made = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = list(_places(made))
        if not places:
            return chance.choice(values)
        holder, key = chance.choice(places)
        match chance.randrange(8):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                new = chance.choice(NAMES) if chance.random() < 0.5 else chance.choice((*map(str, holder), "x"))
                holder[new] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.extend([copy.deepcopy(holder[key]) for _ in range(chance.choice((1, 2, 50)))])
            case 3:
                holder[key] = copy.deepcopy(chance.choice(places)[0])
            case 4:
                holder[key] = [holder[key], chance.choice(values)]
            case _:
                holder[key] = copy.deepcopy(chance.choice(values))
    return made


def _places(tree: Any) -> Any:
    """(holder, key or index) of every value."""
    if isinstance(tree, dict):
        for key in list(tree):
            yield tree, key
            yield from _places(tree[key])
    elif isinstance(tree, list):
        for index in range(len(tree)):
            yield tree, index
            yield from _places(tree[index])


PIECES = (
    *(
        b"",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xed\xa0\x80",
        b"\n",
        b"\r",
        b"\t",
        b"\x1b[2J",
    ),
    *(b"[", b"{", b"]", b"}", b'"', b"'", b"&a ", b"*a ", b"<<: *a\n", b"!!python/object:os.system ", b"!x ", b"---\n"),
    *(b"%YAML 9.9\n", b"? ", b": ", b"- ", b"#", b",", b"1e999", b".inf", b".nan", b"NaN", b"Infinity", b"-Infinity"),
    *(b"9" * 5000, b"-1", b"1e308", b"[" * 2000, b"- " * 2000, b"\\ud800", b"\\u0000", b"a" * 70_000, b"\xc0\xaf"),
    *(b"null", b"true", b"|", b">", b"@", b"`", b"0x", b"0o7", b"1:2:3", b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b";"),
)


def changed_bytes(content: bytes, chance: random.Random) -> bytes:
    """The same bytes with one to four changes."""
    made = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(made) + 1)
        width = chance.choice((1, 1, 4, 40))
        match chance.randrange(9):
            case 0:
                del made[at : at + width]
            case 1 if at < len(made):
                made[at] ^= 1 << chance.randrange(8)
            case 2 | 3:
                made[at:at] = chance.choice(PIECES)
            case 4:
                made[at : at + width] = chance.choice(PIECES)
            case 5:
                made[at:at] = made[at : at + width] * chance.choice((1, 2, 200))
            case 6:
                del made[at:]
            case 7:
                other = chance.randrange(len(made) + 1)
                made[at:at] = made[other : other + width]
            case _:
                made[at : at + width] = bytes(chance.randrange(256) for _ in range(width))
    if chance.random() < 0.03:
        return (
            bytes(made).decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))
        )
    return bytes(made)
