"""An instruction, perhaps with what it is about, and an output, each in a column: Alpaca, Dolly and their like.

They differ in names alone. What an instruction is about follows it after a blank line, in one message of the user (the
texts that Alpaca puts around both are a chat template's business).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from reference_impl.alignment.data.formats.format import Format
from reference_impl.alignment.data.raw_row import RawRow
from reference_impl.alignment.data.rows import Demonstration
from reference_impl.text.dialog import Dialog, asked


def instructed(instruction: str, about: str, system: str = "") -> Dialog:
    """The dialog of an instruction and what it is about."""
    return asked("\n\n".join(part for part in (instruction, about) if part.strip()), system)


def _read(row: RawRow, instruction: str, about: str | None, output: str) -> Iterator[Demonstration]:
    if not row.is_text(instruction):
        yield Demonstration(row.messages(instruction), row.text(output))
        return
    context = row.text(about) if about else ""
    prompt = instructed(row.text(instruction), context, row.text("system") or row.text("system_prompt"))
    yield Demonstration(prompt, row.text(output))


ALPACA = Format(
    name="alpaca",
    kind=Demonstration,
    columns=("instruction", "output"),
    optional=("input", "system"),
    read=partial(_read, instruction="instruction", about="input", output="output"),
    example={"instruction": "Name the color.", "input": "sky", "output": "Blue."},
)
DOLLY = Format(
    name="dolly",
    kind=Demonstration,
    columns=("instruction", "response"),
    optional=("context", "system"),
    unless=("label",),
    read=partial(_read, instruction="instruction", about="context", output="response"),
    example={"instruction": "What color is it?", "context": "The sky.", "response": "Blue.", "category": "closed_qa"},
)
PROMPT_RESPONSE = Format(
    name="prompt-response",
    kind=Demonstration,
    columns=("prompt", "response"),
    optional=("system",),
    unless=("label",),
    read=partial(_read, instruction="prompt", about=None, output="response"),
    example={"prompt": "What color is the sky?", "response": "Blue."},
)
QUESTION_RESPONSE = Format(
    name="question-response",
    kind=Demonstration,
    columns=("question", "response"),
    optional=("system_prompt",),
    unless=("label",),
    read=partial(_read, instruction="question", about=None, output="response"),
    example={"system_prompt": "Be brief.", "question": "What color is the sky?", "response": "Blue."},
)
QUESTION_ANSWER = Format(
    name="question-answer",
    kind=Demonstration,
    columns=("question", "answer"),
    optional=("context", "system"),
    unless=("label",),
    read=partial(_read, instruction="question", about="context", output="answer"),
    example={"question": "What color is the sky?", "answer": "Blue."},
)
