"""How a text is written: the settings of docs/decoding.md, by the same names, as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UserError, WrongArgument, shown
from harness.limits import LARGEST, LARGEST_SEED, MOST_TOKENS
from harness.strict_entry import Strict

TOKENS = 128
"""Of an answer, where nothing is said; fewer where that is more than half the model's context."""
MOST_BEAMS = 64


class WritingSettings(Strict):
    """How an answer is decoded, and where it ends."""

    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    """Tokens of an answer at most; left out, 128, or half the context where that is less."""
    temperature: float = Field(default=0.0, ge=0, le=LARGEST)
    """Logits are divided by it; 0 is greedy: the most likely token each time."""
    top_k: int | None = Field(default=None, ge=1)
    """Only the k most likely tokens; left out, all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the smallest set of most likely tokens whose probability reaches p; 1: all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Only tokens with at least this share of the most likely one's probability; 0: all."""
    repetition_penalty: float = Field(default=1.0, gt=0, le=LARGEST)
    """Makes tokens of the text so far less likely; 1: no."""
    beams: int = Field(default=1, ge=1, le=MOST_BEAMS)
    """Above 1: beam search, whose text comes at its end."""
    length_penalty: float = Field(default=1.0, ge=-LARGEST, le=LARGEST)
    """Of beam search: 0 compares whole likelihoods, 1 likelihoods per token."""
    early_stopping: bool | Literal["never"] = False
    """Of beam search: when it is over."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of the draws, together with the number of the prompt and of the sample."""
    stop: tuple[str, ...] = ()
    """Strings that end the text, which is cut before them."""

    @model_validator(mode="after")
    def _one_way(self) -> WritingSettings:
        if self.beams > 1 and self.temperature > 0:
            raise PydanticCustomError(
                "beams",
                "beam search draws nothing, so a temperature says nothing; set `temperature` to 0 or `beams` to 1",
            )
        if "" in self.stop:
            raise PydanticCustomError("stop", "a stop string is empty, and every text holds that; leave it out")
        return self

    def room(self, context: int) -> int:
        """How many tokens an answer may have of a model with this context."""
        return min(TOKENS, max(1, context // 2)) if self.max_tokens is None else self.max_tokens


def writing_settings(place: str | None = None, **given: Any) -> WritingSettings:
    """Settings from what is given. Raises UserError, in one sentence, for what can't be."""
    if isinstance(given.get("stop"), str):
        given["stop"] = (given["stop"],)
    try:
        return WritingSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        what = first["msg"].removeprefix("Input ")
        told = f" (it is {shown(repr(first['input']))})" if name else ""
        names = tuple(WritingSettings.model_fields)
        wrong = name or place or ", ".join(each for each in names if f"`{each}`" in what)
        raise WrongArgument(f"{what}{told}", place=wrong, beside=names) from None


def check_samples(samples: int, settings: WritingSettings) -> None:
    """Raises UserError where several samples of a prompt would be one text again and again."""
    if samples < 1:
        raise WrongArgument(f"at least 1, not {samples}", place="samples")
    if samples > 1 and settings.beams > 1:
        raise WrongArgument("beam search gives one text: ask for one sample", place="samples")
    if samples > 1 and settings.temperature == 0:
        raise WrongArgument(
            f"greedy decoding writes one text {samples} times: set a temperature above 0, such as 0.8", place="samples"
        )


def changed(settings: WritingSettings, changes: Sequence[str]) -> WritingSettings:
    """The settings with some changed, each as a person types it: `temperature=0.2`, `top_k=none`, `stop=\\n`. Raises
    UserError, with the nearest name, for what can't be; then nothing is changed."""
    given: dict[str, Any] = {name: getattr(settings, name) for name in settings.model_fields_set}
    stops: list[str] = []
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise UserError(f"'{shown(change)}' changes nothing; write NAME=VALUE", place="settings")
        if name == "stop":
            stops += [value.replace("\\n", "\n").replace("\\t", "\t")] if value not in ("", "none") else []
            given["stop"] = tuple(stops)
        elif value.lower() == "none":
            given.pop(name, None)
            if name not in WritingSettings.model_fields:
                given[name] = None
        else:
            given[name] = value
    return writing_settings(**given)
