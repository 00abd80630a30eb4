"""Conversations as prompts: a model's own chat template, where it has one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import Unsupported, told
from harness.models.contract import Described, LanguageModel, tokenizer_of
from harness.models.plain_turns import in_plain_text, turns_of
from harness.models.transformers_tokenizer import TransformersTokenizer
from harness.template_bounds.clock import TooMuch
from harness.template_bounds.operations import check_format

Messages = list[dict[str, str]]
"""`role` (system, user or assistant) and `content` of each turn."""

Render = Callable[[Sequence[Mapping[str, Any]], bool, bool], str]
"""(messages, add_generation_prompt, continue_final_message) -> the prompt."""

DATE = "2024-07-26"
"""The day that templates are told it is: any will do, as long as it is the same on every day. It is the one that
Llama 3.1's template takes where it can't know."""
CLOCK = "strftime_now"
"""What templates call to learn the date."""
MOST_FORMATS = 20
"""In which a template may ask for the date."""
_TOLD, _ASKS = "harness_clock_told", "harness asks the clock: "
_PROBE = "harness probe 7"


def chat_template(
    model: LanguageModel,
    *,
    as_lm_eval: bool = False,
    arguments: Mapping[str, Any] | None = None,
    date: str = DATE,
) -> Callable[[Messages, bool, bool], str]:
    """(messages, add_generation_prompt, continue_final_message) -> the prompt, by the model's own template.

    arguments: more that the template may be told (`enable_thinking: false`). date: YYYY-MM-DD, what its clock says.
    as_lm_eval: leave out a system message that the template refuses, and show each message as one text, whatever comes
    of it. Else a template that shows a user's message only as a list of parts is given that, and one that refuses or
    drops a system message is Unsupported.

    Raises Unsupported for a model without a template or with one that can't show a message, and so does what is
    returned where the template refuses the messages.
    """
    if (turns := turns_of(model)) is not None:
        return in_plain_text(turns)
    tokenizer: Any = tokenizer_of(model)
    source = tokenizer.chat_template if isinstance(tokenizer, TransformersTokenizer) else None
    if source is None:
        raise Unsupported("this model's tokenizer has no chat template: leave out `chat`")
    render = with_clock(tokenizer, source, datetime.date.fromisoformat(date), arguments or {})
    in_parts = False if as_lm_eval else _wants_parts(render)

    def apply(messages: Messages, add_generation_prompt: bool, continue_final_message: bool) -> str:
        from jinja2 import TemplateError, TemplateSyntaxError

        shaped = [_in_parts(message) for message in messages] if in_parts else messages
        try:
            text = render(shaped, add_generation_prompt, continue_final_message)
        except TemplateSyntaxError as error:
            raise _broken(error) from None
        except TemplateError as error:
            others = [message for message in messages if message["role"] != "system"]
            if len(others) == len(messages):
                raise Unsupported(f"the model's chat template refuses these messages ({error})") from None
            if not as_lm_eval:
                raise Unsupported(
                    f"the model's chat template refuses a system message ({error}): leave out `system`, or ask a task "
                    "without a `description`"
                ) from None
            return apply(others, add_generation_prompt, continue_final_message)
        except ValueError as error:  # a template that cuts what an answer begins with
            raise Unsupported(f"the model's chat template can't leave an answer open ({error})") from None
        except Exception as error:  # whatever else the expressions of a template raise
            why = str(error) if isinstance(error, TooMuch) else told(error)
            raise Unsupported(f"the model's chat template fails: {why}; fix it, or leave out `chat`") from None
        if not as_lm_eval and messages[0]["role"] == "system" and messages[0]["content"].strip() not in text:
            raise Unsupported(
                "the model's chat template drops the system message: leave out `system`, or ask a "
                "task without a `description`"
            )
        return text

    return apply


def has_template(model: Described) -> bool:
    """Whether the model was made for conversations."""
    tokenizer: object = tokenizer_of(model)
    of_tokenizer = isinstance(tokenizer, TransformersTokenizer) and tokenizer.chat_template is not None
    return of_tokenizer or turns_of(model) is not None


def turn_end(tokenizer: object) -> int | None:
    """The special token with which the chat template closes a turn of the assistant; None where it has none such."""
    template = tokenizer.chat_template if isinstance(tokenizer, TransformersTokenizer) else None
    if template is None or not isinstance(tokenizer, TransformersTokenizer):
        return None
    render = with_clock(tokenizer, template, datetime.date.fromisoformat(DATE), {})
    roles = ("user", "assistant", "user")
    turns = [{"role": role, "content": f"{_PROBE}{number}"} for number, role in enumerate(roles)]
    for shaped in (turns, [_in_parts(turn) for turn in turns]):
        try:
            text = render(shaped, False, False)
        except TooMuch:
            return None
        except Exception:  # a template that can't do it closes nothing; who asks for it is told why
            continue
        _, shown, after = text.rpartition(turns[1]["content"])
        if shown:
            first = tokenizer.encode(after.lstrip())[:1]
            return first[0] if first and first[0] in tokenizer.special_ids else None
    return None


def names(model: LanguageModel, name: str) -> bool:
    """Whether the model's chat template speaks of this variable or function."""
    tokenizer: object = model.tokenizer
    return isinstance(tokenizer, TransformersTokenizer) and name in (tokenizer.chat_template or "")


def with_clock(
    tokenizer: TransformersTokenizer, template: str, day: datetime.date, arguments: Mapping[str, Any]
) -> Render:
    """Render the template with a clock that stands still: `strftime_now` tells this day, at midnight UTC.

    transformers gives templates the real clock, so that a prompt would be another one tomorrow. It passes templates
    data alone, no functions: a format that isn't known yet ends the rendering, which begins again with the answer.
    """
    if CLOCK not in template:
        return lambda messages, begin, leave_open: tokenizer.apply_chat(
            template, messages, begin, leave_open, arguments
        )
    now = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    answered: dict[str, str] = {}
    ask = f"{{{{ {_TOLD}[format | string] if format | string in {_TOLD} else raise_exception('{_ASKS}' ~ format) }}}}"
    dated = f"{{%- macro {CLOCK}(format) -%}}{ask}{{%- endmacro %}}\n{template}"

    def render(messages: Sequence[Mapping[str, Any]], begin: bool, leave_open: bool) -> str:
        from jinja2 import TemplateError

        while True:
            try:
                return tokenizer.apply_chat(dated, messages, begin, leave_open, {**arguments, _TOLD: answered})
            except TemplateError as error:
                _, asked, format = str(error).partition(_ASKS)
                if not asked or format in answered:
                    raise
                if len(answered) >= MOST_FORMATS:
                    raise TooMuch(f"it asks the clock in more than {MOST_FORMATS} ways") from None
                answered[format] = _formatted(now, format)

    return render


def _formatted(now: datetime.datetime, format: str) -> str:
    check_format(format, ())
    seconds = f"{now.timestamp():.0f}"  # strftime would count `%s` from the machine's own time zone
    return now.strftime(re.sub("%[%s]", lambda one: seconds if one[0] == "%s" else one[0], format))


def _wants_parts(render: Render) -> bool:
    """Whether a user's message shows only as a list of parts. Raises Unsupported where it shows in neither form."""
    from jinja2 import TemplateSyntaxError

    message = {"role": "user", "content": _PROBE}
    refused = False
    for shaped in (message, _in_parts(message)):
        try:
            if _PROBE in render([shaped], True, False):
                return shaped is not message
        except TemplateSyntaxError as error:
            raise _broken(error) from None
        except Exception:  # whatever the expressions of a template raise
            refused = refused or shaped is message
    if refused:
        return False  # a lone message may be what it refuses: told, with the reason, where it is asked
    raise Unsupported("the model's chat template doesn't show what a user says: fix it, or leave out `chat`")


def _in_parts(message: Mapping[str, str]) -> dict[str, Any]:
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


def _broken(error: Exception) -> Unsupported:
    line = getattr(error, "lineno", None)
    return Unsupported(
        f"the model's chat template has a syntax error ({error}{f', line {line}' if line else ''}): fix "
        "`chat_template` beside its tokenizer, or leave out `chat`"
    )
