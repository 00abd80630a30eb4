"""Token ids by a `transformers` tokenizer and the chat template that came with it.

What a response is, of a template that marks it (`{% generation %}`), are the tokens that it marks; of any other, what
the template writes after the prompt that it gives to generate from. That must be a beginning of the whole text, which
is checked. A response ends with the special tokens that close its turn (what a template writes after that no model
generates), or, where there are none, with the tokenizer's EOS token.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from reference_impl.alignment.data.excluded import Unusable
from reference_impl.alignment.data.rows import PromptText
from reference_impl.alignment.data.text_ids import Ids
from reference_impl.text.dialog import Dialog, Message

DATE = datetime.datetime(2024, 7, 26, tzinfo=datetime.UTC)
"""The day that templates are told it is: a prompt must not change from day to day."""
_GENERATION = re.compile(r"\{%-?\s*generation\b")
_NO_PREFIX = (
    "the chat template writes a dialog with its answer otherwise than the prompt that is answered, so that what is "
    "learned isn't what is generated (a template that begins a thought: tell it not to, as with enable_thinking=False)"
)
_NOT_SHOWN = "the chat template doesn't show the response as it is"
_CLOCK = re.compile(r"""strftime_now\(\s*(['"])(.*?)\1\s*\)""")


class TransformersText:
    """`TextIds` of a `transformers` tokenizer."""

    def __init__(self, tokenizer: Any, arguments: Mapping[str, Any] | None = None) -> None:
        """arguments: more that the chat template may be told (`enable_thinking=False`).

        Raises ValueError for a tokenizer without an EOS token.
        """
        if tokenizer.eos_token_id is None:
            raise ValueError("this tokenizer has no EOS token, so no response could end; set its `eos_token`.")
        self._tokenizer, self._arguments = tokenizer, dict(arguments or {})
        self._eos = int(tokenizer.eos_token_id)

    @cached_property
    def prefix(self) -> Ids:
        """See `TextIds`: what the tokenizer puts before a text when nothing is said."""
        probe = "a b"
        whole, plain = list(self._tokenizer(probe)["input_ids"]), list(self._ids(probe))
        for before in range(len(whole) - len(plain) + 1):
            if whole[before : before + len(plain)] == plain:
                return tuple(whole[:before])
        return ()

    def prompt(self, prompt: PromptText) -> Ids:
        """See `TextIds`."""
        if isinstance(prompt, str):
            return self.prefix + self._ids(prompt)
        self._refuse_special(prompt)
        return self._ids(self._rendered(prompt, open=True))

    def answered(self, prompt: PromptText, response: str) -> tuple[Ids, Ids]:
        """See `TextIds`."""
        if isinstance(prompt, str):
            before = self.prompt(prompt)
            after = self._after(before, prompt, response)
            return before, after if after and after[-1] == self._eos else (*after, self._eos)
        dialog = (*prompt, Message("assistant", response))
        self._refuse_special(dialog)
        return self._marked(prompt, dialog) if self._marks else self._by_difference(prompt, dialog)

    def said(self, prompt: PromptText, response: Sequence[int]) -> str:
        """What a response in token ids says, special tokens left out."""
        text: str = self._tokenizer.decode(list(response), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text if isinstance(prompt, str) else text.strip()

    def _by_difference(self, prompt: Dialog, dialog: Dialog) -> tuple[Ids, Ids]:
        before, whole = self._rendered(prompt, open=True), self._rendered(dialog, open=False)
        if not whole.startswith(before):
            raise Unusable(_NO_PREFIX)
        written, content = whole[len(before) :], dialog[-1].content.strip()
        at = written.find(content)
        if at < 0:
            raise Unusable(_NOT_SHOWN)
        end = at + len(content)
        closing = self._closing.match(written, end)
        ids = self._ids(before)
        if closing is None:
            return ids, (*self._after(ids, before, written[:end]), self._eos)
        return ids, self._after(ids, before, written[: closing.end()])

    def _marked(self, prompt: Dialog, dialog: Dialog) -> tuple[Ids, Ids]:
        """By the template's own mark, of which the last run of tokens is this response."""
        given = self._ids(self._rendered(prompt, open=True))
        made = self._apply(
            dialog, add_generation_prompt=False, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids, mask = tuple(made["input_ids"]), list(made["assistant_masks"])
        if 1 not in mask:
            raise Unusable("the chat template marks no token of this response")
        if ids[: len(given)] != given:
            raise Unusable(_NO_PREFIX)
        end = len(mask) - mask[::-1].index(1)
        start = next((at + 1 for at in range(end - 1, -1, -1) if not mask[at]), 0)
        start = max(start, len(given))  # it may mark the header of the turn, too, which the model is given
        if dialog[-1].content.strip() not in self._text(ids[start:end]):
            raise Unusable(_NOT_SHOWN)
        # Behind what is said: white space, and the special tokens that close the turn. A mark may leave those out.
        said = end
        while said > start and (ids[said - 1] in self._special_ids or not self._text((ids[said - 1],)).strip()):
            said -= 1
        closing = self._closing.match(self._text(ids[said : end + 1]))
        if closing is None:
            return ids[:start], (*ids[start:end], self._eos)
        last = next(at for at in range(said, end + 2) if len(self._text(ids[said:at])) >= closing.end())
        return ids[:start], ids[start:last]

    def _after(self, before: Ids, prompt: str, response: str) -> Ids:
        """The ids of a response after those of its prompt. Where both together are tokenized otherwise, the response is
        tokenized alone, as generation goes on from the prompt's own ids."""
        start = before[: len(before) - len(self._ids(prompt))]
        together = start + self._ids(prompt + response)
        if together[: len(before)] == before:
            return together[len(before) :]
        alone = self._ids(response)
        if self._text(before + alone) != self._text(together):
            raise Unusable("prompt and response can't be told apart in tokens; end the prompt with a space or a mark")
        return alone

    def _rendered(self, dialog: Dialog, *, open: bool) -> str:
        text: str = self._apply(dialog, tokenize=False, add_generation_prompt=open)
        return text

    def _apply(self, dialog: Dialog, **options: Any) -> Any:
        from jinja2 import TemplateError

        if not self._template:
            raise ValueError("this tokenizer has no chat template: give prompts as texts, or set its `chat_template`.")
        messages = [{"role": message.role, "content": message.content} for message in dialog]
        try:
            return self._tokenizer.apply_chat_template(
                messages, chat_template=_on_one_day(self._template), **self._arguments, **options
            )
        except TemplateError as error:
            raise Unusable(f"the chat template refuses the dialog: {str(error)[:120]}") from error

    def _refuse_special(self, dialog: Dialog) -> None:
        """A special token that a message spells is read as one, and could begin a turn of somebody else."""
        for message in dialog:
            for token in self._special:
                if token in message.content:
                    raise Unusable(f"a message spells the special token {token!r}")

    def _ids(self, text: str) -> Ids:
        return tuple(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _text(self, ids: Ids) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    @cached_property
    def _template(self) -> str:
        template = getattr(self._tokenizer, "chat_template", None)
        return (template.get("default") if isinstance(template, dict) else template) or ""

    @property
    def _marks(self) -> bool:
        return _GENERATION.search(self._template) is not None

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        declared = {int(i) for i, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        return frozenset(declared | {int(i) for i in self._tokenizer.all_special_ids})

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        """What closes a turn: the special tokens behind it, one directly after the other, up to the first EOS."""
        others = "|".join(re.escape(token) for token in self._special if token != self._tokenizer.eos_token)
        eos = re.escape(self._tokenizer.eos_token)
        return re.compile(rf"\s*(?:(?:{others or '(?!)'})+(?:{eos})?|{eos})")

    @cached_property
    def _special(self) -> tuple[str, ...]:
        """The longest first, so that of two that begin alike the right one is found."""
        tokens: list[str] = self._tokenizer.convert_ids_to_tokens(sorted(self._special_ids))
        return tuple(sorted(tokens, key=len, reverse=True))


def _on_one_day(template: str) -> str:
    """The template with a clock that stands still: each format that it asks for is answered for `DATE`."""
    formats = {found[1] for found in _CLOCK.findall(template)}
    if not formats:
        return template
    answers = " ".join(
        f"{{%- if format == {format!r} -%}}{DATE.strftime(format)}{{%- endif -%}}" for format in sorted(formats)
    )
    return f"{{%- macro strftime_now(format) -%}}{answers}{{%- endmacro -%}}{template}"
