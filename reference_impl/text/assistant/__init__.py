"""The second embedded corpus, `assistant`: dialogs of a small closed world, good and bad, to experiment with alignment.

Unlike `microworld` it shows as many bad answers as good ones and says of none which it is; `gold` says it, for any
prompt and any answer. `docs/assistant-corpus.md` describes it.
"""

from reference_impl.text.assistant.answers import FAULTS, Fault, Pair
from reference_impl.text.assistant.asked import Asked, asked
from reference_impl.text.assistant.corpus import (
    BYTES,
    MOST_PROMPTS,
    SEPARATOR,
    THEMES,
    VERSION,
    demonstrations,
    digest,
    documents,
    evaluation_sets,
    pairs,
    prompts,
    stream,
    twin_prompts,
)
from reference_impl.text.assistant.gold import Gold, gold
from reference_impl.text.assistant.posing import Posed
from reference_impl.text.microworld.draw import SPLITS

__all__ = [
    "BYTES",
    "FAULTS",
    "MOST_PROMPTS",
    "SEPARATOR",
    "SPLITS",
    "THEMES",
    "VERSION",
    "Asked",
    "Fault",
    "Gold",
    "Pair",
    "Posed",
    "asked",
    "demonstrations",
    "digest",
    "documents",
    "evaluation_sets",
    "gold",
    "pairs",
    "prompts",
    "stream",
    "twin_prompts",
]
