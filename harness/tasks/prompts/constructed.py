"""The requests that a Python class of the task file makes of a document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.errors import UserError
from harness.tasks.ask import Asked, Choice, Rolling
from harness.tasks.code.judging import done
from harness.tasks.config import LoadFunction, TaskConfig
from harness.tasks.prompts.generation_kwargs import generation, put_over
from harness.tasks.prompts.prompt_settings import PromptSettings


def constructed(
    asked: Asked, config: TaskConfig, context: str, settings: PromptSettings, function: LoadFunction
) -> Asked:
    """The requests that a Python class makes of a document. Raises UserError where they are none that can be asked."""
    assert config.construct_requests is not None
    which, place = f"document {asked.document}", str(config.construct_requests.file)
    make = function(config.construct_requests, "construct_requests")
    told: dict[str, Any] = {
        "metadata": (asked.task, asked.document, config.repeats),
        "apply_chat_template": settings.chat is not None,
    }
    told["chat_template"] = None
    try:
        listed, how = done(make, "requests", asked.row, context, told, place, which)
    except UserError:
        raise
    except Exception as error:  # whatever code of others raises
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{which}: `{config.construct_requests.name}` failed with {reason}", place=place) from error
    choices = tuple(Choice(str(one[0]), str(one[1])) for kind, one in listed if kind == "loglikelihood")
    if listed[0][0] == "loglikelihood_rolling":
        return replace(asked, requests=(Rolling(str(listed[0][1][0])),))
    if listed[0][0] == "loglikelihood":
        return replace(asked, requests=choices)
    written = config.model_copy(update={"generation_kwargs": put_over(how, config.generation_kwargs or {})})
    request = generation(written, str(listed[0][1][0]), settings.mode)
    return replace(asked, requests=(request,), right=choices[0] if choices else None)
