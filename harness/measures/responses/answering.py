"""A model answers prompts: each by its own chat template, each draw by its own seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.measures.going import Going
from harness.measures.responses.settings import ResponseSettings, prompts_of
from harness.models.contract import Described, Generates, LanguageModel, Logits
from harness.models.contract import Prompt as Text
from harness.scoring.generation import sample_seed

if TYPE_CHECKING:
    from harness.corpora.alignment_rows import Prompt

DRAWS = "responses"
"""What the draws belong to, beside seed, prompt and sample."""


@dataclass(frozen=True)
class Response:
    """One response to one prompt."""

    row: Prompt
    number: int
    """Of the prompt, among those that were asked for."""
    sample: int
    prompt: tuple[int, ...]
    """Token ids that the model read."""
    tokens: tuple[int, ...]
    """That it wrote, the one that ended it included; none of a model without tokens."""
    text: str
    """What it says, without white space around it."""
    ended: bool
    """Whether the model ended it, or began somebody else's turn; False: it was cut off at `max_new`."""
    log_prob: float
    """Of its tokens under the model at temperature 1, in nats; NaN of a model without tokens."""


def answers(model: Described, settings: ResponseSettings, going: Going) -> tuple[list[Response], list[str]]:
    """The responses, prompt after prompt, and what a reader must know, a sentence each. A prompt that can't be asked is
    left out and told of. Raises Unsupported where none can be."""
    if isinstance(model, Logits):
        return _of_tokens(model, settings, going)  # type: ignore[arg-type]
    return _of_texts(model, settings, going)


def _of_texts(model: Described, settings: ResponseSettings, going: Going) -> tuple[list[Response], list[str]]:
    """Of a model that is texts in and texts out. Conversations are shown to it as plain turns."""
    from harness.models.turn_ids import plain_prompt, turn_strings

    assert isinstance(model, Generates)
    rows, told = prompts_of(settings)
    until = turn_strings(model)
    asked = [(place, sample, row) for place, row in enumerate(rows) for sample in range(settings.samples)]
    written = model.generate_until(
        [
            Text(
                plain_prompt(model, row.prompt),
                () if isinstance(row.prompt, str) else until,
                settings.max_new,
                settings.temperature,
                seed=sample_seed(settings.sampling_seed, DRAWS, place, sample) % 2**31,
            )
            for place, sample, row in asked
        ]
    )
    going(len(asked))
    found = [
        Response(row, place, sample, (), (), one.text.strip(), one.finish != "length", math.nan)
        for (place, sample, row), one in zip(asked, written, strict=True)
    ]
    return found, told


def _of_tokens(model: LanguageModel, settings: ResponseSettings, going: Going) -> tuple[list[Response], list[str]]:
    from harness.models.chat import has_template
    from harness.models.turn_ids import IN_PLAIN_TURNS, encoded_prompts, turn_strings
    from harness.scoring.generation import Completed, Refused, TextRequest, complete_texts

    rows, left_out = prompts_of(settings)
    prompts, told = encoded_prompts(model, rows, settings.max_new)
    told = [*left_out, *told]
    until = turn_strings(model)
    requests = [
        TextRequest(
            one.ids,
            until if not isinstance(one.row.prompt, str) else (),
            settings.max_new,
            temperature=settings.temperature,
            thinking=model.identity.thinking,
            samples=settings.samples,
            seed=settings.sampling_seed,
            task=DRAWS,
            document=one.place,
        )
        for one in prompts
    ]
    completed = complete_texts(model, requests, on_done=lambda place, done: going(settings.samples))
    found = []
    for one, whole in zip(prompts, completed, strict=True):
        if isinstance(whole, Refused):
            told.append(f"1 left out: {whole.reason}")
            continue
        assert isinstance(whole, Completed)
        found += [
            Response(
                one.row,
                one.place,
                sample,
                whole.prompt,
                answer.tokens,
                answer.text.strip(),
                answer.finish != "length",
                float(sum(answer.log_probs)),
            )
            for sample, answer in enumerate(whole.answers)
        ]
    return found, [*told, *([] if has_template(model) else [IN_PLAIN_TURNS])]
