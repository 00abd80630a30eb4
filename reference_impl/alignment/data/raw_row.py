"""One row of a file before it has a meaning: its columns, asked for by name and type.

What the file has wrong (a column of another type) is a TextError with the place and ends the reading. What is only no
use for training (a turn of a tool, a picture) is `Unusable`: counted, and the rest goes on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.files import TextError
from reference_impl.text.dialog import Dialog, Message, Role

ROLE_NAMES: Mapping[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "chat": "assistant",
}  # fmt: skip
"""How data sets call those who speak."""
_SPEAKER, _SAID = ("role", "from"), ("content", "value")
_YES, _NO = frozenset({"true", "yes", "1", "1.0"}), frozenset({"false", "no", "0", "0.0"})


class RawRow:
    """The columns of a row and the place where it stands."""

    def __init__(self, columns: Mapping[str, Any], place: str) -> None:
        self.columns, self.place = columns, place

    def has(self, name: str) -> bool:
        """Whether there is a value in this column: not null, not an empty cell."""
        return self.columns.get(name) not in (None, "")

    def is_text(self, name: str) -> bool:
        """Whether the column holds text, or nothing."""
        return self.columns.get(name) is None or isinstance(self.columns[name], str)

    def text(self, name: str) -> str:
        """A column of text; null is the empty text. Raises TextError for another type."""
        return self._as_text(self.columns.get(name), f"the column {name!r}")

    def messages(self, name: str) -> Dialog:
        """A column of messages, each with role (or `from`) and content (or `value`). A CSV cell holds them as JSON.

        Raises TextError for another type, Unusable for what isn't a conversation of texts.
        """
        value = self.columns.get(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise self.wrong(f"the column {name!r} holds a text that is no list of messages in JSON") from None
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self.wrong(f"the column {name!r} holds {_kind(value)}; it must hold a list of messages")
        return tuple(self._message(one, f"message {number} of {name!r}") for number, one in enumerate(value, start=1))

    def number(self, name: str) -> float | None:
        """A column of finite numbers; None where there is none. A CSV cell holds them as text."""
        value = self.columns.get(name)
        if not self.has(name):
            return None
        try:
            if isinstance(value, bool):
                raise TypeError
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise self.wrong(f"the column {name!r} holds {_shown(value)}; it must hold a number") from None
        if not math.isfinite(number):
            raise self.wrong(f"the column {name!r} holds {number}; it must hold a finite number")
        return number

    def flag(self, name: str) -> bool | None:
        """A column of true and false (or 1 and 0); None where there is none."""
        if not self.has(name):
            return None
        said = str(self.columns[name]).strip().lower()
        if said in _YES or said in _NO:
            return said in _YES
        raise self.wrong(f"the column {name!r} holds {_shown(self.columns[name])}; it must hold true or false")

    def part(self, name: str, value: Mapping[str, Any]) -> RawRow:
        """What stands within a column, as a row."""
        return RawRow(value, f"{self.place}, {name}")

    def wrong(self, message: str) -> TextError:
        """A mistake of the file at this row."""
        return TextError(self.place, message)

    def _message(self, value: Any, which: str) -> Message:
        if not isinstance(value, dict):
            raise self.wrong(f"{which} is {_kind(value)}; it must be an object with role and content")
        speaker = next((key for key in _SPEAKER if key in value), None)
        said = next((key for key in _SAID if key in value), None)
        if speaker is None or said is None:
            missing = "/".join(_SPEAKER if speaker is None else _SAID)
            raise self.wrong(f"{which} has no {missing} (it has: {', '.join(map(str, value)) or 'nothing'})")
        name = self._as_text(value[speaker], f"the {speaker} of {which}").strip().lower()
        if name not in ROLE_NAMES:
            raise Unusable(f"a turn is of the role {name[:40]!r}, which no chat of texts has")
        return Message(ROLE_NAMES[name], self._content(value[said], which))

    def _content(self, value: Any, which: str) -> str:
        if isinstance(value, list | tuple):  # parts, as multimodal data have them
            texts = []
            for part in value:
                if not isinstance(part, dict) or part.get("type") != "text":
                    kind = str(part.get("type") if isinstance(part, dict) else _kind(part))
                    raise Unusable(f"a message holds something else than text ({kind[:40]})")
                texts.append(self._as_text(part.get("text"), f"a part of {which}"))
            return "".join(texts)
        return self._as_text(value, f"the content of {which}")

    def _as_text(self, value: Any, which: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(f"{which} holds {_kind(value)}; it must hold text")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(value[error.start]):04x}"
            raise self.wrong(f"{which} holds half of a surrogate pair ({half}); write the whole character") from None
        return value


def _kind(value: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", tuple: "a list"}
    return names.get(type(value), "an object" if isinstance(value, dict) else type(value).__name__)


def _shown(value: Any) -> str:
    return repr(value)[:60]
