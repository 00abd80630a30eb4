"""Conversations as prompts: a model's own chat template, where it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.errors import Unsupported
from harness.models.contract import LanguageModel
from harness.models.transformers_tokenizer import TransformersTokenizer

Messages = list[dict[str, str]]
"""`role` (system, user or assistant) and `content` of each turn."""


def chat_template(model: LanguageModel, *, drop_refused_system: bool) -> Callable[[Messages, bool, bool], str]:
    """(messages, add_generation_prompt, continue_final_message) -> the prompt, by the model's own template.

    drop_refused_system: where the template refuses a system message, leave it out, as lm-eval does; else that is
    Unsupported. Raises Unsupported for a model without a template, and so does what is returned where the template
    refuses the messages.
    """
    tokenizer: Any = model.tokenizer
    if not isinstance(tokenizer, TransformersTokenizer) or not tokenizer.has_chat_template:
        raise Unsupported("this model's tokenizer has no chat template: leave out `chat`")

    def apply(messages: Messages, add_generation_prompt: bool, continue_final_message: bool) -> str:
        from jinja2 import TemplateError

        try:
            return tokenizer.apply_chat(messages, add_generation_prompt, continue_final_message)
        except TemplateError as error:
            others = [message for message in messages if message["role"] != "system"]
            if len(others) == len(messages):
                raise Unsupported(f"the model's chat template refuses these messages ({error})") from None
            if not drop_refused_system:
                raise Unsupported(
                    f"the model's chat template refuses a system message ({error}): leave out `system`, or ask a task "
                    "without a `description`"
                ) from None
            return apply(others, add_generation_prompt, continue_final_message)
        except ValueError as error:  # a template that cuts what an answer begins with
            raise Unsupported(f"the model's chat template can't leave an answer open ({error})") from None

    return apply
