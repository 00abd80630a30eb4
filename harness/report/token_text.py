"""Tokens as a person can see them: where each begins, and what white space and invisible characters it has.

In colors, tokens are shaded in turn. Without them a `|` stands between tokens, and one of the text itself is `\\|`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LEGEND = "· space, ↵ line break, → tab, � part of a character, ⟨7⟩ a token without text"
SHADES = ("black on #e8e8e8", "black on #c8c8c8")
"""Ink and paper are both set, so that they read on dark and light terminals."""
ANSWER_SHADES = ("black on #c9e8c9", "black on #9fd09f")
"""The same for what comes after the prompt."""

_SIGNS = {"\n": "↵\n", "\t": "→", "\r": "␍"}
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs", "Zs", "Zl", "Zp"}


def visible(piece: str) -> str:
    """A token's text with its white space shown. One space before or within words stays as it is."""
    spaced = re.sub(
        r" +", lambda run: run[0] if len(run[0]) == 1 and run.end() < len(piece) else "·" * len(run[0]), piece
    )
    return "".join(map(_sign, spaced))


def _sign(character: str) -> str:
    if character in _SIGNS:
        return _SIGNS[character]
    if character != " " and unicodedata.category(character) in _INVISIBLE:
        return f"⟨U+{ord(character):04X}⟩"
    return character


def one_line(piece: str) -> str:
    """The same without breaking the line."""
    return visible(piece).replace("\n", "")


def shown(token: int, pieces: Mapping[int, str]) -> str:
    """A token's text made visible; its number where it has none."""
    piece = pieces.get(token)
    return visible(piece) if piece else f"⟨{token}⟩"


def token_text(
    tokens: Sequence[int], pieces: Mapping[int, str], console: Console, shades: Sequence[str] = SHADES
) -> Text:
    """Tokens one after the other with their borders."""
    from rich.text import Text

    text = Text(end="")
    colored = has_colors(console)
    for place, token in enumerate(tokens):
        word = shown(token, pieces)
        if colored:
            text.append(word, shades[place % 2])
        else:
            text.append("|" + word.replace("|", "\\|"))
    if tokens and not colored:
        text.append("|")
    return text


def token_text_with_log_probs(
    tokens: Sequence[int], log_probs: Sequence[float], pieces: Mapping[int, str], console: Console
) -> Text:
    """Tokens with the log-probability (nats) of each after it; on one line."""
    from rich.text import Text

    text = Text(end="")
    for place, token in enumerate(tokens):
        one = token_text([token], pieces, console, ANSWER_SHADES[place % 2 :])
        text.append_text(Text("", end="").join(one.split("\n", include_separator=False)))
        text.append(f" {log_probs[place]:.3f}  " if place < len(log_probs) else "  ", "dim")
    text.rstrip()
    return text


def has_colors(console: Console) -> bool:
    """Whether shades can be seen."""
    return console.color_system is not None and not console.no_color
