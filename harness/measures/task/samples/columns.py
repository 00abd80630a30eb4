"""Every column of the samples of the measure `task`, beside one for each metric that is a number of a document.

A row is a document. Those of the last part stand in the first row alone and tell of the whole cell.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from harness import strict_json
from harness.measures.task.samples.cell import (
    Group,
    ToldTask,
    groups_read,
    groups_stored,
    pieces_read,
    tasks_read,
    tasks_stored,
)
from harness.measures.task.samples.column import (
    Column,
    flag_or_none,
    flags,
    lists_of_numbers,
    lists_of_wholes,
    mapping,
    mapping_of,
    number_or_none,
    numbers_or_none,
    text,
    text_or_none,
    texts,
    whole,
    whole_or_none,
    wholes,
)


@functools.lru_cache(maxsize=16)
def _spec_read(stored: str) -> Mapping[str, Any]:
    """Every row of a task holds the same."""
    return mapping_of(stored)


# which document, and whether it was judged
TASK = text("task")
DOCUMENT = whole("document")
"""Its place in the task's split."""
BROKEN = text_or_none("broken")
"""Why it could not be asked or judged; none where it was."""

# what was asked
CLUSTER = text_or_none("cluster")
SHOTS = wholes("shots")
"""Places of the few-shot examples in their split."""
GOLD = wholes("gold")
TARGET = texts("target")
CHOICES = texts("choices")
CHANCE = number_or_none("chance")
TEXT_DIGEST = text_or_none("text_digest")
QUESTION_DIGEST = text_or_none("question_digest")
PROMPTS = texts("prompts")
"""The different texts that were read first, before truncation."""
ROW = Column[Mapping[str, Any] | None](
    "doc",
    lambda value: None if value is None else strict_json.loads(value),
    lambda row: strict_json.dumps(row, default=str, ensure_ascii=False),
)
"""The document itself, as it was judged."""
SHOWN_TARGET = text_or_none("shown_target")

# what was answered: an entry for each request, or each answer that was written
PROMPT_IDS = lists_of_wholes("prompt_ids")
"""The different prompts as tokens, after truncation."""
PROMPT_OF = wholes("prompt_of")
"""Which of `PROMPT_IDS`."""
CONTEXT_OF = wholes("context_of")
"""Which of `PROMPTS`."""
CUT = wholes("cut")
"""Tokens that the prompt lost; one entry for all answers that were written."""
CONTINUATIONS = texts("continuations")
"""Empty where a text was read in windows."""
CONTINUATION_IDS = lists_of_wholes("continuation_ids")
LOG_PROBS = lists_of_numbers("log_probs")
GREEDY = flags("greedy")
HITS = wholes("hits")
"""Tokens that were the likeliest."""
FINISH = texts("finish")
"""Of written answers: what ended them."""
THOUGHTS = texts("thoughts")
"""Of models that think first; empty texts for answers without a thought."""
ANSWERED = flags("answered")
RIGHT_LOG_PROBS = numbers_or_none("right_log_probs")
"""Of the right answer, where an answer was written and its likelihood was wanted."""
RIGHT_HITS = whole_or_none("right_hits")
RIGHT = text_or_none("right")

# how it was judged
EXTRACTED = mapping("extracted", default=str)
PROGRAMS = mapping("programs")
WRONG_BY_SPACE = flag_or_none("wrong_by_space")
PREDICTIONS = mapping("predictions")
ITEMS = mapping("items")
SCORED_BYTES = whole_or_none("scored_bytes")
LOST_BYTES = whole_or_none("lost_bytes")
ADDED_BYTES = whole_or_none("added_bytes")
LOST_EXAMPLE = text_or_none("lost_example")
SPEC = Column[Mapping[str, Any]](
    "spec", lambda value: {} if value is None else _spec_read(value), lambda spec: strict_json.dumps(spec)
)
"""How the task's items become numbers, in every row of it."""

# of the whole cell
GROUPS = Column[tuple[Group, ...]]("groups", groups_read, groups_stored)
TASKS = Column[Mapping[str, ToldTask]]("tasks", tasks_read, tasks_stored)
CONTEXT = whole_or_none("context")
WHOLE_DOCUMENTS = flag_or_none("whole_documents")
FAILED = mapping("failed")
PIECES = Column[Mapping[int, str]]("pieces", pieces_read, strict_json.dumps)

NAMES = frozenset(column.name for column in [*vars().values()] if isinstance(column, Column))
"""Of all of them. A metric of the same name has no column of its own: its items stand in `ITEMS` alone."""
