"""Data as a script file: `site.take("NAME", DATA)`.

Browsers let no page read files beside it when it was opened from disk, but they run scripts from there. So each file of
data is a call with JSON. It is ASCII and has no `<`, `>` or `&`: it stays what it is also within an HTML page.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from harness import strict_json
from harness.errors import inert, shown

LONGEST_TEXT = 4_000
"""Characters of a text of the history that the site shows."""


@dataclass(frozen=True)
class ScriptFile:
    """A file of data."""

    name: str
    """Within the site: `data/values-0-0123456789ab.js`."""
    content: str


def script_file(name: str, data: Any) -> ScriptFile:
    """Data under a name that its content is part of, so that a page that is open never gets another writing's."""
    content = script(name, data)
    return ScriptFile(f"data/{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.js", content)


def script(name: str, data: Any) -> str:
    """The call. data: lists, texts, numbers, None, and dicts whose keys are ours; NaN and infinities become null."""
    text = strict_json.dumps(_quiet(strict_json.drawn(data)), separators=(",", ":"))
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'site.take("{name}",{text});\n'


def _quiet(data: Any) -> Any:
    """The same data, every text in it `inert` and of bounded length."""
    if isinstance(data, str):
        return inert(shown(data, LONGEST_TEXT))
    if isinstance(data, dict):
        return {key: _quiet(value) for key, value in data.items()}
    return [_quiet(value) for value in data] if isinstance(data, list) else data
