"""How our GPT reads a conversation: plain text with a marker before each turn, as microworld writes conversations.

    System: Be brief.
    User: What is the plural of cow?
    Assistant: The plural of cow is cows.
    User: And of ox?
    Assistant:

A prompt ends with the assistant's marker, and the response begins with the space after it. A marker counts only at the
beginning of a line, and a line of a message that begins like one gets a backslash (a line that begins with backslashes
and a marker one more), so that no message can speak for somebody else and `parse` gives back exactly what was rendered.
No special token is needed: a response ends with the tokenizer's EOS token, which no text can spell.

A checkpoint keeps its template as `chat.json`: its measures ask the model as it was taught.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise

from reference_impl.text.dialog import ROLES, Dialog, Message, Role

FORMAT, VERSION = "marked-turns", 1


@dataclass(frozen=True)
class ChatTemplate:
    """Markers of turns and what stands between turns. Raises ValueError for markers that can't be told apart."""

    system: str = "System"
    user: str = "User"
    assistant: str = "Assistant"
    between: str = "\n"
    """Between two turns; it ends with a line feed, so that each marker begins a line."""

    def __post_init__(self) -> None:
        markers = [self.system, self.user, self.assistant]
        if len(set(markers)) < 3 or any(not re.fullmatch(r"\w[\w ]*", marker) for marker in markers):
            raise ValueError(
                f"the markers {', '.join(map(repr, markers))} are not three different names of letters: a line that "
                "begins with `NAME:` must say who speaks."
            )
        if not re.fullmatch(r"\n+", self.between):
            raise ValueError(f"turns are divided by line feeds, not by {self.between!r}.")

    def prompt(self, dialog: Dialog) -> str:
        """The text of a conversation that the assistant is to answer: it ends with the assistant's marker.

        Raises ValueError for an empty dialog.
        """
        if not dialog:
            raise ValueError("there is no message in this dialog, so there is nothing to answer.")
        return "".join(f"{self._turn(message)}{self.between}" for message in dialog) + f"{self.assistant}:"

    def response(self, content: str) -> str:
        """The text of an answer, without the EOS token: it follows what `prompt` gives."""
        return " " + self._escaped(content)

    def content(self, response: str) -> str:
        """What an answer says, of the text that a model wrote after a prompt: the inverse of `response`."""
        return self._unescaped(response.removeprefix(" "))

    def parse(self, text: str) -> Dialog:
        """The dialog of a text that `prompt` made, without the open turn; its inverse.

        Raises ValueError for a text that it can't have made.
        """
        starts = list(self._marked.finditer(text))
        if not starts or starts[0].start() != 0 or text[starts[-1].start() :] != f"{self.assistant}:":
            raise ValueError("this text doesn't begin with a turn and end with the assistant's open one.")
        roles = {getattr(self, role): role for role in ROLES}
        messages = []
        for start, following in pairwise(starts):
            said = text[start.end() : following.start()]
            if not said.startswith(" ") or not said.endswith(self.between):
                raise ValueError(f"the turn at character {start.start()} isn't written as this template writes turns.")
            role: Role = roles[start["name"]]
            messages.append(Message(role, self._unescaped(said[1:].removesuffix(self.between))))
        return tuple(messages)

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> ChatTemplate:
        """The inverse of `to_json`. Raises ValueError."""
        try:
            told = json.loads(text)
            if told.pop("format") != FORMAT or told.pop("version") != VERSION:
                raise ValueError(f"this program reads chat templates of the format {FORMAT}, version {VERSION}")
            if any(not isinstance(value, str) for value in told.values()):
                raise ValueError("markers are texts")
            return cls(**told)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a chat template ({str(error)[:300]})") from error

    def _turn(self, message: Message) -> str:
        return f"{getattr(self, message.role)}: {self._escaped(message.content)}"

    @cached_property
    def _names(self) -> str:
        # The longest first: of `User` and `User two` the second must not be read as the first.
        return "|".join(sorted(map(re.escape, (self.system, self.user, self.assistant)), key=len, reverse=True))

    @cached_property
    def _marked(self) -> re.Pattern[str]:
        """A marker at the beginning of a line."""
        return re.compile(rf"(?:\A|(?<=\n))(?P<name>{self._names}):")

    @cached_property
    def _looks_marked(self) -> re.Pattern[str]:
        """A line, but the first, that begins as a marker or as an escaped one."""
        return re.compile(rf"(?<=\n)(\\*)(?=(?:{self._names}):)")

    @cached_property
    def _escape(self) -> re.Pattern[str]:
        return re.compile(rf"(?<=\n)\\(?=\\*(?:{self._names}):)")

    def _escaped(self, content: str) -> str:
        return self._looks_marked.sub(r"\\\1", content)

    def _unescaped(self, text: str) -> str:
        return self._escape.sub("", text)


PLAIN_TURNS = ChatTemplate()
"""What is taken where nothing else is named: microworld's markers."""
