"""What a suite says about tasks: the settings of the measure `task`."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from harness.limits import LARGEST, LARGEST_SEED, MOST_DOCUMENTS, MOST_SAMPLES, MOST_TOKENS
from harness.measures.mapping_setting import MappingText, mapping_of
from harness.measures.measure import Settings
from harness.measures.task.document_choice import numbers
from harness.mode import Mode
from harness.models.chat import DATE
from harness.tasks.config import Reasoning
from harness.tasks.prompts.generation_settings import KEYS_SCHEMA, check_keys


def _listed(value: Any) -> Any:
    """One document may be written as a number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str):
        numbers(text)
    return text


Count = Annotated[int, Field(ge=1, le=MOST_DOCUMENTS)]
Share = Annotated[float, Field(gt=0, lt=1)]
Listed = Annotated[str, BeforeValidator(_listed), WithJsonSchema({"type": ["string", "integer"]})]


class TaskSettings(Settings):
    """Settings of `task`."""

    task: str = Field(min_length=1)
    """A task, a group or a tag (`harness list tasks`), or the path of a task file."""
    shots: int | None = Field(default=None, ge=0, le=MOST_SAMPLES)
    """Few-shot examples before the question; left out, as many as the task file says (0 where it says nothing)."""
    sampler: Literal["random", "first_n", "balanced", "fixed"] | None = None
    """How the examples are chosen: at random for each document, the first ones, in turn from every class, or those of
    the task file; left out, as the task file says, else at random."""
    shot_seed: int = Field(default=1234, ge=0, le=LARGEST_SEED)
    """Seed of the examples. They depend on it, the task and the document alone."""
    reasoning: Reasoning = "direct"
    """direct: the answer at once. cot: chain of thought, the steps first."""
    documents: Count | Share | None = None
    """How many documents of each task, or below 1 which share of them (rounded up), evenly spaced; left out, all. In
    mode lm-eval the first ones, as `--limit`."""
    document_ids: Listed | None = None
    """Only these documents of each task, by their places from 0 on: '3, 7, 10-19'."""
    samples: int | None = Field(default=None, ge=1, le=MOST_SAMPLES)
    """Answers to draw for each document (self-consistency, pass@k); left out, as the task file says."""
    temperature: float | None = Field(default=None, ge=0, le=LARGEST)
    """Of generated answers; left out, as the task file says (0: greedy)."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Nucleus of generated answers; left out, as the task file says."""
    generation: Annotated[MappingText, WithJsonSchema(KEYS_SCHEMA)] | None = None
    """How answers are written, put over the task file's `generation_kwargs`: {max_tokens: 64, until: ["\\n"],
    temperature: 0.7, top_p: 0.9, top_k: 40, num_beams: 4}."""
    metadata: MappingText | None = None
    """Put over the task file's `metadata`, the arguments of a `custom_dataset`: {max_seq_lengths: [4096]}."""
    sample_seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Seed of drawn answers. They depend on it, the task, the document and the sample alone."""
    chat: bool = False
    """Whether the prompt goes through the model's chat template."""
    multi_turn: bool = True
    """With `chat`: whether few-shot examples are turns of their own, or part of the one user message."""
    system: str | None = None
    """A system prompt; without `chat` it is put before the task's description."""
    chat_template_args: MappingText | None = None
    """With `chat`: what else the chat template is told, such as `{enable_thinking: false}`."""
    date: str = Field(default=DATE, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    """With `chat`: the date that the chat template is given, so that a prompt is the same tomorrow."""
    thinking: Literal["auto", "off"] = "auto"
    """Whether what the model thinks is parted from its answer before stop strings, filters and metrics. auto: between
    the tags that its tokenizer or its chat template declare; off: all that it writes is its answer. In mode lm-eval
    always off."""
    mutual_information: bool = False
    """Whether each choice is also scored without its context, which gives `acc_mutual_info`."""
    likelihood: bool = False
    """Whether the right answer is also scored where an answer is written, with `reasoning: direct`: gives
    `gold_bits_per_byte` and `token_accuracy`, which move where no answer is right yet."""
    context: int | None = Field(default=None, ge=2, le=MOST_TOKENS)
    """Tokens that the model may see at once; left out, its whole context."""
    mode: Mode = "right"
    """right, or lm-eval: its numbers bug for bug where its default differs from the right one (docs/tasks.md)."""

    @field_validator("date", mode="before")
    @classmethod
    def _as_text(cls, date: Any) -> Any:
        """YAML reads an unquoted day as one."""
        return date.isoformat() if type(date) is datetime.date else date

    @field_validator("date")
    @classmethod
    def _a_day(cls, date: str) -> str:
        try:
            datetime.date.fromisoformat(date)
        except ValueError:
            raise ValueError(f"{date} is not a date: write YYYY-MM-DD") from None
        return date

    @model_validator(mode="after")
    def _draws(self) -> Self:
        if not self.chat and self.chat_template_args is not None:
            raise ValueError("`chat_template_args` are for the chat template: set `chat: true`, or leave them out")
        if self.samples is not None and self.samples > 1 and self.temperature == 0:
            raise ValueError(
                f"{self.samples} samples at temperature 0 would all be the same: give a temperature above 0"
            )
        if self.likelihood and self.mode == "lm-eval":
            raise ValueError(
                "lm-eval does not score the right answer of generated ones: leave out `likelihood`, or use mode right"
            )
        return self

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if self.documents is not None and self.document_ids is not None:
            raise ValueError("`documents` and `document_ids` both choose documents; keep one of them")
        given = mapping_of(self.generation)
        check_keys(given)
        twice = [name for name in ("temperature", "top_p") if name in given and getattr(self, name) is not None]
        if twice:
            raise ValueError(f"`{twice[0]}` is given twice, once inside `generation`; keep one")
        return self
