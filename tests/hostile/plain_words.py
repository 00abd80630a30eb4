"""Words that no sentence for a person has: those of Python and of the library that validates."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(
    r"\b(pydantic|NoneType|None|dict|dictionary|str|int|bool|float|tuple|True|False|validation error|valid integer|"
    r"valid string|valid boolean|parse string|instance of|Traceback|\w+Error|type=|ctx|union|literal)\b"
    r"|<class|input_value|errors\.pydantic"
)


def forbidden_words(sentence: str) -> list[str]:
    """Those that are in a sentence, outside of what it quotes."""
    return _FORBIDDEN.findall(re.sub(r"'[^']*'|`[^`]*`", "", sentence))
