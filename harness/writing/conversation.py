"""A conversation with a model: turns, the prompt that they make, and what is left out where they are too many.

What the model has read stays in its cache: a turn reads what is new in the prompt. Where the turns no longer fit the
context the oldest are left out, a question with its answer at a time, and the first prompt after that is read whole.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import Unsupported, UserError
from harness.models.chat import Messages, chat_template, has_template
from harness.models.contract import LanguageModel
from harness.models.remembering import Remembering, can_remember
from harness.scoring.document_encoder import DocumentEncoder
from harness.scoring.generation import context_ids
from harness.writing.settings import WritingSettings, changed
from harness.writing.writer import Writer, text_request

TEMPLATES = ("model", "plain")
"""model: the model's own chat template. plain: lines that begin with `User:` and `Assistant:`, for a model without."""
PLAIN_STOP = "\nUser:"
"""Where a model that goes on with the user's next line is stopped."""


class Conversation:
    """Turns with one model. `settings` and `system` may be changed between them."""

    def __init__(
        self,
        model: LanguageModel,
        settings: WritingSettings,
        *,
        system: str | None = None,
        plain: bool = False,
    ) -> None:
        """plain: lines of text in place of the model's own chat template. Raises UserError for a model without one."""
        self.settings = settings
        self.turns: Messages = []
        """What was said, without the system message."""
        self.dropped = 0
        """Turns, the oldest ones, that the model no longer reads."""
        self._model = Remembering(model) if can_remember(model) else model
        self._plain = plain
        self._render = _plain if self._plain else own_template(model)
        self._encode = DocumentEncoder(model)
        self._answered = 0
        self._system: str | None = None
        self.system = system

    @property
    def system(self) -> str | None:
        """The system message; None: none."""
        return self._system

    @system.setter
    def system(self, text: str | None) -> None:
        """Raises UserError where the template takes none."""
        if text:
            self._rendered([{"role": "system", "content": text}, {"role": "user", "content": "hello"}])
        self._system = text or None

    @property
    def reused(self) -> int:
        """Tokens of the last prompt that were not read again."""
        return self._model.reused if isinstance(self._model, Remembering) else 0

    def reset(self) -> None:
        """Begin anew; system message and settings stay."""
        self.turns.clear()
        self.dropped = 0

    def change(self, *changes: str) -> WritingSettings:
        """Change settings as a person types it: `temperature=0.2`, `top_k=none`, `stop=\\n`; returns all. Raises
        UserError, with the nearest name, for what can't be; then nothing is changed."""
        self.settings = changed(self.settings, changes)
        return self.settings

    def ask(self, text: str) -> Writer:
        """The answer to a message, as it comes; `take` makes it a part of the conversation. Raises UserError where the
        template refuses the message, and where it alone is too long."""
        turns: Messages = [*self.turns, {"role": "user", "content": text}]
        model = self._model
        settings = self.settings
        if self._plain:
            settings = settings.model_copy(update={"stop": (*settings.stop, PLAIN_STOP)})
        room = model.identity.context - settings.room(model.identity.context)
        dropped = self.dropped
        while True:
            ids = context_ids(self._encode, self._prompt(turns[dropped:]))
            if len(ids) <= room:
                break
            if dropped + 1 >= len(turns):
                raise UserError(
                    f"this message is {len(ids):,} tokens long with what the template puts around it, and beside an "
                    f"answer of {settings.room(model.identity.context):,} the context of {model.identity.context:,} "
                    f"has room for {max(room, 0):,}: shorten it, or make max_tokens smaller"
                )
            dropped += 2
        tags = () if self._plain else model.identity.thinking
        writer = Writer(model, text_request(model, ids, settings, number=self._answered, tags=tags))
        self.turns, self.dropped = turns, dropped
        return writer

    def take(self, writer: Writer) -> None:
        """Make what a writer wrote, or how far it came, the answer to the last message."""
        self._answered += 1
        text = writer.written.text
        self.turns.append({"role": "assistant", "content": text.strip() if self._plain else text})

    def take_back(self) -> None:
        """Forget the last message, which has no answer."""
        if self.turns and self.turns[-1]["role"] == "user":
            self.turns.pop()

    def _prompt(self, turns: Messages) -> str:
        first: Messages = [] if self._system is None else [{"role": "system", "content": self._system}]
        return self._rendered([*first, *turns])

    def _rendered(self, messages: Messages) -> str:
        try:
            return self._render(messages, True, False)
        except Unsupported as error:
            raise UserError(str(error)) from None


def own_template(model: LanguageModel) -> Callable[[Messages, bool, bool], str]:
    """The model's own chat template, as a function (`chat_template`). Raises UserError where it has none."""
    if not has_template(model):
        raise UserError(
            f"{model.identity.name} has no chat template, so it was not made for conversations: `--template plain` "
            "writes lines that begin with `User:` and `Assistant:`, and `harness generate` goes on from any text"
        )
    try:
        return chat_template(model)
    except Unsupported as error:
        raise UserError(str(error)) from None


def _plain(messages: Messages, add_generation_prompt: bool, continue_final_message: bool) -> str:
    """A conversation as lines of text."""
    names = {"user": "User: ", "assistant": "Assistant: ", "system": ""}
    lines = [f"{names[message['role']]}{message['content']}" for message in messages]
    return "\n".join([*lines, *(["Assistant:"] if add_generation_prompt else [])])
